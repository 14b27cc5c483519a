"""Store the activations of generations as a run whose mode is "generate"."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.extract.spec import slug
from pipelines.capture import array_specs
from store.records import ClipStatus, PlannedClip
from store.results.parts import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.generate.specification import GenerationSpec
    from pipelines.capture import CaptureSpec
    from pipelines.generation.generate import GeneratedAudio
    from pipelines.models.protocol import LoadedModel
    from store.opening import Store

DATASET = "generations"
"""Stands for a dataset in the run: its clips are generations, a clip_id being a generation_id."""


def write_captured(
    store: Store,
    model: LoadedModel,
    capture: CaptureSpec,
    generations: Sequence[tuple[GenerationSpec, GeneratedAudio]],
) -> str:
    """Store the activations that generations of equal length brought along; returns the run's id.

    Raises:
        Conflict: Another run has that id.
    """
    document = _document(model, capture, generations)
    clips = [_clip(spec) for spec, _ in generations]
    ids = [clip.clip_id for clip in clips]
    run_id = f"{DATASET}-{slug(model.info.name)}-{digest_of([document, ids])[:10]}"
    frames = generations[0][1].codes.shape[-1]
    run = store.create_run(
        run_id,
        document=document,
        arrays=array_specs(model.info, capture, frames),
        clips=clips,
        unit_clips=len(clips),
    )
    for unit in run.missing_units():
        with run.begin(unit, provenance=dict(generations[0][1].provenance)) as pending:
            for name, array in run.arrays.items():
                rows = np.stack([generated.activations[name] for _, generated in generations])
                pending.add(name, 0, rows.astype(array.dtype))
            pending.commit([ClipStatus(clip_id, "ok") for clip_id in ids], {})
    run.note_complete()
    return run_id


def _document(
    model: LoadedModel,
    capture: CaptureSpec,
    generations: Sequence[tuple[GenerationSpec, GeneratedAudio]],
) -> dict[str, Any]:
    spec, generated = generations[0]
    return {
        "kind": "activations",
        "mode": "generate",
        "code_layout": "delayed",
        "dataset": {"name": DATASET, "fingerprint": digest_of([one.generation_id for one, _ in generations])},
        "clip_seconds": spec.seconds,
        "model": model.info.document(),
        "capture": {name: value for name, value in asdict(capture).items() if name != "segments"}
        | ({"segments": capture.segments} if "segments" in capture.reductions else {}),
        "alignment": model.alignment(generated.codes.shape[-1]).to_json(),
        "dtype": spec.dtype,
        "rows": "conditional, after edits",
    }


def _clip(spec: GenerationSpec) -> PlannedClip:
    from jobs.generate.records import audio_key

    return PlannedClip(spec.generation_id, audio_key(spec.generation_id), 0.0, spec.seconds, spec.text)
