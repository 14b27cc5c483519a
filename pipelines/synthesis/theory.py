"""Names and arithmetic of pitch: scales, chords, progressions. No sound, no randomness."""

from collections.abc import Sequence

NOTE_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MIDDLE_C = 60

INTERVALS = (
    "minor second",
    "major second",
    "minor third",
    "major third",
    "perfect fourth",
    "tritone",
    "perfect fifth",
    "minor sixth",
    "major sixth",
    "minor seventh",
    "major seventh",
    "octave",
)
"""By size: INTERVALS[semitones − 1]."""

SCALES = {
    "ionian": (0, 2, 4, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
}
"""Semitones above the tonic."""

MODES = {"major": SCALES["ionian"], "minor": SCALES["aeolian"]}

TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7), "augmented": (0, 4, 8), "diminished": (0, 3, 6)}
"""Semitones above the root."""

INVERSIONS = ("root", "first", "second")

PROGRESSIONS = {
    "major": (
        *("1-4-5-1", "1-4-6-5", "1-5-6-4", "1-6-4-5", "2-5-1-6"),
        *("4-1-5-6", "4-5-3-6", "5-4-1-5", "5-6-4-1", "6-4-1-5"),
    ),
    "minor": (
        *("1-2-5-1", "1-3-4-1", "1-4-5-1", "1-6-3-7", "1-6-7-1"),
        *("1-6-7-3", "1-7-6-4", "4-7-1-1", "7-6-7-1"),
    ),
}
"""The 10 + 9 four-chord progressions of SynTheory, as degrees of the major and natural minor scale."""


def tonic_pitch(pitch_class: int) -> int:
    """Returns the MIDI pitch of a tonic in the octave around middle C: F#3 (54) … F4 (65)."""
    return MIDDLE_C + pitch_class - (12 if pitch_class > 5 else 0)


def scale_pitches(tonic: int, steps: Sequence[int]) -> list[int]:
    """Returns a scale upwards from its tonic, with the octave on top."""
    return [tonic + step for step in (*steps, 12)]


def invert(chord: Sequence[int], inversion: int) -> list[int]:
    """Raises the lowest `inversion` notes of a chord by an octave."""
    return [*chord[inversion:], *(pitch + 12 for pitch in chord[:inversion])]


def degree_triad(tonic: int, steps: Sequence[int], degree: int) -> list[int]:
    """Returns the triad on a degree (1 … 7) of a scale, every second note from there, within two octaves.

    Like SynTheory, notes beyond the seventh degree are folded into the octave above the tonic.
    """
    return [tonic + steps[(degree - 1 + third) % 7] for third in (0, 2, 4)]


def nearest(pitch_class: int, centre: int) -> int:
    """Returns the pitch of a class within six semitones of `centre`."""
    return centre + (pitch_class - centre + 6) % 12 - 6
