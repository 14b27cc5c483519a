"""Streams: datasets to clips to codes to activations; prompts to audio. The only place that loads models."""
