"""Checkpoints of MusicGen in audiocraft's format and in that of transformers, and from one to the other."""
