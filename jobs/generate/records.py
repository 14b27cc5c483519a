"""Store generations: audio/<generation_id>.flac, and rows of results/generations."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from hashlib import md5
from importlib.metadata import version
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import soundfile

from pipelines.steering.edits import MANNER
from store.catalog.asking import Catalog
from store.errors import CorruptData
from store.objects.ledger import Entry, place
from store.results.generated_audio import read_sound_file
from store.results.parts import write_results
from store.results.sounds import GENERATIONS, GenerationRow
from store.results.table import now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from jobs.generate.specification import EditSpec, GenerationSpec
    from pipelines.generation.generate import GeneratedAudio
    from store.opening import Store

KIND = GENERATIONS.kind
_FLAC_MD5 = slice(26, 42)


def audio_key(generation_id: str) -> str:
    """Where the sound of a generation lies in a store."""
    return f"audio/{generation_id}.flac"


def _place_audio(store: Store, spec: GenerationSpec, generated: GeneratedAudio) -> Entry:
    """Write the sound of a generation, for a record to name."""
    sound = encoded_audio(generated.audio, generated.sample_rate, spec, format_="FLAC")
    return place(store.objects, audio_key(spec.generation_id), sound, sound=is_whole_flac)


def is_whole_flac(data: bytes) -> bool:
    """Whether a 16-bit FLAC decodes to the samples whose MD5 stands in its head."""
    try:
        samples, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    except (soundfile.SoundFileError, OSError, ValueError):
        return False
    return data[_FLAC_MD5] == md5(samples.astype("<i2").tobytes(), usedforsecurity=False).digest()


def encoded_audio(
    samples: NDArray[np.float32], sample_rate: int, spec: GenerationSpec, *, format_: str
) -> bytes:
    """A 16-bit sound file with the specification in its tags.

    Args:
        samples: (samples,) or (samples, channels); beyond ±1 they are clipped.
        sample_rate: Per second.
        spec: What it is.
        format_: "FLAC" or "WAV".
    """
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", sample_rate, 1 if samples.ndim == 1 else samples.shape[1], "PCM_16", format=format_
    ) as file:
        file.title = spec.text or "no text"
        file.software = f"undertone {version('undertone')}"
        file.comment = json.dumps({"generation_id": spec.generation_id, **spec.document()})
        file.write(_as_integers(samples))
    return buffer.getvalue()


def _as_integers(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Rounded here: libsndfile does it differently for each format."""
    return np.round(np.clip(samples, -1.0, 1.0) * np.iinfo(np.int16).max).astype(np.int16)


def read_sound(store: Store, generation_id: str) -> tuple[NDArray[np.float32], int]:
    """Samples of a stored generation, (samples,) or (samples, 2), and how many a second has.

    Raises as `opened_sound`.
    """
    with opened_sound(store, generation_id) as file:
        integers = file.read(dtype="int16")
        return integers / np.float32(np.iinfo(np.int16).max), int(file.samplerate)


@contextmanager
def opened_sound(store: Store, generation_id: str) -> Iterator[Any]:
    """The sound of a stored generation as an open `soundfile.SoundFile`.

    Raises:
        NotFound: there is none.
        CorruptData: what is stored is no sound.
    """
    key = audio_key(generation_id)
    data = read_sound_file(store.objects, key)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            yield file
    except soundfile.SoundFileError as error:
        raise CorruptData(
            f"{store.url}/{key} is no sound that can be read: it was damaged or replaced. "
            f"{made_again(store, generation_id)}"
        ) from error


def made_again(store: Store, generation_id: str) -> str:
    """How a stored sound is made again: its record goes with it, else nothing could be written there."""
    return (
        f"Delete {store.url}/{audio_key(generation_id)}, run `undertone repair {quote(store.url)}`, then "
        "generate it again: equal options give an equal sound."
    )


def write_audio_file(
    path: Path, spec: GenerationSpec, samples: NDArray[np.float32], sample_rate: int
) -> None:
    """Write the sound where a user wants it: FLAC, or WAV by the ending of the name."""
    format_ = "WAV" if path.suffix.lower() == ".wav" else "FLAC"
    path.write_bytes(encoded_audio(samples, sample_rate, spec, format_=format_))


def write_generations(store: Store, generations: Sequence[tuple[GenerationSpec, GeneratedAudio]]) -> str:
    """Write the sounds of some generations, then their rows as one part, then the record that names all.

    Returns the name of the part.
    """
    specification = part_specification(spec.generation_id for spec, _ in generations)
    sounds = [_place_audio(store, *one) for one in generations]
    return write_results(store, KIND, specification, generations_table(generations), sounds=sounds)


def part_specification(generation_ids: Iterable[str]) -> dict[str, Any]:
    """What decides the name of the part of these generations."""
    return {"kind": KIND, "generations": sorted(generation_ids)}


def generations_table(generations: Sequence[tuple[GenerationSpec, GeneratedAudio]]) -> pa.Table:
    """Rows for results/generations."""
    return GENERATIONS.of(row_of(spec, generated) for spec, generated in generations)


def row_of(spec: GenerationSpec, generated: GeneratedAudio) -> GenerationRow:
    """One row of results/generations."""
    prompt = spec.audio_prompt
    return GenerationRow(
        generation_id=spec.generation_id,
        twin_id=spec.twin().generation_id if spec.edits else None,
        model=spec.model,
        model_fingerprint=spec.model_fingerprint,
        text=spec.text,
        seconds=spec.seconds,
        random_state=spec.random_state,
        guidance=spec.guidance,
        temperature=spec.temperature,
        top_k=spec.top_k,
        top_p=spec.top_p,
        prompt_seconds=prompt.seconds if prompt else None,
        prompt_clip_id=prompt.clip_id if prompt else None,
        steered=any(edit.alpha or edit.kind == "ablate" for edit in spec.edits),
        **_steering_columns(spec),
        specification=json.dumps(spec.document()),
        audio=audio_key(spec.generation_id),
        sample_rate=generated.sample_rate,
        peak=float(np.abs(generated.audio).max(initial=0.0)),
        device=generated.provenance["device"],
        torch=generated.provenance["torch"],
        created_at=now(),
    )


def stored_generations(store: Store) -> set[str]:
    """Ids of all generations in the store."""
    catalog = Catalog.of(store)
    if not catalog.has(KIND):
        return set()
    return set(catalog.ask("SELECT generation_id FROM generations")["generation_id"].to_pylist())


def _steering_columns(spec: GenerationSpec) -> dict[str, Any]:
    """What edits say; nothing where there are none."""
    edits = spec.edits
    if not edits:
        return {}
    return {
        "rows": spec.rows,
        "steer_prompt": spec.steer_prompt,
        "layers": [edit.layer for edit in edits],
        "vector_ids": [edit.vector_id for edit in edits],
        "alphas": [edit.alpha * edit.weight for edit in edits],
        **{name: _joined(edits, name) for name in MANNER if name in GENERATIONS.columns},
    }


def _joined(edits: Sequence[EditSpec], name: str) -> str | None:
    """What edits say of a field, each thing once; None where all leave it out."""
    values = (getattr(edit, name) for edit in edits)
    return "+".join(dict.fromkeys(str(value) for value in values if value is not None)) or None
