"""Keep the catalog, a DuckDB cache of everything small in a store, in step with the store.

The file is disposable: whatever it holds was read from Parquet and JSON. A refresh compares the keys and
versions of these files with those the catalog was made from, writes a new file beside the old one, with only
what changed read anew, and swaps it in. It is small, as rows of large parts lie in segments, files beside it
that old and new share. Readers keep the file they opened; of two refreshes at once the later
swap wins, and the next look at the versions mends what it may lack. Mostly there is one: others that come
meanwhile wait for it, and take what it made.
"""

import errno
import inspect
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb

from store.catalog import parts, segments, tables
from store.catalog.folder import catalog_path
from store.catalog.one_refresh import LOCK, clone, one_at_a_time
from store.catalog.parts import DamagedPart, list_parts, read_parts
from store.catalog.query_process import start_early
from store.catalog.sandbox import locked_connection
from store.catalog.tables import TABLES_SQL, VERSION_KEY, VIEWS_SQL, fill_catalog
from store.errors import CorruptData, StorageError
from store.results import views
from store.results.schemas import stands_for_tables

if TYPE_CHECKING:
    from store.opening import Store

BUILDING = ".building"
LITTER_AGE_SECONDS = 24 * 3600
UNUSED_AGE_SECONDS = 30 * 24 * 3600
"""Catalogs of stores that have not changed for so long, or are gone, make room."""
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO)
READ_SECONDS = 60.0
READ_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a catalog says of itself."""

    versions: dict[str, str] = field(default_factory=dict)
    """Of the parts it was made from."""
    damaged: tuple[str, ...] = ()
    """Those that could not be read."""
    segments: Mapping[str, int] = field(default_factory=dict)
    """Files with rows of large parts, and their lengths."""


def refresh_catalog(store: "Store", *, rebuild: bool = False) -> Path:
    """The catalog file, brought up to date if anything in the store has changed, or made anew."""
    start_early()  # whoever asks for the catalog is about to ask it
    path = catalog_path(store.objects)
    seen, wanted = _identity(path), _wanted(store)
    if not rebuild and _is_current(_recorded(path), wanted):
        return path
    with one_at_a_time(path):
        if _identity(path) != seen:  # whoever held the lock may have made what all who waited want
            wanted = _wanted(store)
        before = _recorded(path).segments
        recorded = Recorded() if rebuild else _recorded(path)
        mended = _mended(store, [key for key in recorded.damaged if key in wanted])
        if recorded.versions != wanted or mended:
            with _swapped_in(path) as new, _explained(store, path):
                if recorded.versions.get(VERSION_KEY) == wanted[VERSION_KEY]:
                    _start_from(path, new)
                folder = segments.folder_of(path)
                named = fill_catalog(new, store.objects, wanted, segments=folder, again=mended)
            segments.sweep(path, named, before)
    return path


def _is_current(recorded: Recorded, wanted: Mapping[str, str]) -> bool:
    return recorded.versions == wanted and not recorded.damaged


def _wanted(store: "Store") -> dict[str, str]:
    """What a catalog of the store as it is now is made of."""
    return {VERSION_KEY: _version()} | list_parts(store.objects)


def _version() -> str:
    """Changes with the views and with the code that fills their tables: an older file is made anew."""
    code = (Path(inspect.getfile(module)) for module in (parts, tables, segments, views))
    sources = [source.read_bytes() for source in (TABLES_SQL, *VIEWS_SQL, *code)]
    return sha256(b"".join([*sources, stands_for_tables()])).hexdigest()[:16]


def _recorded(path: Path) -> Recorded:
    """What the catalog at `path` holds; nothing if it is absent, damaged or of another DuckDB."""
    identity = _identity(path)
    if identity is None:
        return Recorded()
    recorded = _known.get(identity)
    if recorded is None:
        recorded = _read_recorded(path)
        _known.clear()  # another thread may do so at any moment: nothing is looked up again below
        _known[identity] = recorded
    return recorded if segments.are_there(recorded.segments) else Recorded()


_known: dict[tuple[object, ...], Recorded] = {}
"""Of the last catalog that was looked into: a file that is swapped in is another one, and none is changed."""


def _identity(path: Path) -> tuple[object, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _read_recorded(path: Path) -> Recorded:
    try:
        connection = locked_connection(path, READ_BYTES)
    except duckdb.Error:
        return Recorded()
    clock = threading.Timer(READ_SECONDS, connection.interrupt)
    clock.start()
    try:
        tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'parts'"
        if not {("state",), ("damaged",), ("segments",)} <= set(connection.execute(tables).fetchall()):
            return Recorded()
        versions = dict(connection.execute("SELECT _part, version FROM parts.state").fetchall())
        damaged = connection.execute("SELECT _part FROM parts.damaged ORDER BY 1").fetchall()
        return Recorded(versions, tuple(key for (key,) in damaged), segments.segments_in(connection))
    except duckdb.Error:
        return Recorded()
    finally:
        clock.cancel()
        clock.join()
        connection.close()


def _mended(store: "Store", keys: list[str]) -> set[str]:
    """Which parts that were damaged can be read now: a copy put back may look like what was recorded."""
    return {key for key, rows in read_parts(store.objects, keys) if not isinstance(rows, DamagedPart)}


@contextmanager
def _explained(store: "Store", path: Path) -> Iterator[None]:
    """Turn DuckDB's errors into sentences: mostly the disk is full."""
    try:
        yield
    except duckdb.Error as error:
        for number in _DISK_ERRORS:
            if os.strerror(number) in str(error):  # a DuckDB error of any kind may tell of the disk
                raise _unwritable(path, os.strerror(number)) from error
        raise CorruptData(
            f"The catalog of {store.url} cannot be made ({_first_line(error)}): `undertone verify` says more."
        ) from error
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise _unwritable(path, error.strerror or str(error)) from error


def _unwritable(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"Cannot write the catalog in {path.parent}: {reason}. Free some space there, or set XDG_CACHE_HOME "
        "to a folder on another disk, and run the same command again; the store itself is untouched."
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _start_from(path: Path, new: Path) -> None:
    """Copy the present file, which the same code made, as a beginning of the new one."""
    with suppress(FileNotFoundError):
        clone(path, new)


@contextmanager
def _swapped_in(path: Path) -> Iterator[Path]:
    """A place for a new file, which replaces `path` when the block succeeds."""
    _remove_litter(path.parent)
    new = path.with_name(f"{path.name}.{uuid4().hex}{BUILDING}")
    try:
        yield new
        new.replace(path)
    finally:
        for litter in path.parent.glob(f"{new.name}*"):
            litter.unlink(missing_ok=True)


def _remove_litter(folder: Path) -> None:
    """Remove what killed refreshes left behind, and catalogs that nobody needed for long."""
    now = time.time()
    segments.remove_orphans(folder, LITTER_AGE_SECONDS)
    for file in (*folder.glob("*.duckdb*"), *folder.glob(f".*{LOCK}")):
        limit = LITTER_AGE_SECONDS if BUILDING in file.name else UNUSED_AGE_SECONDS
        with suppress(FileNotFoundError):  # another refresh was faster
            if file.stat().st_mtime < now - limit:
                file.unlink()
