"""Cut recordings into clips; every file is read once, for its checksum and its length."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from pipelines.audio.clips import probe
from pipelines.audio.file_states import FileState, FileStates
from pipelines.audio.files import Root
from pipelines.audio.header import AudioInfo
from pipelines.audio.pcm import tells_its_length
from pipelines.audio.recordings import opened_once
from pipelines.datasets.clip_checks import FlawedClips, check_beginnings, check_whole
from store.errors import AudioError, InvalidInput, is_the_machines
from store.records import Clip, Failure, Recording, clip_id

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
    trust_etag: bool = False
    """Whether a bucket's ETag stands for a file's content, where a header tells its length."""

    def __post_init__(self) -> None:
        for name in ("clip_seconds", "hop_seconds"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InvalidInput(f"{name} is {value}; it must be a positive number of seconds.")
            if value < LEAST_SECONDS:
                raise InvalidInput(
                    f"{name} is {value:g} s, and no model takes less than {LEAST_SECONDS:g} s at once."
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
            "choose shorter clips (--clip-seconds, in Python clip_seconds) to include it."
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


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is to know of a recording's file, whatever its labels."""

    uri: str
    state: FileState | None
    """Of the file just before it was read; None where nothing is said of it."""
    content: str = ""
    """SHA-256 of its bytes in hexadecimal; or, where they were not all read, its `etag:…`."""
    info: AudioInfo | None = None
    failure: Failure | None = None
    """Why there are no clips."""
    flawed: FlawedClips = field(default_factory=FlawedClips)
    known: bool = False
    """Whether it was known before, and the file was not read."""

    @property
    def lasts(self) -> bool:
        """Whether it holds for as long as the file stays in this state: trouble on the way there may pass."""
        is_of_the_file = self.failure is None or self.failure.error == AudioError.__name__
        return is_of_the_file and self.state is not None and bool(self.state.stamp)


Find = Callable[[str, FileState], Measured | None]
"""What is known already of a file in this state."""
Measure = Callable[[Root, str, "ClipSpec", FileState | None], Measured]


def measure(root: Root, uri: str, spec: ClipSpec, state: FileState | None) -> Measured:
    """Read one file; whatever is wrong with it becomes a failure."""
    try:
        if spec.trust_etag and state is not None and (etag := state.etag) is not None and not spec.listen:
            with root.open(uri, reading="ends") as file:
                if tells_its_length(file):
                    info = probe(file)
                    cut(Recording(uri, uri), info, etag, spec)
                    return Measured(uri, state, etag, info)
        file, digest = opened_once(root, uri)
        with file:
            info = probe(file)
            clips = cut(Recording(uri, uri), info, digest, spec)
            flawed = (
                check_whole(file, clips, sample_rate=info.sample_rate)
                if spec.listen
                else check_beginnings(file, clips)
            )
            return Measured(uri, state, digest, info, None, flawed)
    except Exception as error:  # whatever one file does to its reader must not stop the others
        if is_the_machines(error):
            raise
        message = (str(error) or type(error).__name__).replace(root.url, "").replace(root.public_url, "")
        return Measured(uri, state, failure=Failure(uri, "probe", type(error).__name__, message, uri))


def cut_measured(recording: Recording, measured: Measured, spec: ClipSpec) -> list[Clip] | Failure:
    """The clips of a recording whose file was measured, or its failure."""
    if measured.info is None:
        return measured.failure or Failure(recording.uri, "probe", "AudioError", "unknown", recording.uri)
    return cut(recording, measured.info, measured.content, spec)


def measured_recordings(
    root: Root,
    recordings: Iterable[Recording | Failure],
    spec: ClipSpec,
    *,
    threads: int = 4,
    find: Find | None = None,
    measure: Measure = measure,
) -> Iterator[tuple[Recording, Measured] | Failure]:
    """Each recording with its file, measured or known, in order, however many threads read files.

    A bounded number of recordings is under way at once, so any number of them takes no more memory.

    Args:
        root: where the files are.
        recordings: failures among them are handed on.
        spec: how they will be cut.
        threads: files at once.
        find: what is known already.
        measure: reads a file, here or on another machine.
    """
    states = FileStates(root)

    def found_or_measured(recording: Recording | Failure) -> tuple[Recording, Measured] | Failure:
        if isinstance(recording, Failure):
            return recording
        state = states.state(recording.uri)
        known = find(recording.uri, state) if find is not None and state is not None else None
        return recording, known or measure(root, recording.uri, spec, state)

    window: deque[Future[tuple[Recording, Measured] | Failure]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="probe") as pool:
        try:
            for recording in recordings:
                window.append(pool.submit(found_or_measured, recording))
                if len(window) > 4 * threads:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:
            for future in window:
                future.cancel()


def cut_recordings(
    root: Root, recordings: Iterable[Recording | Failure], spec: ClipSpec, *, threads: int = 4
) -> Iterator[list[Clip] | Failure]:
    """For each recording its clips or its failure, in order."""
    for result in measured_recordings(root, recordings, spec, threads=threads):
        yield result if isinstance(result, Failure) else cut_measured(*result, spec)
