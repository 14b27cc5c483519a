"""Rendered clips with their labels: what pocket-clap and the judge learn from and are tested on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.synthesis import render_samples
from pipelines.synthesis.concepts import Specimen
from pipelines.synthesis.instruments import LEADS
from pipelines.synthesis.songs import STYLES, TEXTURES, Band
from pipelines.synthesis.style_concept import style_concept
from pipelines.synthesis.theory import NOTE_NAMES

Samples = Callable[[slice], NDArray[np.float32]]
"""Gives the audio of some clips: (B, samples) within ±1."""

SAMPLE_RATE = 16_000
CLIP_SECONDS = 4.0
FULL_SCALE = 32_767
CLASSES: Mapping[str, tuple[str, ...]] = {
    "style": STYLES,
    "instrument": tuple(LEADS),
    "drums": ("no", "yes"),
    "mode": ("major", "minor"),
    "key": NOTE_NAMES,
    "texture": TEXTURES,
}
"""Names of the classes of each concept, in the order of their codes."""


@dataclass(frozen=True, slots=True)
class LabelledClips:
    """N clips: what is heard, and what is known of it."""

    audio: NDArray[np.int16]
    """(N, samples) at `SAMPLE_RATE`; mapped from disk."""
    codes: Mapping[str, NDArray[np.int64]]
    """For each concept of `CLASSES`: (N,) class codes."""
    tempo_bpm: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.audio)

    def samples(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """The audio of some clips within ±1: float32 (B, samples)."""
        return within_one(self.audio[rows])


def within_one(audio: NDArray[np.int16]) -> NDArray[np.float32]:
    """16-bit samples as float32 within ±1."""
    return audio.astype(np.float32) / np.float32(FULL_SCALE)


def labelled_clips(folder: Path, *, seed: int, clips: int) -> LabelledClips:
    """The clips of a seed from `folder`, rendered there first if need be (about 50 a second and core)."""
    audio, labels = folder / f"clips-{seed}-{clips}.npy", folder / f"clips-{seed}-{clips}.npz"
    if not labels.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _render(audio, labels, list(specimens(seed, clips)))
    return read_clips(audio, labels)


def read_clips(audio: Path, labels: Path) -> LabelledClips:
    """Opens clips that lie on disk; the audio stays there until it is used."""
    with np.load(labels) as known:
        codes = {concept: known[concept] for concept in CLASSES}
        tempo_bpm = known["tempo_bpm"]
    return LabelledClips(np.load(audio, mmap_mode="r"), codes, tempo_bpm)


def draw_examples(sizes: Sequence[int], count: int, generator: np.random.Generator) -> list[tuple[int, int]]:
    """Draws examples of clips that exist in several versions, each version equally often.

    Args:
        sizes: how many clips each version has.
        count: how many examples to draw.
        generator: draws.

    Returns:
        Version and row of each example.
    """
    versions = generator.integers(len(sizes), size=count)
    return [(int(version), int(generator.integers(sizes[version]))) for version in versions]


def specimens(seed: int, clips: int) -> Iterator[Specimen]:
    """Draws clips, half of them with the band typical of their style, half with any band."""
    bands: tuple[Band, ...] = ("typical", "any")
    concepts = [style_concept(renderings_per_song=1, band=band) for band in bands]
    for index in range(clips):
        yield concepts[index % 2].specimen(seed, index // 2)


def _render(audio: Path, labels: Path, planned: list[Specimen]) -> None:
    """Writes the labels last, so that a rendering cut short is not taken for a whole one."""
    shape = (len(planned), round(CLIP_SECONDS * SAMPLE_RATE))
    memory = np.lib.format.open_memmap(audio, mode="w+", dtype=np.int16, shape=shape)
    for index, specimen in enumerate(planned):
        memory[index] = np.round(_play(specimen, doubled=index % 4 >= 2) * FULL_SCALE)
    memory.flush()
    columns: dict[str, Any] = dict(_label_columns(planned))
    np.savez(labels, **columns)


def _play(specimen: Specimen, *, doubled: bool) -> NDArray[np.float32]:
    """Samples at `SAMPLE_RATE`, played at twice that rate and resampled if `doubled`.

    Datasets are rendered at 32 kHz, and the synthesizer sounds a little different at another rate.
    """
    import soxr

    if not doubled:
        return render_samples(specimen, sample_rate=SAMPLE_RATE, clip_seconds=CLIP_SECONDS)
    samples = render_samples(specimen, sample_rate=2 * SAMPLE_RATE, clip_seconds=CLIP_SECONDS)
    resampled: NDArray[np.float32] = soxr.resample(samples, 2 * SAMPLE_RATE, SAMPLE_RATE)
    return np.clip(resampled, -1, 1)


def _label_columns(planned: list[Specimen]) -> Iterator[tuple[str, NDArray[Any]]]:
    for concept, classes in CLASSES.items():
        yield concept, np.array([classes.index(_class(specimen, concept)) for specimen in planned])
    yield "tempo_bpm", np.array([specimen.labels["tempo_bpm"] for specimen in planned], np.float64)


def _class(specimen: Specimen, concept: str) -> str:
    value = specimen.labels[concept]
    return CLASSES[concept][value] if isinstance(value, bool) else str(value)
