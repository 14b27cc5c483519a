"""Keeps the catalog, a DuckDB file of everything small in a store, in step with the store.

The file is disposable: whatever it holds was read from Parquet and JSON. A refresh compares the keys and
versions of these files with those the catalog was made from, writes a new file beside the old one, with only
what changed read anew, and swaps it in. Readers keep the file they opened; of two refreshes at once the later
swap wins, and the next look at the versions mends what it may lack.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb

from store.catalog_parts import list_parts
from store.catalog_tables import TABLES_SQL, VERSION_KEY, VIEWS_SQL, fill_catalog

if TYPE_CHECKING:
    from store.opening import Store

CATALOG_FILE = "catalog.duckdb"
BUILDING = ".building"
LITTER_AGE_SECONDS = 24 * 3600


def refresh_catalog(store: "Store", *, rebuild: bool = False) -> Path:
    """The catalog file, brought up to date if anything in the store has changed, or made anew."""
    path = catalog_path(store)
    wanted = {VERSION_KEY: _version()} | list_parts(store.objects)
    if rebuild or _recorded(path) != wanted:
        with _swapped_in(path) as new:
            if not rebuild:
                _start_from(path, new, wanted[VERSION_KEY])
            fill_catalog(new, store.objects, wanted)
    return path


def catalog_path(store: "Store") -> Path:
    """Beside a local store; otherwise, or where its folder is read-only, in this user's cache."""
    if store.objects.is_local and os.access(store.url, os.W_OK):
        return Path(store.url) / CATALOG_FILE
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "undertone" / "catalogs"
    cache.mkdir(parents=True, exist_ok=True)
    return cache / f"{sha256(store.url.encode()).hexdigest()[:16]}.duckdb"


def _version() -> str:
    """Changes with the views and with the code that fills their tables: an older file is made anew."""
    code = (TABLES_SQL.with_name(name) for name in ("catalog_parts.py", "catalog_tables.py"))
    sources = [TABLES_SQL, *VIEWS_SQL, *code]
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def _recorded(path: Path) -> dict[str, str]:
    """Which parts the catalog at `path` holds; nothing if it is absent, damaged or of another DuckDB."""
    if not path.is_file():
        return {}
    connection = duckdb.connect()
    try:
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS catalog (READ_ONLY)")
        return dict(connection.execute("SELECT * FROM catalog.parts.state").fetchall())
    except duckdb.Error:
        return {}
    finally:
        connection.close()


def _start_from(path: Path, new: Path, version: str) -> None:
    """Copy the present file as a beginning of the new one, unless other code made it."""
    with suppress(FileNotFoundError):
        shutil.copyfile(path, new)
    if _recorded(new).get(VERSION_KEY) != version:
        new.unlink(missing_ok=True)


@contextmanager
def _swapped_in(path: Path) -> Iterator[Path]:
    """A place for a new file, which replaces `path` when the block succeeds."""
    _remove_litter(path)
    new = path.with_name(f"{path.name}.{uuid4().hex}{BUILDING}")
    try:
        yield new
        new.replace(path)
    finally:
        for litter in path.parent.glob(f"{new.name}*"):
            litter.unlink(missing_ok=True)


def _remove_litter(path: Path) -> None:
    """Remove what killed refreshes left behind."""
    limit = time.time() - LITTER_AGE_SECONDS
    for litter in path.parent.glob(f"{path.name}.*{BUILDING}*"):
        with suppress(FileNotFoundError):  # another refresh was faster
            if litter.stat().st_mtime < limit:
                litter.unlink()
