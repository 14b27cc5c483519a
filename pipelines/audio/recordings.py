"""Recordings whose checksum is compared with the dataset's before they are decoded; each is fetched once."""

import threading
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, BinaryIO, cast
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.clips import ClipReader
from pipelines.audio.file_states import ETAG, FileStates, agrees_with_etag
from pipelines.audio.files import Root
from store.errors import AudioError, NotFound
from store.records import PlannedClip

BLOCK_BYTES = 2**20
REMEMBERED = 1024
"""Recordings whose checksum is kept: clips of one recording follow each other in a plan."""
OPEN = 8
"""Recordings that are open at a time; of a URL, so many lie on this machine."""


@dataclass(slots=True, weakref_slot=True)
class _Known:
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the file is read, so that threads that want it together read it once."""
    checksum: str | None = None
    same: dict[str, bool] = field(default_factory=dict)
    """Whether the file is the one that a bucket gave this ETag."""
    file: BinaryIO | None = None
    reader: ClipReader | None = None
    """Goes on where the last clip ended."""

    def close(self) -> None:
        """Let go of the decoder, the file and the copy."""
        if self.reader is not None:
            self.reader.close()
        if self.file is not None:
            self.file.close()
        self.reader = self.file = None


class Recordings:
    """Decodes clips from a root, reading each recording once for its checksum and once for all its clips.

    That is so while the clips of a recording follow each other, as they do in a plan. Threads may share it.
    """

    def __init__(self, root: Root, *, sample_rate: int, channels: int = 1) -> None:
        self._root = root
        self._channels = channels
        self._sample_rate = sample_rate
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def decode(self, clip: PlannedClip) -> NDArray[np.float32]:
        """One clip as float32 at the rate given, (samples,), or (samples, 2) where two channels are wanted.

        Raises:
            AudioError: the clip cannot be decoded, or the file is not the one that was added.
            NotFound: there is no such file.
        """
        known = self._entry(clip.uri)
        with known.lock:
            self._open(clip.uri, known, to_hash=bool(clip.sha256))
            if not self._is_same(clip, known):
                raise AudioError(
                    f"{clip.uri!r} has changed since the dataset was added: put the old file back, accept "
                    "the new one with --retry-failed, or add the files as a new dataset."
                )
            assert known.reader is not None
            stretch = known.reader.read(clip, sample_rate=self._sample_rate, channels=self._channels)
        return stretch.resampled()

    def _is_same(self, clip: PlannedClip, known: _Known) -> bool:
        """Whether the open file is the one that was added, as far as anybody can tell."""
        if not clip.sha256.startswith(ETAG):
            return clip.sha256 in ("", known.checksum)
        if clip.sha256 not in known.same:
            state = FileStates(self._root).state(clip.uri)
            if state is not None and state.etag is not None:
                known.same[clip.sha256] = state.etag == clip.sha256
            elif known.file is not None:
                known.same[clip.sha256] = agrees_with_etag(known.file, clip.sha256) is not False
        return known.same.get(clip.sha256, False)

    def checksum_now(self, uri: str) -> str | None:
        """SHA-256 of a recording's file as it is now; None where it cannot be read."""
        known = self._entry(uri)
        try:
            with known.lock:
                self._open(uri, known, to_hash=True)
                return known.checksum
        except (NotFound, OSError):
            return None

    def _entry(self, uri: str) -> _Known:
        """What is known of a recording; older ones are forgotten, and closed before that."""
        with self._lock:
            known = self._known.setdefault(uri, _Known())
            self._known.move_to_end(uri)
            idle = list(self._known.values())[:-OPEN]
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        for old in idle:
            if old.file is not None and old.lock.acquire(blocking=False):  # else it is read just now
                old.close()
                old.lock.release()
        return known

    def _open(self, uri: str, known: _Known, *, to_hash: bool) -> None:
        """Open a recording that is not; the caller holds its lock."""
        if known.file is not None and (known.checksum or not to_hash):
            return
        known.close()
        if self._root.is_local and (known.checksum or not to_hash):
            known.file = self._root.open(uri)
        else:
            known.file, known.checksum = opened_once(self._root, uri)
        finalize(known, known.file.close)
        known.reader = ClipReader(known.file)


def opened_once(root: Root, uri: str) -> tuple[BinaryIO, str]:
    """A recording, to be read as often as one likes, and its SHA-256 in hexadecimal.

    One behind a URL travels once, in order, to a temporary file that has no name and goes with its last
    reader, also where the process is killed.
    """
    with ExitStack() as stack:
        file = stack.enter_context(root.open(uri, reading="in order"))
        if root.is_local:
            digest = checksum(file)
            stack.pop_all()
            return file, digest
        copy = cast(BinaryIO, TemporaryFile())  # noqa: SIM115
        stack.push(lambda kind, *_: copy.close() if kind else None)
        return copy, checksum(file, copy)


def checksum(file: BinaryIO, copy: IO[bytes] | None = None) -> str:
    """SHA-256 of what is left of an open file, in hexadecimal; the bytes are written to `copy` on the way."""
    digest = sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        if copy is not None:
            copy.write(block)
    return digest.hexdigest()
