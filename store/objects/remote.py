"""A store in an object store (S3, GCS, Azure, or in memory for tests) through obstore.

A reply can be lost after a PUT took effect, and S3 may answer a contested conditional PUT with 409 although
nothing is there yet. So a refusal or an error is never believed: the object is read back and compared.
"""

import os
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import MemoryStore, from_url

from store.errors import CorruptData, InvalidInput, NotFound, StorageError
from store.objects.protocol import Buffer, ByteRange, Survey

ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.1
RETRY_SECONDS = 60.0


class RemoteObjects:
    """Objects below a bucket and prefix; credentials and endpoint come from environment variables."""

    is_local = False
    read_threads = 16

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            self.backend: Any = _connect(self.url)
        except (BaseError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InvalidInput(
                f"{self.url!r} cannot be opened as a store ({reason}): give a bucket and a prefix, such as "
                "s3://bucket/prefix."
            ) from error

    def get(self, key: str) -> bytes:
        try:
            return bytes(obstore.get(self.backend, key).bytes())
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"There is no {self.url}/{key}.") from error
        except BaseError as error:
            raise self._failure("read", key, error) from error

    def view(self, key: str) -> memoryview:
        return memoryview(self.get(key))

    def size(self, key: str) -> int | None:
        try:
            return int(obstore.head(self.backend, key)["size"])
        except (NotFoundError, FileNotFoundError):
            return None
        except BaseError as error:
            raise self._failure("look up", key, error) from error

    def exists(self, key: str) -> bool:
        return self.size(key) is not None

    def read_ranges(self, key: str, ranges: Sequence[ByteRange]) -> None:
        starts = [offset for offset, _ in ranges]
        lengths = [memory.nbytes for _, memory in ranges]
        try:
            parts = obstore.get_ranges(self.backend, key, starts=starts, lengths=lengths)
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"There is no {self.url}/{key}.") from error
        except BaseError as error:
            raise self._failure("read", key, error) from error
        for part, (offset, memory) in zip(parts, ranges, strict=True):
            if len(part) != memory.nbytes:
                raise CorruptData(f"{self.url}/{key} is too short at byte {offset}: run `undertone verify`.")
            memory.cast("B")[:] = memoryview(part)

    def create(self, key: str, buffers: Sequence[Buffer]) -> bool:
        data = _joined(buffers)
        failure: Exception | None = None
        for attempt in range(ATTEMPTS):
            _pause(attempt)
            try:
                obstore.put(self.backend, key, data, mode="create", use_multipart=False)
                return True
            except (AlreadyExistsError, FileExistsError, BaseError) as error:
                failure = error.with_traceback(None)  # it would hold the caller's memory
            try:
                return self.get(key) == data
            except NotFound:
                continue
        raise self._failure("write", key, failure)

    def put(self, key: str, data: Buffer) -> None:
        failure: Exception | None = None
        for attempt in range(ATTEMPTS):
            _pause(attempt)
            try:
                obstore.put(self.backend, key, _joined([data]), use_multipart=False)
                return
            except BaseError as error:
                failure = error.with_traceback(None)
        raise self._failure("write", key, failure)

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self.backend, key)
        except (NotFoundError, FileNotFoundError):
            return
        except BaseError as error:
            raise self._failure("delete", key, error) from error

    def delete_all(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        try:
            obstore.delete(self.backend, list(keys))
        except (NotFoundError, FileNotFoundError):
            for key in keys:
                self.delete(key)
        except BaseError as error:
            raise self._failure("delete", keys[0], error) from error

    def make_room(self, key: str, *, folders: bool) -> bool:
        return False  # there are neither links nor folders

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        return ((entry["path"], entry["size"]) for entry in self._entries(prefix))

    def versions(self, prefix: str) -> Iterator[tuple[str, str]]:
        return ((entry["path"], str(entry["e_tag"])) for entry in self._entries(prefix))

    def written(self, prefix: str) -> Iterator[tuple[str, float]]:
        return ((entry["path"], entry["last_modified"].timestamp()) for entry in self._entries(prefix))

    def survey(self, prefix: str) -> Survey:
        return Survey(dict(self.versions(prefix)), [], {})

    def _entries(self, prefix: str) -> Iterator[Any]:
        try:
            batches = list(obstore.list(self.backend, prefix.strip("/") or None))
        except BaseError as error:
            raise self._failure("list", prefix, error) from error
        return iter(sorted((entry for batch in batches for entry in batch), key=itemgetter("path")))

    def folders(self, prefix: str) -> Sequence[str]:
        try:
            listing = obstore.list_with_delimiter(self.backend, prefix.strip("/") or None)
        except BaseError as error:
            raise self._failure("list", prefix, error) from error
        return sorted(str(path).rstrip("/").rsplit("/", 1)[-1] for path in listing["common_prefixes"])

    def sweep(self, older_than_seconds: float) -> int:
        return 0  # a PUT is all or nothing: killed writers leave nothing behind

    def _failure(self, action: str, key: str, error: Exception | None) -> StorageError:
        reason = str(error).splitlines()[0] if error and str(error) else type(error).__name__
        return StorageError(
            f"Cannot {action} {self.url}/{key}: {reason}. Check the bucket, the credentials (AWS_* "
            "variables) and the network, then run the same command again; nothing is lost."
        )


def _connect(url: str) -> Any:
    if url.startswith("memory:"):
        return MemoryStore()
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    options: dict[str, Any] = {"allow_http": endpoint.startswith("http://"), "timeout": timedelta(minutes=5)}
    retries = {"retry_timeout": timedelta(seconds=RETRY_SECONDS)}
    connect: Any = from_url  # its overloads want literal configurations
    return connect(url, client_options=options, retry_config=retries)


def _joined(buffers: Sequence[Buffer]) -> bytes | memoryview:
    if len(buffers) == 1:
        return memoryview(buffers[0]).cast("B")
    return b"".join(buffers)


def _pause(attempt: int) -> None:
    if attempt:
        time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
