"""Renders datasets: which clips, their files, their labels.

A clip is a function of (concept, seed, index) alone. A larger dataset therefore begins with the same files,
and any part of it can be rendered again to the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.synthesis.concepts import Concept, Specimen
from pipelines.synthesis.labels import LABELS
from pipelines.synthesis.songs import BANDS, Band
from pipelines.synthesis.splits import split_of
from pipelines.synthesis.style_concept import style_concept
from pipelines.synthesis.synthesizer import render_score
from pipelines.synthesis.theory_concepts import theory_concepts
from store.errors import InvalidInput
from store.records import Recording

Write = Callable[[str, bytes], object]

CONCEPTS_BY_BAND: Mapping[Band, Mapping[str, Concept]] = {
    band: {concept.name: concept for concept in (*theory_concepts(), style_concept(band=band))}
    for band in BANDS
}
CONCEPTS: Mapping[str, Concept] = CONCEPTS_BY_BAND["any"]

SAMPLE_RATES = range(8_000, 96_001)
SHORTEST_CLIP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class PlannedRecording:
    """A recording that could be rendered, and how."""

    recording: Recording
    specimen: Specimen


def render_dataset(
    write: Write | Path,
    *,
    clips: int,
    seed: int,
    concepts: Sequence[str] = tuple(CONCEPTS),
    sample_rate: int = 32_000,
    clip_seconds: float = 4.0,
    band: Band = "any",
) -> Iterator[Recording]:
    """Renders clips to 16-bit mono FLAC files, spread evenly over the concepts.

    Args:
        write: takes (uri, bytes) of each file, or the folder to write to.
        clips: number of files. Concepts whose grid has fewer cells than their share give all they have.
        seed: chooses the cells and their order, and composes the songs.
        concepts: names from `CONCEPTS`.
        sample_rate: in Hz.
        clip_seconds: length of every file.
        band: of the styles; see `Band`.

    Yields:
        A recording per file, after it was written, with every column of `LABELS`.

    Raises:
        InvalidInput: before the first file, for an unknown concept or an impossible number.
    """
    plan = plan_dataset(concepts=concepts, clips=clips, seed=seed, band=band)
    check_format(sample_rate, clip_seconds)
    return _render(into_folder(write) if isinstance(write, Path) else write, plan, sample_rate, clip_seconds)


def _render(
    write: Write, plan: Iterator[PlannedRecording], sample_rate: int, clip_seconds: float
) -> Iterator[Recording]:
    for planned in plan:
        write(planned.recording.uri, render_file(planned.specimen, sample_rate, clip_seconds))
        yield planned.recording


def plan_dataset(
    *, concepts: Sequence[str], clips: int, seed: int, band: Band = "any"
) -> Iterator[PlannedRecording]:
    """Lists what `render_dataset` would render, concept after concept, without any sound."""
    chosen = [find_concept(name, band) for name in dict.fromkeys(concepts)]
    shares = spread(clips, [concept.size for concept in chosen])
    return (
        plan_recording(concept, seed, index)
        for concept, share in zip(chosen, shares, strict=True)
        for index in range(share)
    )


def find_concept(name: str, band: Band = "any") -> Concept:
    """Looks a concept up.

    Raises:
        InvalidInput: there is none of that name.
    """
    if name not in CONCEPTS:
        raise InvalidInput(f"there is no concept {name!r}; choose from {', '.join(CONCEPTS)}")
    return CONCEPTS_BY_BAND[band][name]


def spread(clips: int, sizes: Sequence[int]) -> list[int]:
    """Divides clips evenly between grids; what a small grid cannot take goes to the others."""
    if not sizes:
        raise InvalidInput(f"no concept was named; choose from {', '.join(CONCEPTS)}")
    if not 1 <= clips <= sum(sizes):
        raise InvalidInput(
            f"{clips} clips cannot be rendered: these concepts have 1 … {sum(sizes):,} different ones"
        )
    shares = [0] * len(sizes)
    left = clips
    smallest_first = sorted(range(len(sizes)), key=lambda place: (sizes[place], -place))
    for done, place in enumerate(smallest_first):
        shares[place] = min(sizes[place], left // (len(sizes) - done))
        left -= shares[place]
    return shares


def plan_recording(concept: Concept, seed: int, index: int) -> PlannedRecording:
    """Draws one clip and describes it as a recording."""
    specimen = concept.specimen(seed, index)
    known = {**specimen.labels, "concept": concept.name, "caption": specimen.caption}
    recording = Recording(
        uri=f"{concept.name}/{index:06d}.flac",
        group=specimen.group,
        split=split_of(specimen.group),
        labels={name: known.get(name) for name in LABELS},
    )
    return PlannedRecording(recording, specimen)


def render_samples(specimen: Specimen, *, sample_rate: int, clip_seconds: float) -> NDArray[np.float32]:
    """Plays a clip; returns mono samples of shape (round(clip_seconds * sample_rate),) within ±1."""
    return render_score(specimen.score(clip_seconds), seconds=clip_seconds, sample_rate=sample_rate)


def render_file(specimen: Specimen, sample_rate: int, clip_seconds: float) -> bytes:
    """Plays a clip into the bytes of a FLAC file."""
    samples = render_samples(specimen, sample_rate=sample_rate, clip_seconds=clip_seconds)
    file = BytesIO()
    soundfile.write(file, np.round(samples * 32767).astype(np.int16), sample_rate, format="FLAC")
    return file.getvalue()


def check_format(sample_rate: int, clip_seconds: float) -> None:
    """Refuses rates and lengths at which the concepts could not be heard."""
    if sample_rate not in SAMPLE_RATES:
        raise InvalidInput(f"a sample rate of {sample_rate} Hz is not possible; choose 8000 … 96000")
    if clip_seconds < SHORTEST_CLIP_SECONDS:
        raise InvalidInput(
            f"clips of {clip_seconds} s are too short; choose {SHORTEST_CLIP_SECONDS} s or more"
        )


def into_folder(folder: Path) -> Write:
    """Returns a `write` that puts files below a folder."""

    def write(uri: str, content: bytes) -> None:
        path = folder / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return write
