"""The steps of `undertone demo`."""
