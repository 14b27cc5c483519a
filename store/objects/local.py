"""A store in a local folder: temporary file, fsync, hard link, fsync of the folder.

The hard link is what makes `create` exclusive and atomic at once; a rename would overwrite. A store may come
from a stranger, so below its root nothing is followed that could lead out of it (see
`store.objects.plain_files`).
"""

import errno
import mmap
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from store.errors import (
    CorruptData,
    InvalidInput,
    NotFound,
    NotPlain,
    StorageError,
    UndertoneError,
    Unreadable,
    UnsupportedStore,
)
from store.objects.plain_files import PlainFolders, check_plain, open_plain, open_unfollowed, plain_status
from store.objects.protocol import Buffer, ByteRange, Survey

TEMPORARY = ".temporary"
WRITE_BYTES = 2 * 2**20
MOST_BUFFERS = 512
"""In one call for reading; POSIX guarantees 16, Linux and macOS take 1,024."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


Refuse = Callable[[str, UndertoneError], None]


def _raised(_: str, error: UndertoneError) -> None:
    raise error


class LocalObjects:
    """Objects are files below `root`; half-written ones lie in `root/.temporary` until they are linked."""

    is_local = True
    read_threads = 1  # from the page cache, two threads were slower than one

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.url = str(self.root)
        self._folders = PlainFolders(self.url)

    def file(self, key: str) -> str:
        """Path of the file of an object; a string, for reading thousands of them."""
        bounded = f"/{key}/"
        if "//" in bounded or "/./" in bounded or "/../" in bounded or "\0" in bounded:
            raise InvalidInput(f"{key!r} is not a key: it must be relative, without '.' or '..' in it.")
        return f"{self.url}/{key}"

    def path(self, key: str) -> Path:
        """The file of an object."""
        return Path(self.file(key))

    def get(self, key: str) -> bytes:
        with _reported("read", self.file(key)), self._opened(key) as file:
            return file.read()

    def view(self, key: str) -> memoryview:
        with _reported("read", self.file(key)), self._opened(key) as file:
            if not os.fstat(file.fileno()).st_size:
                return memoryview(b"")  # nothing cannot be mapped
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def size(self, key: str) -> int | None:
        path = self.file(key)
        with _reported("read", path):
            self._folders.check_parent(path)
            status = plain_status(path)
        return None if status is None else status.st_size

    def exists(self, key: str) -> bool:
        return self.size(key) is not None

    def read_ranges(self, key: str, ranges: Sequence[ByteRange]) -> None:
        path = self.file(key)
        with _reported("read", path):
            self._folders.check_parent(path)
            descriptor = open_unfollowed(path)  # of what is no plain file, no range can be read
            try:
                for offset, memories in _neighbours(ranges):
                    _read_fully(descriptor, offset, memories, path)
            finally:
                os.close(descriptor)

    def create(self, key: str, buffers: Sequence[Buffer]) -> bool:
        path = self.path(key)
        if self.exists(key):
            return False
        with _reported("write", path), self._written(buffers) as temporary:
            new_folders = self._make_parent(path)
            won = _link(temporary, path)
            if won:
                _fsync_folders([path.parent, *new_folders])
            return won

    def put(self, key: str, data: Buffer) -> None:
        path = self.path(key)
        self._folders.check_parent(path, anew=True)
        with _reported("write", path), self._written([data]) as temporary:
            new_folders = self._make_parent(path)
            temporary.replace(path)
            _fsync_folders([path.parent, *new_folders])

    def delete(self, key: str) -> None:
        path = self.path(key)
        self._folders.check_parent(path, anew=True)
        with suppress(NotFound), _reported("delete", path):
            path.unlink()
            _fsync_folders([path.parent])

    def delete_all(self, keys: Sequence[str]) -> None:
        parents = {self.path(key).parent for key in keys}
        for parent in sorted(parents):
            self._folders.check(str(parent), anew=True)
        for key in keys:
            path = self.path(key)
            with suppress(NotFound), _reported("delete", path):
                path.unlink()
        _fsync_folders([parent for parent in sorted(parents) if parent.exists()])

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        return ((key, status.st_size) for key, status in self._files(prefix))

    def versions(self, prefix: str) -> Iterator[tuple[str, str]]:
        return ((key, _version(status)) for key, status in self._files(prefix))

    def written(self, prefix: str) -> Iterator[tuple[str, float]]:
        return ((key, status.st_mtime) for key, status in self._files(prefix))

    def survey(self, prefix: str) -> Survey:
        refused: dict[str, UndertoneError] = {}
        folders: list[str] = []
        files = self._files(prefix, refused.__setitem__, folders.append)
        return Survey({key: _version(status) for key, status in files}, sorted(folders), refused)

    def folders(self, prefix: str) -> Sequence[str]:
        folder = self._folder(prefix)
        with suppress(NotFound), _reported("read", folder), os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and entry.name != TEMPORARY)
        return []

    def _folder(self, prefix: str) -> str:
        if not prefix.strip("/"):
            return self.url
        folder = self.file(prefix.rstrip("/"))
        self._folders.check(folder, anew=True)
        return folder

    def _files(
        self, prefix: str, refuse: Refuse = _raised, entered: Callable[[str], object] = str
    ) -> Iterator[tuple[str, os.stat_result]]:
        """Key and status of every file below a folder, in order of keys; of a link, those of itself.

        `refuse` is told the key of each folder that is a link or cannot be read, and why, `entered` that of
        every other one.
        """
        found = []
        try:
            top = self._folder(prefix)
        except NotPlain as error:
            refuse(prefix, error)
            return
        for folder, folders, files in os.walk(top, onerror=partial(self._unlisted, refuse)):
            folders[:] = [
                name for name in folders if name != TEMPORARY and self._is_plain(f"{folder}/{name}", refuse)
            ]
            relative = Path(folder).relative_to(self.root)
            entered(relative.as_posix())
            found += [(relative / name).as_posix() for name in files]
        for key in sorted(found):
            with suppress(FileNotFoundError):  # deleted since its folder was read
                yield key, self.path(key).lstat()

    def _is_plain(self, folder: str, refuse: Refuse) -> bool:
        try:
            self._folders.check(folder, anew=True)
        except NotPlain as error:
            refuse(self._key(folder), error)
            return False
        return True

    def _unlisted(self, refuse: Refuse, error: OSError) -> None:
        folder = str(error.filename)
        try:
            with _reported("read", folder):
                raise error
        except Unreadable as unreadable:
            refuse(self._key(folder), unreadable)
        except NotFound:  # there is none, or it was deleted just now
            return

    def _key(self, path: str) -> str:
        return Path(path).relative_to(self.root).as_posix()

    def make_room(self, key: str, *, folders: bool) -> bool:
        path = self.file(key)
        place = self.url
        for name in key.split("/"):
            place = f"{place}/{name}"
            try:
                mode = os.lstat(place).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return False
            if stat.S_ISREG(mode):
                return False
            if not stat.S_ISDIR(mode) or (folders and place == path):
                _remove(Path(place), mode)
                return True
        return False

    def check_plain(self, prefix: str) -> None:
        """Raise `CorruptData` for whatever below a folder may lead elsewhere, before others read there."""
        for key, _ in self._files(prefix):
            check_plain(self.file(key))

    @contextmanager
    def _opened(self, key: str) -> Iterator[BinaryIO]:
        path = self.file(key)
        self._folders.check_parent(path)
        with os.fdopen(open_plain(path), "rb") as file:
            yield file

    def sweep(self, older_than_seconds: float) -> int:
        removed = 0
        limit = time.time() - older_than_seconds
        self._folders.check(f"{self.url}/{TEMPORARY}", anew=True)
        for path in (self.root / TEMPORARY).glob("*"):
            with suppress(FileNotFoundError):
                if path.lstat().st_mtime < limit:
                    path.unlink()
                    removed += 1
        return removed

    @contextmanager
    def _written(self, buffers: Sequence[Buffer]) -> Iterator[Path]:
        """A temporary file holding these bytes, on disk before the block runs, gone after it."""
        temporary = self.root / TEMPORARY / uuid4().hex
        self._folders.check_parent(temporary, anew=True)
        temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                offset = 0
                for buffer in buffers:
                    offset = _write_fully(descriptor, offset, memoryview(buffer).cast("B"))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _make_parent(self, path: Path) -> Sequence[Path]:
        """Create the missing folders of a file; returns the folders whose entries that changed."""
        changed = []
        folder = path.parent
        while not folder.exists():
            changed.append(folder.parent)
            folder = folder.parent
        path.parent.mkdir(parents=True, exist_ok=True)
        return changed


def _remove(path: Path, mode: int) -> None:
    """Remove a link, pipe or device, or a folder with what is in it; no link is followed."""
    with _reported("delete", path):
        if stat.S_ISDIR(mode):
            shutil.rmtree(path)
        else:
            path.unlink()
        _fsync_folders([path.parent])


def _version(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def _link(temporary: Path, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        # On NFS the reply to a link that succeeded can be lost; the second name then exists all the same.
        return temporary.stat().st_nlink == 2
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise UnsupportedStore(
                f"The file system of {path.parent} has no hard links, which the store needs so that two "
                "workers never overwrite each other. Use another disk, or an object store."
            ) from error
        raise
    return True


def _write_fully(descriptor: int, offset: int, memory: memoryview) -> int:
    """Append memory to a file and let the disk begin at once, so that fsync has little to wait for."""
    while memory:
        count = os.write(descriptor, memory[:WRITE_BYTES])
        if hasattr(os, "posix_fadvise"):  # Linux answers this advice by starting to write the pages back
            os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)
        memory, offset = memory[count:], offset + count
    return offset


def _neighbours(ranges: Sequence[ByteRange]) -> Iterator[tuple[int, list[memoryview]]]:
    """Ranges of which each begins where the one before ends are read with one call."""
    first, end, memories = 0, -1, list[memoryview]()
    for offset, memory in ranges:
        if memories and (offset != end or len(memories) == MOST_BUFFERS):
            yield first, memories
            memories = []
        if not memories:
            first = offset
        memories.append(memory.cast("B"))
        end = offset + memory.nbytes
    if memories:
        yield first, memories


def _read_fully(descriptor: int, offset: int, memories: list[memoryview], path: str) -> None:
    left = sum(memory.nbytes for memory in memories)
    while left:
        count = os.preadv(descriptor, memories, offset)
        if count == 0:
            raise CorruptData(
                f"{path} ends at byte {offset}, {left} bytes too early: run `undertone verify`."
            )
        left, offset = left - count, offset + count
        while memories and count >= memories[0].nbytes:
            count -= memories.pop(0).nbytes
        if memories:
            memories[0] = memories[0][count:]


def _fsync_folders(folders: Sequence[Path]) -> None:
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_ELSEWHERE = "Choose another place."


@contextmanager
def _reported(action: str, path: Path | str) -> Iterator[None]:
    """Turn the operating system's errors into ours, with the path and what the user can do."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        if action == "write":
            raise StorageError(f"Cannot write {path}: no folder can be made there. {_ELSEWHERE}") from error
        raise NotFound(f"There is no {path}.") from error
    except OSError as error:
        if isinstance(error, (CorruptData, StorageError, UnsupportedStore)):
            raise
        cure = {
            errno.ENOSPC: "The disk is full: free some space and run the same command again.",
            errno.EDQUOT: "The disk quota is used up: free some space and run the same command again.",
            errno.EFBIG: "The file size limit (ulimit -f) is too low: raise it and run again.",
            errno.EACCES: "Check the permissions of the folder, or choose another place.",
            errno.EPERM: _ELSEWHERE,
            errno.EEXIST: f"A link that leads nowhere is in the way. {_ELSEWHERE}",
            errno.EROFS: f"The file system is read-only. {_ELSEWHERE}",
        }.get(error.errno or 0, "Check the disk and run the same command again.")
        kind = Unreadable if action == "read" else StorageError
        raise kind(f"Cannot {action} {path}: {error.strerror or error}. {cure}") from error
