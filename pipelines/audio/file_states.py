"""Tell from size and stamp (time of change, or ETag) whether a file is still the one that was read."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pipelines.audio.files import Root
from pipelines.audio.parquet_audio import read_address
from store.errors import UndertoneError

ETAG = "etag:"
"""Begins a checksum that is none of ours, but what a bucket calls the content of an object."""
_ETAGS = ("ETag", "etag", "md5Hash", "crc32c", "blob_id")
"""What the file systems of fsspec call it."""
_LISTED = ("s3://", "gs://", "az://")
"""Where one listing says a thousand states; elsewhere a file is asked for by itself."""
_FOLDERS_KEPT = 4
_BLOCK_BYTES = 1 << 20
_MD5_DIGITS = 32


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file system says of a file without reading it."""

    nbytes: int
    stamp: str
    """"mtime:<nanoseconds>" or "etag:<…>"; "" where it says nothing, and every file may have changed."""

    @property
    def etag(self) -> str | None:
        """The stamp, where it changes with the content alone."""
        return self.stamp if self.stamp.startswith(ETAG) else None


class FileStates:
    """States of a root's files. Threads may share it."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._folders: OrderedDict[str, Mapping[str, FileState]] = OrderedDict()

    def state(self, uri: str) -> FileState | None:
        """Of one file (of a row's Parquet file); None where nothing is said of it."""
        row = read_address(uri)
        name = row[0] if row else uri
        try:
            if self._root.is_local:
                found = Path(self._root.path(name)).stat()
                return FileState(found.st_size, f"mtime:{found.st_mtime_ns}")
            if not self._root.url.startswith(_LISTED):
                return _state(self._root.described(name))
            folder, _, last = name.rpartition("/")
            return self._listed(folder).get(last)
        except (UndertoneError, OSError):  # opening the file says what is wrong
            return None

    def _listed(self, folder: str) -> Mapping[str, FileState]:
        with self._lock:
            if folder not in self._folders:
                entries = self._root.described_files(folder)
                self._folders[folder] = {
                    PurePosixPath(entry["name"]).name: _state(entry) for entry in entries
                }
                if len(self._folders) > _FOLDERS_KEPT:
                    self._folders.popitem(last=False)
            return self._folders[folder]


def _state(entry: Mapping[str, Any]) -> FileState:
    stamp = next((f"{ETAG}{str(entry[name]).strip(chr(34))}" for name in _ETAGS if entry.get(name)), "")
    return FileState(int(entry.get("size") or 0), stamp)


def agrees_with_etag(file: BinaryIO, etag: str) -> bool | None:
    """Whether a file's MD5 is its ETag in a bucket; None where that ETag is no MD5, and nobody can tell."""
    value = etag.removeprefix(ETAG).lower()
    if len(value) != _MD5_DIGITS or not set(value) <= set("0123456789abcdef"):
        return None
    digest = md5(usedforsecurity=False)
    file.seek(0)
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest() == value
