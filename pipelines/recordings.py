"""Recordings as a dataset knew them: a file that has changed since is refused, not decoded."""

from functools import lru_cache
from hashlib import sha256
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipelines.audio import decode_clip
from pipelines.files import Root
from store.errors import AudioError, NotFound
from store.records import PlannedClip

BLOCK_BYTES = 2**20
REMEMBERED = 1024
"""Recordings whose checksum is kept: clips of one recording follow each other in a plan."""


class Recordings:
    """Decodes clips from a root, hashing each recording once."""

    def __init__(self, root: Root, *, sample_rate: int) -> None:
        self._root = root
        self._sample_rate = sample_rate
        self._checksum = lru_cache(REMEMBERED)(self._hash)

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
        return decode_clip(self._root, clip, sample_rate=self._sample_rate)

    def checksum_now(self, uri: str) -> str | None:
        """SHA-256 of a recording's file as it is now; None where it cannot be read."""
        try:
            return self._checksum(uri)
        except (NotFound, OSError):
            return None

    def _hash(self, uri: str) -> str:
        with self._root.open(uri) as file:
            return checksum(file)


def checksum(file: BinaryIO) -> str:
    """SHA-256 of what is left of an open file, in hexadecimal."""
    digest = sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()
