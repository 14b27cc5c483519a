"""The built-in small MusicGen: audiocraft's own modules, random weights that are the same everywhere."""

from pipelines.pocket.checkpoint import random_pocket_folder

__all__ = ["random_pocket_folder"]
