"""Resolves the options of `extract` into the document that defines a run, and into its id."""

import json
import re
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from pipelines.capture import CaptureSpec, array_specs
from pipelines.models.delay import Alignment
from store.errors import InvalidInput
from store.records import ArraySpec, Clip, Label, ModelInfo, PlannedClip


@dataclass(frozen=True, slots=True)
class ExtractionSpec:
    """Everything that decides the values of a run, and nothing that does not."""

    dataset: str
    dataset_fingerprint: str
    clip_seconds: float
    model: ModelInfo
    capture: CaptureSpec
    alignment: Alignment
    dtype: str
    text: str
    batch_clips: int
    threads: int
    unit_clips: int
    compression: Literal["none", "zstd"]
    resampler: str
    """As `pipelines.audio.resampling` names it: tokens of the finer codebooks depend on it."""

    def document(self) -> dict[str, Any]:
        """The content of run.json, as JSON values."""
        return {
            "kind": "activations",
            "mode": "forward",
            "code_layout": "delayed",
            "dataset": {"name": self.dataset, "fingerprint": self.dataset_fingerprint},
            "clip_seconds": self.clip_seconds,
            "model": asdict(self.model),
            "capture": self._capture_document(),
            "alignment": self.alignment.to_json(),
            "dtype": self.dtype,
            "text": self.text,
            "batch_clips": self.batch_clips,
            "threads": self.threads,
            "compression": self.compression,
            "codes": self.codes_key(),
            "resampler": self.resampler,
        }

    def _capture_document(self) -> dict[str, Any]:
        document = asdict(self.capture)
        if "segments" not in self.capture.reductions:
            del document["segments"]
        return document

    def run_id(self) -> str:
        """Readable prefix and a hash over the whole document."""
        digest = _digest({**self.document(), "unit_clips": self.unit_clips})
        return f"{self.dataset}-{slug(self.model.name)}-{digest}"

    def codes_key(self) -> str:
        """Codes depend on clips, resampler and codec alone: runs of other models and sites share them."""
        digest = _digest([self.dataset_fingerprint, self.clip_seconds, self.unit_clips, self.resampler])
        return f"{self.dataset}-{digest}-{self.model.codec_fingerprint[:10]}"

    def codes_document(self) -> dict[str, Any]:
        """The content of codes.json."""
        return {
            "kind": "codes",
            "dataset": {"name": self.dataset, "fingerprint": self.dataset_fingerprint},
            "clip_seconds": self.clip_seconds,
            "codec_fingerprint": self.model.codec_fingerprint,
            "sample_rate": self.model.sample_rate,
            "frame_rate": self.model.frame_rate,
            "codebook_size": self.model.codebook_size,
            "resampler": self.resampler,
        }

    def arrays(self) -> list[ArraySpec]:
        """The arrays of the run."""
        specs = array_specs(self.model, self.capture, self.alignment.frames)
        return [replace(spec, compression=self.compression) for spec in specs]

    def codes_array(self) -> ArraySpec:
        """Codec tokens of every clip, before the delay pattern."""
        shape = (self.model.codebooks, self.alignment.frames)
        return ArraySpec("codes", ("codebook", "time"), shape, "int16")


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def slug(name: str) -> str:
    """The last part of a model's name or path, fit for a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name.rstrip("/").rsplit("/", 1)[-1]).strip("-").lower() or "model"


def template_fields(template: str) -> list[str]:
    """Names of the labels a text template uses.

    Raises:
        InvalidInput: the braces do not match.
    """
    try:
        fields = [parts[1:] for parts in string.Formatter().parse(template) if parts[1] is not None]
    except ValueError as error:
        raise InvalidInput(f"Text template {template!r} cannot be read: {error}.") from error
    if any(not name or form or conversion for name, form, conversion in fields):
        raise InvalidInput(f"Text template {template!r}: write label names in plain braces, like {{genre}}.")
    return [str(name) for name, _, _ in fields]


def planned(clip: Clip, template: str) -> PlannedClip:
    """A clip as the plan lists it, with its text condition.

    Raises:
        InvalidInput: the template names a label that the clip lacks.
    """
    labels: Mapping[str, Label] = clip.labels
    missing = [name for name in template_fields(template) if labels.get(name) is None]
    if missing:
        raise InvalidInput(
            f"Text template {template!r} needs {missing[0]!r}, which clip {clip.clip_id} ({clip.uri}) lacks; "
            f"its labels are {', '.join(sorted(labels)) or 'none'}."
        )
    text = template
    for name in template_fields(template):
        text = text.replace(f"{{{name}}}", str(labels[name]))
    return PlannedClip(clip.clip_id, clip.uri, clip.start_seconds, clip.duration_seconds, text, clip.sha256)
