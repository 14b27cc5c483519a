"""Recordings whose checksum is compared with the dataset's before they are decoded."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, BinaryIO
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.clips import decode_clip, decode_excerpt
from pipelines.audio.files import Root
from store.errors import AudioError, NotFound
from store.records import PlannedClip

BLOCK_BYTES = 2**20
REMEMBERED = 1024
"""Recordings whose checksum is kept: clips of one recording follow each other in a plan."""
COPIES = 4
"""Recordings of a URL that lie on this machine at a time: each is hashed and decoded, but travels once."""


@dataclass(slots=True)
class _Known:
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the file is read, so that threads that want it together read it once."""
    checksum: str | None = None
    copy: IO[bytes] | None = None
    """A temporary file, deleted when nobody refers to it any more."""


class Recordings:
    """Decodes clips from a root, hashing each recording once. Threads may share it."""

    def __init__(self, root: Root, *, sample_rate: int) -> None:
        self._root = root
        self._sample_rate = sample_rate
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def decode(self, clip: PlannedClip) -> NDArray[np.float32]:
        """One clip as mono float32 (samples,) at the rate given.

        Raises:
            AudioError: the clip cannot be decoded, or the file is not the one that was added.
            NotFound: there is no such file.
        """
        if clip.sha256 and self._checksum(clip.uri) != clip.sha256:
            raise AudioError(
                f"{clip.uri!r} has changed since the dataset was added: put the old file back, accept the "
                "new one with --retry-failed, or add the files as a new dataset."
            )
        if self._root.is_local:
            return decode_clip(self._root, clip, sample_rate=self._sample_rate)
        copy = self._copy(clip.uri)
        with Path(copy.name).open("rb") as file:
            return decode_excerpt(file, clip, sample_rate=self._sample_rate)

    def checksum_now(self, uri: str) -> str | None:
        """SHA-256 of a recording's file as it is now; None where it cannot be read."""
        try:
            return self._checksum(uri)
        except (NotFound, OSError):
            return None

    def _checksum(self, uri: str) -> str:
        known = self._entry(uri)
        with known.lock:
            known.checksum = known.checksum or self._hash(uri, known)
            return known.checksum

    def _copy(self, uri: str) -> IO[bytes]:
        known = self._entry(uri)
        with known.lock:
            return known.copy or self._fetch(uri, known)[1]

    def _entry(self, uri: str) -> _Known:
        """What is known of a recording; older ones are forgotten, and their copies before them."""
        with self._lock:
            known = self._known.setdefault(uri, _Known())
            self._known.move_to_end(uri)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            for old in list(self._known.values())[:-COPIES]:
                old.copy = None
            return known

    def _hash(self, uri: str, known: _Known) -> str:
        if not self._root.is_local:
            return self._fetch(uri, known)[0]
        with self._root.open(uri) as file:
            return checksum(file)

    def _fetch(self, uri: str, known: _Known) -> tuple[str, IO[bytes]]:
        copy = NamedTemporaryFile()  # noqa: SIM115
        finalize(copy, copy.file.close)  # also where the garbage collector finds it in a circle
        with self._root.open(uri) as file:
            known.checksum = digest = checksum(file, copy)
        copy.flush()
        known.copy = copy
        return digest, copy


def checksum(file: BinaryIO, copy: IO[bytes] | None = None) -> str:
    """SHA-256 of what is left of an open file, in hexadecimal; the bytes are written to `copy` on the way."""
    digest = sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        if copy is not None:
            copy.write(block)
    return digest.hexdigest()
