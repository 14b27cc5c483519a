"""What SynTheory plays for its five tonal concepts: figures of eight beats on one instrument.

At the published 4 seconds that is 120 beats per minute. Longer clips repeat the figure, at a tempo for which
the last one ends with the clip; shorter clips play it faster, so nothing that a label names is cut off.
"""

from collections.abc import Iterable, Sequence

from pipelines.synthesis.scores import Note, Part, Score

FIGURE_BEATS = 8
FIGURE_SECONDS = 4.0


def figure_score(program: int, figure: Sequence[Note], clip_seconds: float) -> Score:
    """Repeats a figure until the clip is full."""
    repeats = max(1, round(clip_seconds / FIGURE_SECONDS))
    notes = [
        Note(note.start + FIGURE_BEATS * turn, note.end + FIGURE_BEATS * turn, note.pitch, note.velocity)
        for turn in range(repeats)
        for note in figure
    ]
    return Score([Part(program, notes)], tempo_bpm=60 * FIGURE_BEATS * repeats / clip_seconds)


def melody(pitches: Iterable[int], beats: float) -> list[Note]:
    """Plays pitches one after the other."""
    return chords(([pitch] for pitch in pitches), beats)


def chords(pitch_sets: Iterable[Iterable[int]], beats: float) -> list[Note]:
    """Plays sets of pitches one after the other."""
    return [
        Note(beats * place, beats * (place + 1), pitch)
        for place, pitches in enumerate(pitch_sets)
        for pitch in pitches
    ]


def interval_figure(lower: int, semitones: int, direction: str) -> list[Note]:
    """Plays two pitches in turn, "up" or "down", or together ("unison"), four times."""
    pair = (lower, lower + semitones)
    if direction == "unison":
        return chords([pair] * FIGURE_BEATS, 1)
    return melody((pair if direction == "up" else pair[::-1]) * 4, 1)
