"""Draw the labels of the pocket model's training clips independently, and hold some values out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.synthesis.concepts import Specimen
from pipelines.synthesis.instruments import LEADS
from pipelines.synthesis.songs import STYLES, TEMPOS_BPM, Rendering, Song, draw_rendering, draw_song
from pipelines.synthesis.streams import pick, stream
from pipelines.synthesis.style_concept import style_specimen
from pipelines.synthesis.synthesizer import render_score
from pipelines.synthesis.theory import NOTE_NAMES

SAMPLE_RATE = 16_000
CLIP_SECONDS = 4.0
CLIP_SAMPLES = round(CLIP_SECONDS * SAMPLE_RATE)
OVERSAMPLED_SHARE = 4
"""One clip in so many is played at twice the rate, as datasets are, and sounds a little different."""
NOISE_DB = (-65.0, -35.0)
"""Level of the white noise below the clip's peak: drawn between these."""

HELD_OUT_KEYS = ("C#", "G#")
HELD_OUT_TEMPOS_BPM = tuple(tempo for tempo in TEMPOS_BPM if tempo % 10 in (7, 8))
HELD_OUT_PROGRAMS = {
    "piano": 1,
    "vibraphone": 12,
    "organ": 18,
    "acoustic guitar": 24,
    "electric guitar": 30,
    "violin": 110,
    "trumpet": 59,
    "saxophone": 65,
    "flute": 72,
    "synthesizer": 80,
}
"""Programs close to each lead (a bright piano, a marimba, a fiddle …), heard in tests alone."""

Part = Literal["train", "validation", "test", "unseen"]
"""New songs for each; "unseen" has the held-out keys, tempos and programs, the others never do."""
SEEDS = {"train": 31, "validation": 32, "test": 33, "unseen": 34}
TRAINED_KEYS = tuple(name for name in NOTE_NAMES if name not in HELD_OUT_KEYS)
TRAINED_TEMPOS_BPM = tuple(tempo for tempo in TEMPOS_BPM if tempo not in HELD_OUT_TEMPOS_BPM)


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip before it is played."""

    part: Part
    index: int
    song: Song
    rendering: Rendering
    program: int
    """General-MIDI program of the lead."""


def draw_clip(part: Part, index: int) -> Clip:
    """Draws a clip, a song of its own; nothing about it depends on any other clip."""
    seed = SEEDS[part]
    style = pick(STYLES, seed, "training clip", index, "style")
    song = draw_song(style, index, seed)
    keys, tempos = (
        (HELD_OUT_KEYS, HELD_OUT_TEMPOS_BPM) if part == "unseen" else (TRAINED_KEYS, TRAINED_TEMPOS_BPM)
    )
    song = replace(
        song,
        key=pick(keys, seed, "training clip", index, "key"),
        tempo_bpm=pick(tempos, seed, "training clip", index, "tempo"),
    )
    rendering = draw_rendering(style, index, seed, band="any")
    programs = HELD_OUT_PROGRAMS if part == "unseen" else LEADS
    return Clip(part, index, song, rendering, programs[rendering.lead])


def specimen(clip: Clip) -> Specimen:
    """The clip as the datasets know it: group, labels, caption and score."""
    return style_specimen(clip.song, clip.rendering, clip.index, program=clip.program)


def render_clip(clip: Clip, *, seconds: float = CLIP_SECONDS) -> NDArray[np.int16]:
    """Plays a clip with a little noise: mono samples at `SAMPLE_RATE`."""
    score = specimen(clip).score(seconds)
    generator = stream(SEEDS[clip.part], "sound", clip.index)
    if generator.integers(OVERSAMPLED_SHARE):
        samples = render_score(score, seconds=seconds, sample_rate=SAMPLE_RATE)
    else:
        samples = _halved(render_score(score, seconds=seconds, sample_rate=2 * SAMPLE_RATE))
    level = float(np.abs(samples).max()) * 10 ** (generator.uniform(*NOISE_DB) / 20)
    noisy = samples + level * generator.standard_normal(len(samples), np.float32)
    return np.round(np.clip(noisy, -1, 1) * 32767).astype(np.int16)


def draw_clips(part: Part, clips: int) -> Iterator[Clip]:
    """The first so many clips of a part."""
    return (draw_clip(part, index) for index in range(clips))


def _halved(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    import soxr

    resampled: NDArray[np.float32] = soxr.resample(samples, 2 * SAMPLE_RATE, SAMPLE_RATE)
    return resampled
