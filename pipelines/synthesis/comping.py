"""How each style plays its chords: one bar of four beats at a time."""

from collections.abc import Callable

from pipelines.synthesis.harmony import Chord
from pipelines.synthesis.scores import Note
from pipelines.synthesis.theory import nearest

SWING = 2 / 3
"""Where the second eighth of a swung beat falls."""

Comping = Callable[[Chord, int], list[Note]]
"""From a chord and the song's variant (0 or 1) to the notes of a bar, beats 0 … 4."""


def rock(chord: Chord, variant: int) -> list[Note]:
    """Power chords in driving eighths, or pushed before the third beat."""
    root = nearest(chord.root, 45)
    starts = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5] if variant == 0 else [0, 0.5, 1.5, 2.5, 3, 3.5]
    return [
        Note(start, start + 0.45, root + step, 100 if start % 2 == 1 else 80)
        for start in starts
        for step in (0, 7, 12)
    ]


def jazz(chord: Chord, variant: int) -> list[Note]:
    """Rootless voicings in Charleston rhythm, or on the swung second halves of beats 2 and 4."""
    hits = (
        [(0, 0.4), (1 + SWING, 1.1)]
        if variant == 0
        else [(1 + SWING, 0.3), (2 + SWING, 0.3), (3 + SWING, 0.33)]
    )
    voicing = [nearest(chord.root + step, 62) for step in (*chord.intervals[1:], 14)]
    return [Note(start, start + length, pitch, 78) for start, length in hits for pitch in voicing]


def classical(chord: Chord, variant: int) -> list[Note]:
    """An Alberti figure (low, high, middle, high), or a triad broken upwards and down again."""
    low, middle, high = sorted(nearest(chord.root + step, 60) for step in chord.intervals[:3])
    order = (
        [low, high, middle, high] * 2
        if variant == 0
        else [low, middle, high, low + 12, high, middle, low, middle]
    )
    return [Note(place / 2, place / 2 + 0.5, pitch, 70) for place, pitch in enumerate(order)]


def electronic(chord: Chord, variant: int) -> list[Note]:
    """An arpeggio in sixteenths, or stabs in three-three-two sixteenths."""
    tones = sorted(nearest(chord.root + step, 67) for step in chord.intervals)
    if variant == 0:
        ladder = [*tones, tones[0] + 12]
        return [Note(place / 4, place / 4 + 0.2, ladder[place * 3 % len(ladder)], 85) for place in range(16)]
    starts = [0, 0.75, 1.5, 2, 2.75, 3.5]
    return [Note(start, start + 0.3, pitch, 85) for start in starts for pitch in tones]


COMPING: dict[str, Comping] = {"rock": rock, "jazz": jazz, "classical": classical, "electronic": electronic}
