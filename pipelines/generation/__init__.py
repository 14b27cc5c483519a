"""Generation: the loop that writes tokens, sampling, guidance, and its activations."""

MOST_SECONDS = 3600.0
"""Length of the longest generation: windows of the model's own length follow each other so far."""
