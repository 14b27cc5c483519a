"""The harmonic vocabulary of each style: four-bar progressions in major and minor."""

from dataclasses import dataclass

QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "add9": (0, 4, 7, 14),
    "m9": (0, 3, 7, 14),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
}
"""Semitones above the root, as chord symbols name them."""

# Each chord: semitones of its root above the tonic, then its quality.
VOCABULARY = {
    ("rock", "major"): ("0 7 9m 5", "0 10 5 0", "0 5 7 5", "9m 5 0 7"),
    ("rock", "minor"): ("0m 8 10 0m", "0m 10 8 10", "0m 3 10 5", "0m 0m 10 8"),
    ("jazz", "major"): ("2m7 7:7 0maj7 9m7", "0maj7 9:7 2m7 7:7", "4m7 9:7 2m7 7:7", "0:6 5maj7 2m7 7:7"),
    ("jazz", "minor"): ("2m7b5 7:7 0m7 0m6", "0m7 5m7 2m7b5 7:7", "0m6 8:7 2m7b5 7:7", "5m7 10:7 3maj7 7:7"),
    ("classical", "major"): ("0 5 7:7 0", "0 9m 2m 7", "0 7 0 7:7", "5 0 7:7 0"),
    ("classical", "minor"): ("0m 5m 7:7 0m", "0m 8 2dim 7", "0m 7 0m 7:7", "5m 0m 7:7 0m"),
    ("electronic", "major"): (
        "0add9 0add9 5add9 5add9",
        "5add9 7sus4 9m9 9m9",
        "0add9 9m9 0add9 7sus4",
        "9m9 5add9 0 0",
    ),
    ("electronic", "minor"): (
        "0m9 0m9 8 10sus4",
        "0m9 8add9 3add9 10",
        "0m9 0m9 0m9 5m9",
        "0m9 10 8add9 8add9",
    ),
}


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord of a song."""

    root: int
    """Pitch class, 0 … 11."""
    intervals: tuple[int, ...]
    """Semitones above the root."""


def progressions(style: str, mode: str, tonic: int) -> list[list[Chord]]:
    """Lists the four-bar progressions of a style in a key; one chord per bar."""
    return [[parse_chord(symbol, tonic) for symbol in line.split()] for line in VOCABULARY[style, mode]]


def parse_chord(symbol: str, tonic: int) -> Chord:
    """Reads "9m7" (or "7:7" where the quality begins with a digit): minor seventh chord 9 above the tonic."""
    digits = (
        symbol.partition(":")[0]
        if ":" in symbol
        else symbol[: len(symbol) - len(symbol.lstrip("0123456789"))]
    )
    quality = symbol[len(digits) :].lstrip(":")
    return Chord((tonic + int(digits)) % 12, QUALITIES[quality])
