"""Steering: edits as data, schedules, strength, and hooks that apply them."""
