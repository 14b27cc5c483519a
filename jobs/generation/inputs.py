"""Sounds that a generation begins with or follows, read from files."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from jobs.generation.specification import AudioPrompt
from pipelines.audio import decode_clip, probe
from pipelines.files import Root
from store.errors import InvalidInput
from store.records import PlannedClip

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


def read_prompt(
    path: Path, *, start_seconds: float, seconds: float, sample_rate: int
) -> tuple[AudioPrompt, NDArray[np.float32]]:
    """A stretch of a recording, (samples,), and what identifies it.

    Raises:
        InvalidInput: Start or length are not legal.
        AudioError: The recording is damaged or ends before.
        NotFound: There is no such file.
    """
    if seconds <= 0 or start_seconds < 0:
        raise InvalidInput(
            f"An audio prompt from {start_seconds:g} s on, {seconds:g} s long, is not possible: it begins at "
            f"0 or later and is longer than nothing."
        )
    samples = _decode(path, start_seconds, seconds, sample_rate)
    return AudioPrompt(seconds, start_seconds, sha256=_digest(path)), samples


def read_melody(path: Path, *, sample_rate: int) -> tuple[str, NDArray[np.float32]]:
    """A whole recording, (samples,), and the hash of its file.

    Raises:
        AudioError: It is damaged, or no audio.
        NotFound: There is no such file.
    """
    with _root(path).open(path.name) as file:
        seconds = probe(file).seconds
    return _digest(path), _decode(path, 0.0, seconds, sample_rate)


def _decode(path: Path, start: float, seconds: float, sample_rate: int) -> NDArray[np.float32]:
    return decode_clip(_root(path), PlannedClip("", path.name, start, seconds), sample_rate=sample_rate)


def _root(path: Path) -> Root:
    return Root(str(path.expanduser().absolute().parent))


def _digest(path: Path) -> str:
    return sha256(path.expanduser().read_bytes()).hexdigest()
