"""The score: what is to be played, in beats, before any sound exists."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One key held from `start` to `end`."""

    start: float
    """In beats from the beginning of the piece."""
    end: float
    """In beats; greater than `start`."""
    pitch: int
    """MIDI number (60 is middle C), or the key of a drum kit."""
    velocity: int = 64
    """1 … 127."""


@dataclass(frozen=True, slots=True)
class Part:
    """The notes of one instrument."""

    program: int
    """General-MIDI program 0 … 127, or the number of a drum kit."""
    notes: Sequence[Note]
    drums: bool = False
    gain: float | None = None
    """Loudness relative to other parts that have one; None plays the bank's own level."""


@dataclass(frozen=True, slots=True)
class Score:
    """Parts and how an excerpt of them is to sound."""

    parts: Sequence[Part]
    tempo_bpm: float = 120.0
    start_seconds: float = 0.0
    """Where the excerpt begins."""
    reverb: float = 0.0
    """Share of the room in the sound, 0 … 1."""
    level_db: float = 0.0
    """Of the peak, relative to the loudest safe level; at most 0."""
