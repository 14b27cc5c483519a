"""The specification of a generation as JSON values, and the id that is its hash."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.steering.edits import Manner
from store.results.parts import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.steering.edits import SteeredRows

RECIPE = 1
"""Counts changes of how generations are made: another number, other sounds and other ids."""


@dataclass(frozen=True, slots=True)
class AudioPrompt:
    """The beginning of a recording, which a generation continues: of a clip of a dataset, or of a file."""

    seconds: float
    start_seconds: float = 0.0
    clip_id: str | None = None
    sha256: str | None = None
    """Of the file."""


@dataclass(frozen=True, slots=True)
class EditSpec(Manner):
    """An edit by the id of its direction: what a generation is named by, and what its table tells."""

    vector_id: str
    alpha: float

    def __post_init__(self) -> None:
        _to_floats(self, "alpha", "weight")
        self.check(self.alpha)

    def document(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        document = {**asdict(self), "schedule": str(self.schedule)}
        if self.head is None:  # ids of edits of whole activations are made without it
            del document["head"]
        return document


@dataclass(frozen=True, slots=True)
class GenerationSpec:
    """Everything that decides what a generation sounds like, and nothing that does not."""

    model: str
    model_fingerprint: str
    codec_fingerprint: str
    seconds: float
    text: str = ""
    random_state: int = 0
    guidance: float = 3.0
    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0
    dtype: str = "float32"
    audio_prompt: AudioPrompt | None = None
    melody_sha256: str | None = None
    edits: tuple[EditSpec, ...] = ()
    rows: SteeredRows = "conditional"
    steer_prompt: bool = False

    def __post_init__(self) -> None:
        _to_floats(self, "seconds", "guidance", "temperature", "top_p")

    def document(self) -> dict[str, Any]:
        """A dictionary of JSON values."""
        return {**asdict(self), "edits": [edit.document() for edit in self.edits]}

    @property
    def generation_id(self) -> str:
        """A hash of all that matters: names and permissions do not, steering's options only with edits."""
        document = {**self.document(), "recipe": RECIPE}
        del document["model"]
        document["edits"] = [_essential(edit) for edit in document["edits"]]
        if not self.edits:
            del document["rows"], document["steer_prompt"]
        return digest_of(document)

    def twin(self) -> GenerationSpec:
        """The same generation, unsteered."""
        return replace(self, edits=(), rows="conditional", steer_prompt=False)


def _to_floats(record: object, *names: str) -> None:
    """2 and 2.0 mean the same, but not in JSON: an id must not depend on who wrote the number."""
    for name in names:
        object.__setattr__(record, name, float(getattr(record, name)))


def _essential(edit: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in edit.items() if name not in ("foreign", "away")}
