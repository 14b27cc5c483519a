"""Recordings to clips: files, containers, decoders, resampling."""
