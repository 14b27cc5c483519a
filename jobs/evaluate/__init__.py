"""The parts of `undertone evaluate`: sounds to score, scorers that score them, and the stored scores."""
