"""The melodic idiom of each style: phrases of four bars that wander through a scale."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.synthesis.accompaniment import SWING, Chord
from pipelines.synthesis.scores import Note
from pipelines.synthesis.theory import MODES, nearest

CENTRE = 72
LOWEST, HIGHEST = 62, 84

PENTATONIC = {"major": (0, 2, 4, 7, 9), "minor": (0, 3, 5, 7, 10)}
HARMONIC_MINOR = (0, 2, 3, 5, 7, 8, 11)
BLUES = {"major": (0, 2, 3, 4, 7, 9), "minor": (0, 3, 5, 6, 7, 10)}


@dataclass(frozen=True, slots=True)
class Idiom:
    """How a style moves."""

    scales: Mapping[str, tuple[int, ...]]
    """Per mode, semitones above the tonic."""
    rhythms: tuple[tuple[float, ...], ...]
    """Bars: the beats on which notes begin."""
    steps: tuple[int, ...]
    """Scale steps that a melody may move by."""
    legato: float
    """Share of the time to the next note that a note is held."""
    riff: bool = False
    """Whether one bar is repeated through the phrase."""


IDIOMS = {
    "rock": Idiom(
        BLUES,
        ((0, 0.5, 1.5, 2, 3), (0, 1, 1.5, 2.5, 3.5), (0.5, 1, 1.5, 2.5, 3)),
        (-2, -1, -1, 0, 1, 1, 2),
        0.85,
    ),
    "jazz": Idiom(
        {mode: tuple(sorted({*steps, 10 if mode == "major" else 11})) for mode, steps in MODES.items()},
        (
            (0, SWING, 1, 1 + SWING, 2, 2 + SWING, 3, 3 + SWING),
            (SWING, 1, 1 + SWING, 2 + SWING, 3),
            (0, 1 + SWING, 2, 2 + SWING, 3 + SWING),
        ),
        (-2, -1, -1, 1, 1, 2, 3),
        0.8,
    ),
    "classical": Idiom(
        {"major": MODES["major"], "minor": HARMONIC_MINOR},
        ((0, 1, 2, 3), (0, 2, 3), (0, 1, 2, 2.5, 3, 3.5), (0, 1.5, 2)),
        (-1, -1, -1, 1, 1, 1, 2),
        1.0,
    ),
    "electronic": Idiom(
        PENTATONIC,
        ((0, 0.75, 1.5, 2.25, 3, 3.5), (0.5, 0.75, 1.5, 2.5, 2.75, 3.5), (0, 0.25, 0.75, 1.75, 2, 2.75)),
        (-2, -1, 0, 0, 1, 2),
        0.5,
        riff=True,
    ),
}


def phrase(
    style: str, mode: str, tonic: int, chords: list[Chord], generator: np.random.Generator
) -> list[list[Note]]:
    """Composes a bar of melody for each chord, beats 0 … 4; each bar begins on a tone of its chord."""
    idiom = IDIOMS[style]
    ladder = [p for p in range(LOWEST, HIGHEST + 1) if (p - tonic) % 12 in idiom.scales[mode]]
    if idiom.riff:
        bar = compose_bar(idiom, ladder, nearest(chords[0].root, CENTRE), generator)
        return [bar] * len(chords)
    bars: list[list[Note]] = []
    for chord in chords:
        tones = [nearest(chord.root + step, CENTRE) for step in chord.intervals[:3]]
        bars.append(compose_bar(idiom, ladder, tones[int(generator.integers(3))], generator))
    return bars


def compose_bar(idiom: Idiom, ladder: list[int], first: int, generator: np.random.Generator) -> list[Note]:
    """Walks along a ladder of pitches from the one nearest to `first`, in one of the idiom's rhythms."""
    starts = idiom.rhythms[int(generator.integers(len(idiom.rhythms)))]
    place = min(range(len(ladder)), key=lambda candidate: abs(ladder[candidate] - first))
    notes = []
    for start, following in zip(starts, (*starts[1:], 4.0), strict=True):
        velocity = 105 if start % 2 == 0 else 92
        notes.append(Note(start, start + idiom.legato * (following - start), ladder[place], velocity))
        step = idiom.steps[int(generator.integers(len(idiom.steps)))]
        place = min(max(place + step, 0), len(ladder) - 1)
    return notes
