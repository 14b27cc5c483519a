"""Render datasets: choose the clips, write their files, list their labels.

A clip is a function of (concept, seed, index) alone. A larger dataset therefore begins with the same files,
and any part of it can be rendered again to the same bytes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.synthesis.concepts import Concept, Specimen
from pipelines.synthesis.songs import BANDS, Band
from pipelines.synthesis.style_concept import style_concept
from pipelines.synthesis.synthesizer import render_score
from pipelines.synthesis.theory_concepts import theory_concepts
from store.errors import InvalidInput
from store.records import Recording

# A salt for which every split has every metre, and 64, 14 and 14 of the 92 instruments from many families.
SALT = "undertone 958"
TRAIN, VALIDATION = 0.70, 0.15


def split_of(group: str) -> str:
    """Returns "train" (70 %), "validation" (15 %) or "test" (15 %)."""
    digest = sha256(f"{SALT}\n{group}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return "train" if place < TRAIN else "validation" if place < TRAIN + VALIDATION else "test"


LABELS = {
    "concept": "name of the concept that the clip was rendered for",
    "caption": "the clip in words; names its labels, so never a text condition for probing them",
    "root": "note name of the note, or of the interval's, scale's or chord's root",
    "octave": "of notes: 0 … 8, where octave 0 begins at MIDI pitch 0",
    "pitch": "of notes: MIDI number",
    "interval": "name of the interval",
    "interval_semitones": "its size, 1 … 12",
    "direction": "of intervals and scales: up, down, unison (together)",
    "scale": "church mode of the scale",
    "chord_quality": "major, minor, augmented, diminished",
    "inversion": "of chords: root, first, second",
    "progression": 'mode and degrees of a chord progression, as "major 1-4-5-1"',
    "key": "note name of the tonic of progressions and styles",
    "mode": "major or minor: of the key",
    "tempo_bpm": "quarter notes per minute",
    "time_signature": 'as "6/8"',
    "beats_per_bar": "its upper number",
    "beat_unit": "its lower number",
    "compound": "whether its beats fall in threes",
    "click": "sound of the metronome",
    "reverb": "room of the metronome: dry, room, hall",
    "style": "rock, jazz, classical, electronic",
    "instrument": "General-MIDI name of the only instrument, or the lead instrument of a style",
    "instrument_family": "General-MIDI family of the instrument",
    "program": "General-MIDI number of the instrument, 0 … 127",
    "texture": "of styles: thin (lead and chords), full (and bass), lush (and held harmony)",
    "drums": "of styles: whether drums play",
    "drum_pattern": "of styles with drums: the pattern's style",
    "drum_kit": "of styles with drums: name of the kit",
    "comping": "of styles: General-MIDI name of the instrument that plays the chords",
    "song": "of styles: number of the composition; renderings of one share key, mode, tempo and notes",
}


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
