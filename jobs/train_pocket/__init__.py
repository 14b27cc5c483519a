"""Training of the models that ship: progress and curves."""
