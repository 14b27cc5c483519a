"""The parts of `undertone generate`: a generation, its request, what is kept of it."""
