"""The parts of `undertone report`: what stands on the page, and how it becomes one HTML file."""
