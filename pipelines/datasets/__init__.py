"""Readers of dataset formats, and the cutting of recordings into clips."""
