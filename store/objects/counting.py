"""An object store that counts the requests made to it, as a bucket that charges for them would."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from store.objects.protocol import Buffer, ByteRange, ObjectStore, Survey

Entry = TypeVar("Entry")

KEYS_PER_LISTING = 1000
"""Keys that a bucket gives for one LIST."""


@dataclass(slots=True)
class Requests:
    """How often a bucket was asked, by kind of request."""

    calls: Counter[str] = field(default_factory=Counter)
    """PUT, GET, HEAD, LIST and DELETE; a LIST counts once, however long its answer."""
    listed: int = 0
    """Keys that all LISTs gave."""
    keys: list[str] = field(default_factory=list)
    """What they were about, in order."""
    written: Counter[str] = field(default_factory=Counter)
    """Bytes of the newest object of every key."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.calls.total() + self.listed // KEYS_PER_LISTING


class CountedObjects:
    """The same storage, with its requests counted."""

    is_local = False

    def __init__(self, objects: ObjectStore) -> None:
        self.requests = Requests()
        self._objects, self._lock = objects, Lock()

    @property
    def url(self) -> str:
        return self._objects.url

    @property
    def read_threads(self) -> int:
        return self._objects.read_threads

    def get(self, key: str) -> bytes:
        self._note("GET", key)
        return self._objects.get(key)

    def view(self, key: str) -> memoryview:
        self._note("GET", key)
        return self._objects.view(key)

    def size(self, key: str) -> int | None:
        self._note("HEAD", key)
        return self._objects.size(key)

    def exists(self, key: str) -> bool:
        self._note("HEAD", key)
        return self._objects.exists(key)

    def read_ranges(self, key: str, ranges: Sequence[ByteRange]) -> None:
        self._note("GET", key)
        self._objects.read_ranges(key, ranges)

    def create(self, key: str, buffers: Sequence[Buffer]) -> bool:
        self._note("PUT", key)
        new = self._objects.create(key, buffers)
        if new:
            self._note_written(key, sum(memoryview(buffer).nbytes for buffer in buffers))
        return new

    def put(self, key: str, data: Buffer) -> None:
        self._note("PUT", key)
        self._objects.put(key, data)
        self._note_written(key, memoryview(data).nbytes)

    def delete(self, key: str) -> None:
        self._note("DELETE", key)
        self._objects.delete(key)
        with self._lock:
            self.requests.written.pop(key, None)

    def delete_all(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), KEYS_PER_LISTING):
            self._note("DELETE", keys[start])
        self._objects.delete_all(keys)
        with self._lock:
            for key in keys:
                self.requests.written.pop(key, None)

    def make_room(self, key: str, *, folders: bool) -> bool:
        return self._objects.make_room(key, folders=folders)

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        return self._listed(prefix, self._objects.list(prefix))

    def versions(self, prefix: str) -> Iterator[tuple[str, str]]:
        return self._listed(prefix, self._objects.versions(prefix))

    def written(self, prefix: str) -> Iterator[tuple[str, float]]:
        return self._listed(prefix, self._objects.written(prefix))

    def survey(self, prefix: str) -> Survey:
        found = self._objects.survey(prefix)
        self._note("LIST", prefix, listed=len(found.versions))
        return found

    def folders(self, prefix: str) -> Sequence[str]:
        found = self._objects.folders(prefix)
        self._note("LIST", prefix, listed=len(found))
        return found

    def sweep(self, older_than_seconds: float) -> int:
        return self._objects.sweep(older_than_seconds)

    def _listed(self, prefix: str, entries: Iterator[Entry]) -> Iterator[Entry]:
        found = [*entries]
        self._note("LIST", prefix, listed=len(found))
        return iter(found)

    def _note(self, kind: str, key: str, *, listed: int = 0) -> None:
        with self._lock:
            self.requests.calls[kind] += 1
            self.requests.keys.append(key)
            self.requests.listed += listed

    def _note_written(self, key: str, nbytes: int) -> None:
        with self._lock:
            self.requests.written[key] = nbytes
