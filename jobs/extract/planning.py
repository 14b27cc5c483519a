"""Resolve the options of an extraction against its dataset and its model."""

from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.extract.cutting import cut
from jobs.extract.options import DEFAULT_SITES, ExtractOptions
from jobs.extract.spec import ExtractionSpec
from jobs.extract.texts import planned_clips, with_melodies
from jobs.generate.inputs import read_melody
from jobs.places import parse_layers, parse_reductions, parse_sites
from jobs.terminal import waiting
from pipelines.audio.resampling import resampler
from pipelines.capture import CaptureSpec
from pipelines.models.delay import alignment_for
from pipelines.models.named import check_weights, describe_model
from store import Dataset, Store, open_store
from store.arrays.collection import UNIT_CLIPS
from store.errors import InvalidInput
from store.records import ModelInfo, Site

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
STORE_DTYPES = {**DTYPES, "int8": "int8"}


@dataclass(frozen=True, slots=True)
class Extraction:
    """A resolved extraction, ready to run."""

    options: ExtractOptions
    store: Store
    dataset: Dataset
    spec: ExtractionSpec
    clips: pa.Table
    """All clips as the plan lists them (`store.arrays.plan.CLIP_SCHEMA`)."""
    melody: NDArray[np.float32] | None = None
    """Samples (samples,) at the model's rate that condition all clips."""


def resolve(options: ExtractOptions) -> Extraction:
    """Turn options into a specification.

    Raises:
        UndertoneError: an option does not fit the dataset or the model.
    """
    waiting.tell("reading the dataset and what the model is made of")
    store = open_store(options.store)
    dataset = store.dataset(options.dataset)
    info = describe_model(options.named_model)
    if (
        options.model_file is None and Path(options.model).is_dir()
    ):  # a store names no paths of the machine it was made on
        info = replace(info, name=Path(options.model).resolve().name)
    clip_seconds = float(dataset.info["clip_seconds"])
    if clip_seconds > info.max_seconds:
        raise InvalidInput(
            f"Clips of dataset {dataset.name!r} last {clip_seconds:g} s; {info.name} takes at most "
            f"{info.max_seconds:g} s. Add the dataset again with a shorter --clip-seconds."
        )
    capture = CaptureSpec(
        sites=_sites(options.sites, info),
        layers=parse_layers(options.layers, info.layers),
        reductions=parse_reductions(options.reduce),
        segments=options.segments,
    )
    if options.store_dtype != "fp16" and "frames" not in capture.reductions:
        raise InvalidInput(
            f"--store-dtype {options.store_dtype} is of frames, and none are stored: add --reduce frames, or "
            "leave it out."
        )
    if options.text and not info.takes_text:
        raise InvalidInput(f"{info.name!r} takes no text: leave out --text.")
    melody_sha256, melody = _melody(options, info)
    check_weights(options.named_model, last_block=capture.last_block(info))
    spec = ExtractionSpec(
        dataset=dataset.name,
        dataset_fingerprint=dataset.origin,
        clip_seconds=clip_seconds,
        model=info,
        capture=capture,
        alignment=alignment_for(info, clip_seconds),
        dtype=DTYPES[options.dtype],
        text=options.text,
        batch_clips=options.batch_clips,
        threads=options.threads,
        unit_clips=options.unit_clips or UNIT_CLIPS,
        codes_unit_clips=options.unit_clips or UNIT_CLIPS,
        compression=options.compression,
        resampler=resampler(),
        melody_sha256=melody_sha256,
        melody_column=options.melody_column,
        frames_dtype=STORE_DTYPES[options.store_dtype],
    )
    clips = planned_clips(dataset, options.text)
    if options.melody_column:
        clips = with_melodies(clips, dataset, options.melody_column)
    if not len(clips):
        raise InvalidInput(
            f"Dataset {dataset.name!r} has no clips; the view `failures` says why "
            f"(`undertone sql {quote(options.store)} 'FROM failures'`)."
        )
    spec = cut(spec, store.objects, clips, most=options.unit_clips)
    return Extraction(options, store, dataset, spec, clips, melody)


def _melody(options: ExtractOptions, info: ModelInfo) -> tuple[str | None, NDArray[np.float32] | None]:
    """Hash and samples of the melody that was asked for, as long at most as the model was trained for."""
    if options.melody is None and not options.melody_column:
        return None, None
    if not info.melody:
        option = "--melody-column" if options.melody_column else "--melody"
        raise InvalidInput(
            f"{option}: {info.name!r} takes no melody; use one that does, such as facebook/musicgen-melody."
        )
    if options.melody is None:
        return None, None
    if options.melody_column:
        raise InvalidInput(
            "--melody is one for all clips, --melody-column one for each: give one of the two."
        )
    digest, samples = read_melody(options.melody, sample_rate=info.sample_rate)
    return digest, samples[: round(info.max_seconds * info.sample_rate)]


def _sites(text: str, info: ModelInfo) -> tuple[Site, ...]:
    """The sites that were asked for; where nobody chose, and the model names its sites otherwise, all."""
    named = parse_sites(text, info.site_names)
    is_default = text == DEFAULT_SITES
    return info.site_names if is_default and not set(named) <= set(info.site_names) else named
