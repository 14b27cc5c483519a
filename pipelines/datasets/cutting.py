"""Cuts recordings into clips; every file is read once, for its checksum and its length."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pipelines.audio.clips import probe
from pipelines.audio.files import Root
from pipelines.audio.header import AudioInfo
from pipelines.audio.recordings import opened_once
from pipelines.datasets.hearing import Heard, glance, listen
from store.errors import AudioError, InvalidInput, is_the_machines
from store.records import Clip, Failure, Recording, clip_id

_Result = tuple[list[Clip] | Failure, Heard]

LEAST_SECONDS = 0.05
"""Shorter clips have fewer codec frames than codebooks; a recording would be cut into millions of them."""


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """How the recordings of a dataset are cut."""

    dataset: str
    """Name of the dataset, part of every clip's id."""
    clip_seconds: float
    hop_seconds: float
    """From the start of one clip to the start of the next."""
    listen: bool = False
    """Whether every clip is decoded, to say what is wrong with it; else silence is told where it is cheap."""

    def __post_init__(self) -> None:
        for name in ("clip_seconds", "hop_seconds"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InvalidInput(f"{name} is {value}; it must be a positive number of seconds.")
            if value < LEAST_SECONDS:
                raise InvalidInput(
                    f"{name} is {value:g} s, and no model hears less than {LEAST_SECONDS:g} s at once."
                )


def cut(recording: Recording, info: AudioInfo, checksum: str, spec: ClipSpec) -> list[Clip]:
    """All whole clips of a recording, in order.

    Raises:
        AudioError: the recording is shorter than one clip.
    """
    # Half a sample of grace: 10 s of a rate that does not divide evenly may round down.
    usable_seconds = info.seconds + 0.5 / info.sample_rate
    if usable_seconds < spec.clip_seconds:
        raise AudioError(
            f"The recording lasts {info.seconds:.3f} s, shorter than one clip of {spec.clip_seconds:g} s; "
            "choose a smaller --clip-seconds to include it."
        )
    count = 1 + math.floor((usable_seconds - spec.clip_seconds) / spec.hop_seconds)
    starts = [round(index * spec.hop_seconds, 9) for index in range(count)]
    tail_seconds = round(max(0.0, info.seconds - starts[-1] - spec.clip_seconds), 6)
    return [
        Clip(
            clip_id=clip_id(spec.dataset, recording.uri, start, spec.clip_seconds),
            uri=recording.uri,
            start_seconds=start,
            duration_seconds=spec.clip_seconds,
            group=recording.group,
            split=recording.split,
            sha256=checksum,
            tail_seconds=tail_seconds,
            labels=recording.labels,
        )
        for start in starts
    ]


def _cut_recording(root: Root, recording: Recording, spec: ClipSpec) -> _Result:
    """Probe and cut one recording; whatever is wrong with its file becomes a failure."""
    try:
        file, digest = opened_once(root, recording.uri)
        with file:
            info = probe(file)
            clips = cut(recording, info, digest, spec)
            heard = listen(file, clips, sample_rate=info.sample_rate) if spec.listen else glance(file, clips)
            return clips, heard
    except Exception as error:  # whatever one file does to its reader must not stop the others
        if is_the_machines(error):
            raise
        message = (str(error) or type(error).__name__).replace(root.url, "").replace(root.public_url, "")
        return Failure(recording.uri, "probe", type(error).__name__, message, recording.uri), Heard()


def cut_recordings(
    root: Root,
    recordings: Iterable[Recording | Failure],
    spec: ClipSpec,
    *,
    threads: int = 4,
    heard: Heard | None = None,
) -> Iterator[list[Clip] | Failure]:
    """For each recording its clips or its failure, in order, however many threads read files.

    A bounded number of recordings is under way at once, so any number of them takes no more memory.
    What is heard of the clips is added to `heard`.
    """
    heard = Heard() if heard is None else heard
    window: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="probe") as pool:
        try:
            for recording in recordings:
                window.append(_submit(pool, root, recording, spec))
                if len(window) > 4 * threads:
                    yield _taken(window, heard)
            while window:
                yield _taken(window, heard)
        finally:
            for future in window:
                future.cancel()


def _taken(window: deque[Future[_Result]], heard: Heard) -> list[Clip] | Failure:
    """The next result; what was heard of it is added."""
    result, further = window.popleft().result()
    heard.add(further)
    return result


def _submit(
    pool: ThreadPoolExecutor, root: Root, recording: Recording | Failure, spec: ClipSpec
) -> Future[_Result]:
    if isinstance(recording, Recording):
        return pool.submit(_cut_recording, root, recording, spec)
    done: Future[_Result] = Future()
    done.set_result((recording, Heard()))
    return done
