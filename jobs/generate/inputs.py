"""Read the recordings that a generation continues or follows."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from jobs.generate.specification import AudioPrompt
from pipelines.audio.clips import decode_clip, probe
from pipelines.audio.files import Root
from store.errors import AudioError, InvalidInput, NotFound
from store.records import PlannedClip

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

USUAL_SECONDS = 5.0


def read_prompt(
    path: Path, *, start_seconds: float, seconds: float | None, sample_rate: int, channels: int = 1
) -> tuple[AudioPrompt, NDArray[np.float32]]:
    """A stretch of a recording, (samples,) or (samples, channels), and what identifies it.

    Args:
        path: Of the recording.
        start_seconds: Where the stretch begins.
        seconds: Its length; None: USUAL_SECONDS, or what the recording has.
        sample_rate: Of the result, per second.
        channels: That the model hears.

    Raises:
        InvalidInput: Start or length are not legal, or the recording is shorter.
        AudioError: The recording is damaged.
        NotFound: There is no such file.
    """
    if not start_seconds >= 0 or not (seconds is None or seconds > 0):
        raise InvalidInput(
            f"An audio prompt from {start_seconds:g} s on, {seconds:g} s long, is not possible: it begins at "
            f"0 or later and is longer than nothing."
        )
    present = _seconds(path) - start_seconds
    seconds = min(USUAL_SECONDS, present) if seconds is None else seconds
    if present <= 0 or seconds > present + 1 / sample_rate:
        raise InvalidInput(
            f"{path} is {present + start_seconds:.2f} s long: no audio prompt of {max(seconds, 0):g} s "
            f"begins at {start_seconds:g} s. Choose another start or length: --audio-start and "
            "--audio-seconds, in a sweep audio_seconds."
        )
    samples = _decode(path, start_seconds, seconds, sample_rate, channels)
    return AudioPrompt(seconds, start_seconds, sha256=_digest(path)), samples


def read_melody(path: Path, *, sample_rate: int) -> tuple[str, NDArray[np.float32]]:
    """A whole recording, (samples,), its channels mixed, and the hash of its file.

    Raises:
        AudioError: It is damaged, or no audio.
        NotFound: There is no such file.
    """
    return _digest(path), read_recording(path, sample_rate=sample_rate)


def read_recording(path: Path, *, sample_rate: int, channels: int = 1) -> NDArray[np.float32]:
    """A whole recording, (samples,) or (samples, channels); raises as `read_melody`."""
    return _decode(path, 0.0, _seconds(path), sample_rate, channels)


def _seconds(path: Path) -> float:
    if not path.expanduser().is_file():
        raise NotFound(f"There is no file {path}.")
    with _root(path).open(path.name) as file:
        try:
            return probe(file).seconds
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from error


def _decode(
    path: Path, start: float, seconds: float, sample_rate: int, channels: int = 1
) -> NDArray[np.float32]:
    clip = PlannedClip("", path.name, start, seconds)
    return decode_clip(_root(path), clip, sample_rate=sample_rate, channels=channels)


def _root(path: Path) -> Root:
    return Root(str(path.expanduser().absolute().parent))


def _digest(path: Path) -> str:
    return sha256(path.expanduser().read_bytes()).hexdigest()
