"""Resolve the options of `extract` into the document that defines a run, and into its id."""

import json
import re
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from pipelines.capture import FRAMES_DTYPE, CaptureSpec, array_specs
from pipelines.models.delay import Alignment
from store.arrays.encodings import stored_as
from store.records import ArraySpec, ModelInfo


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
    codes_unit_clips: int
    """Of the codes that are read, where they were stored before for units of another size."""
    compression: Literal["none", "zstd"]
    resampler: str
    """As `pipelines.audio.resampling` names it: tokens of the finer codebooks depend on it."""
    melody_sha256: str | None = None
    """Of the recording whose melody conditions all clips."""
    melody_column: str = ""
    """Label that names a melody for each clip; the plan says which it was."""
    frames_dtype: str = FRAMES_DTYPE
    """As they are stored."""

    @property
    def has_codes(self) -> bool:
        """Whether the model runs over codes; an encoder hears the audio itself."""
        return self.model.codebooks > 0

    def document(self) -> dict[str, Any]:
        """The content of run.json, as JSON values."""
        of_codes = {"code_layout": "delayed", "codes": self.codes_key()} if self.has_codes else {}
        return {
            "kind": "activations",
            "mode": "forward",
            **of_codes,
            "dataset": {"name": self.dataset, "fingerprint": self.dataset_fingerprint},
            "clip_seconds": self.clip_seconds,
            "model": self.model.document(),
            "capture": self._capture_document(),
            "alignment": self.alignment.to_json(),
            "dtype": self.dtype,
            "text": self.text,
            "batch_clips": self.batch_clips,
            "threads": self.threads,
            "compression": self.compression,
            "resampler": self.resampler,
            **({} if self.frames_dtype == FRAMES_DTYPE else {"frames_dtype": self.frames_dtype}),
            **({} if self.melody_sha256 is None else {"melody_sha256": self.melody_sha256}),
            **({"melody_column": self.melody_column} if self.melody_column else {}),
        }

    def _capture_document(self) -> dict[str, Any]:
        document = asdict(self.capture)
        if "segments" not in self.capture.reductions:
            del document["segments"]
        return document

    def run_id(self) -> str:
        """Readable prefix and a hash over the whole document."""
        digest = _digest({**self.document(), "unit_clips": self.unit_clips})
        return f"{self.run_prefix()}{digest}"

    def run_prefix(self) -> str:
        """How the ids of all runs of this dataset and model begin."""
        return f"{self.dataset}-{slug(self.model.name)}-"

    def codes_key(self) -> str:
        """The name of the codes, "" of a model without.

        They depend on clips, resampler and codec alone: runs of other models and sites share them.
        """
        if not self.has_codes:
            return ""
        digest = _digest([self.dataset_fingerprint, self.clip_seconds, self.codes_unit_clips, self.resampler])
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
            **({} if self.model.channels == 1 else {"channels": self.model.channels}),
        }

    def arrays(self) -> list[ArraySpec]:
        """The arrays of the run."""
        specs = array_specs(self.model, self.capture, self.alignment.frames)
        whole = [replace(spec, compression=self.compression) for spec in specs]
        return [
            array
            for spec in whole
            for array in stored_as(spec, self.frames_dtype if "time" in spec.dimensions else spec.dtype)
        ]

    def codes_array(self) -> ArraySpec:
        """Codec tokens of every clip, before the delay pattern."""
        shape = (self.model.codebooks, self.alignment.frames)
        return ArraySpec("codes", ("codebook", "time"), shape, "int16")


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def slug(name: str) -> str:
    """The last part of a model's name or path, fit for a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name.rstrip("/").rsplit("/", 1)[-1]).strip("-").lower() or "model"
