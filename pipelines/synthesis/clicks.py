"""Metronomes: the five click sounds of SynTheory and their tracks in any metre."""

from dataclasses import dataclass
from itertools import count, takewhile

from pipelines.synthesis.scores import Note, Part, Score


@dataclass(frozen=True, slots=True)
class Click:
    """A sound for the first beat of a bar and one for the others."""

    program: int
    downbeat_pitch: int
    beat_pitch: int
    drums: bool = False
    downbeat_velocity: int = 100
    beat_velocity: int = 75


CLICKS = {
    "side stick": Click(0, 37, 31, drums=True),
    "dark woodblock": Click(115, 37, 31),
    "light woodblock": Click(115, 52, 48),
    "taiko": Click(116, 52, 48),
    "synth drum": Click(118, 52, 48),
}

TIME_SIGNATURES = ("2/2", "2/4", "3/4", "3/8", "4/4", "6/8", "9/8", "12/8")
REVERBS = {"dry": 0.0, "room": 0.5, "hall": 1.0}
"""SynTheory sends 0, 63 and 127 of 127 to the synthesizer's reverb; here: of the strongest room."""
STRONGEST_ROOM = 0.6


def parse_meter(time_signature: str) -> tuple[int, int]:
    """Splits "6/8" into beats per bar and beat unit."""
    beats, unit = time_signature.split("/")
    return int(beats), int(unit)


def is_compound(time_signature: str) -> bool:
    """Says whether beats fall in threes (3/8, 6/8, 9/8, 12/8)."""
    beats, unit = parse_meter(time_signature)
    return beats % 3 == 0 and unit != 4


def click_score(
    click: Click,
    *,
    tempo_bpm: int,
    time_signature: str,
    start_seconds: float,
    clip_seconds: float,
    reverb: str = "dry",
) -> Score:
    """A click per beat unit of the metre, quarter notes at `tempo_bpm`."""
    beats_per_bar, unit = parse_meter(time_signature)
    length = 4 / unit
    end = (start_seconds + clip_seconds) * tempo_bpm / 60
    starts = takewhile(lambda start: start < end, count(0, length))
    notes = [
        Note(start, start + length, click.downbeat_pitch, click.downbeat_velocity)
        if place % beats_per_bar == 0
        else Note(start, start + length, click.beat_pitch, click.beat_velocity)
        for place, start in enumerate(starts)
    ]
    return Score(
        [Part(click.program, notes, click.drums)],
        tempo_bpm=tempo_bpm,
        start_seconds=start_seconds,
        reverb=REVERBS[reverb] * STRONGEST_ROOM,
    )
