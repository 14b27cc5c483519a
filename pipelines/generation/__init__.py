"""Generation: the loop that writes tokens, sampling, guidance, and its activations."""
