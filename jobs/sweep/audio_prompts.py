"""Audio prompts of a sweep: beginnings of recordings that its generations continue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.dataset.roots import resolve_root
from jobs.generate.inputs import read_prompt
from jobs.generate.specification import AudioPrompt
from pipelines.audio.recordings import Recordings
from store.catalog.asking import Catalog
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.records import PlannedClip

CLIP = "clip:"
"""Before the id, or the beginning of the id, of a clip; everything else is the path of a file."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptSound:
    """What identifies an audio prompt in a generation, and its samples."""

    prompt: AudioPrompt
    samples: NDArray[np.float32]
    """(samples,), mono, at the model's rate."""


def read_audio_prompts(
    store: Store, names: Iterable[str], *, seconds: float, sample_rate: int, roots: Sequence[str]
) -> dict[str, PromptSound]:
    """Audio prompts by the names that a sweep's file gives them.

    Args:
        store: where the clips are listed.
        names: "clip:ID", or the path of a recording.
        seconds: length of each, from its beginning.
        sample_rate: of the model.
        roots: where datasets have their audio, as NAME=PATH.

    Raises:
        NotFound: there is no such clip or file.
        AudioError: a recording is damaged or ends before.
    """
    found = {}
    for name in dict.fromkeys(names):
        if name.startswith(CLIP):
            found[name] = _of_clip(store, name.removeprefix(CLIP), seconds, sample_rate, roots)
        else:
            path = Path(name).expanduser()
            prompt, samples = read_prompt(path, start_seconds=0.0, seconds=seconds, sample_rate=sample_rate)
            found[name] = PromptSound(prompt, samples)
    return found


def _of_clip(
    store: Store, beginning: str, seconds: float, sample_rate: int, roots: Sequence[str]
) -> PromptSound:
    clip = _find_clip(store, beginning)
    if clip["duration_seconds"] < seconds:
        raise InvalidInput(
            f"Clip {clip['clip_id']} lasts {clip['duration_seconds']:g} s, and audio_seconds = {seconds:g} "
            "is more: write a shorter one."
        )
    planned = PlannedClip(
        clip["clip_id"], clip["uri"], clip["start_seconds"], seconds, sha256=clip["sha256"] or ""
    )
    root = resolve_root(store, store.dataset(clip["dataset"]), roots)
    samples = Recordings(root, sample_rate=sample_rate).decode(planned)
    return PromptSound(AudioPrompt(seconds, 0.0, clip["clip_id"], clip["sha256"]), samples)


def _find_clip(store: Store, beginning: str) -> Mapping[str, Any]:
    if not beginning.replace("-", "").replace("_", "").isalnum():
        raise InvalidInput(f"{CLIP}{beginning} is no id of a clip; see clip_id in the view clips.")
    query = (
        "SELECT DISTINCT clip_id, dataset, uri, start_seconds, duration_seconds, sha256 FROM clips "
        "WHERE starts_with(clip_id, $beginning) LIMIT 2"
    )
    rows = Catalog.of(store).rows(query, beginning=beginning)
    if not rows:
        raise NotFound(f"The store has no clip whose id begins with {beginning!r}; see the view clips.")
    if len(rows) > 1:
        raise InvalidInput(f"Several clips have ids that begin with {beginning!r}: write more of it.")
    return rows[0]
