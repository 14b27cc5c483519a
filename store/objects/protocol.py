"""The interface of storage, through which everything in a store is read and written.

A key is a "/"-separated path relative to the store. Two promises carry the commit protocol: `create` never
overwrites, and what it reports as written survives a crash of the process and of the machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from store.errors import UndertoneError

Buffer = bytes | bytearray | memoryview
ByteRange = tuple[int, memoryview]
"""Offset in the object, and the memory that receives as many bytes as it holds."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies below a folder, as far as it can be looked into."""

    versions: dict[str, str]
    """Key of every object, with a word that changes when the object does."""
    folders: list[str]
    """Keys of all other folders, if there are any."""
    refused: dict[str, UndertoneError]
    """Key of every folder that is a link or cannot be read, and why."""


class ObjectStore(Protocol):
    """Whole objects below one root; every method may raise `StorageError`."""

    @property
    def url(self) -> str:
        """Where the store is, as `open_objects` accepts it."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine (or a shared file system) can reach it."""

    @property
    def read_threads(self) -> int:
        """How many reads at once serve this storage well."""

    def get(self, key: str) -> bytes:
        """The whole object; raises `NotFound`."""

    def view(self, key: str) -> memoryview:
        """The whole object, read-only, without a copy where there need be none; raises `NotFound`."""

    def size(self, key: str) -> int | None:
        """Length in bytes, None where there is no such object."""

    def exists(self, key: str) -> bool:
        """Whether the object is there."""

    def read_ranges(self, key: str, ranges: Sequence[ByteRange]) -> None:
        """Fill the caller's memory; raises `NotFound`, and `CorruptData` where the object is too short."""

    def create(self, key: str, buffers: Sequence[Buffer]) -> bool:
        """Write a new object durably, all or nothing; False when another object was there first.

        After a lost reply, an object holding exactly these bytes counts as written by this call.
        """

    def put(self, key: str, data: Buffer) -> None:
        """Write or replace an object durably, all or nothing."""

    def delete(self, key: str) -> None:
        """Remove an object; an absent one is no error."""

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove many objects with few requests; absent ones are no error."""

    def make_room(self, key: str, *, folders: bool) -> bool:
        """Remove what is no plain file at a key, or a link on the way to it, following nothing.

        A folder at the key goes, with all that is in it, if `folders` says so. Returns whether a thing went.
        """

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size of every object below a folder, in order of keys."""

    def versions(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Key of every object below a folder, with a word that changes when the object does."""

    def written(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Key of every object below a folder, with the Unix time at which it was written."""

    def survey(self, prefix: str) -> Survey:
        """The same, but of folders that are refused it says so, and goes on."""

    def folders(self, prefix: str) -> Sequence[str]:
        """Names of the folders directly below a folder, in order."""

    def sweep(self, older_than_seconds: float) -> int:
        """Remove what killed writers left half written; returns how many objects went."""
