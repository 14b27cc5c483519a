"""The built-in small MusicGen: its shape, its trained weights, and random ones, the same everywhere."""

from pipelines.pocket.checkpoint import random_pocket_folder

__all__ = ["random_pocket_folder"]
