"""The parts of `undertone probe`: sources, moments, fits, scores, and what is said of them."""
