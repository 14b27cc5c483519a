"""Scorers of sounds: CLAP, physical descriptors, handcrafted features."""
