"""The bass idiom of each style: one bar of four beats at a time."""

from collections.abc import Callable

from pipelines.synthesis.harmony import Chord
from pipelines.synthesis.scores import Note
from pipelines.synthesis.theory import nearest

CENTRE = 38

BassLine = Callable[[Chord, Chord], list[Note]]
"""From a chord and the next bar's chord to the notes of a bar, beats 0 … 4."""


def rock(chord: Chord, _following: Chord) -> list[Note]:
    """Roots in eighths, the fifth at the end."""
    root = nearest(chord.root, CENTRE)
    pitches = [root] * 6 + [root + 7, root + 7]
    return [Note(place / 2, place / 2 + 0.45, pitch, 95) for place, pitch in enumerate(pitches)]


def jazz(chord: Chord, following: Chord) -> list[Note]:
    """A walking line: root, third, fifth, and a semitone above the next root."""
    root = nearest(chord.root, CENTRE)
    pitches = [
        root,
        root + chord.intervals[1],
        root + chord.intervals[2],
        nearest(following.root + 1, CENTRE + 2),
    ]
    return [Note(beat, beat + 0.95, pitch, 90) for beat, pitch in enumerate(pitches)]


def classical(chord: Chord, _following: Chord) -> list[Note]:
    """Root and fifth in held half notes."""
    root = nearest(chord.root, CENTRE + 4)
    return [Note(0, 2, root, 75), Note(2, 4, root + chord.intervals[2], 70)]


def electronic(chord: Chord, _following: Chord) -> list[Note]:
    """Octaves in sixteenths that leave every beat to the bass drum."""
    root = nearest(chord.root, CENTRE - 2)
    places = [place for place in range(16) if place % 4]
    return [Note(place / 4, place / 4 + 0.2, root + 12 * (place % 4 == 2), 95) for place in places]


BASS_LINES: dict[str, BassLine] = {
    "rock": rock,
    "jazz": jazz,
    "classical": classical,
    "electronic": electronic,
}
