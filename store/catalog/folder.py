"""Find the folder of catalogs in the user's cache; a catalog inside a store is never opened.

A catalog holds views, and views are code: a found file could read whatever its reader may read.
"""

import os
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

from store.objects.protocol import ObjectStore


def catalog_path(objects: ObjectStore) -> Path:
    """The file for a store, by where the store really is."""
    place = os.path.realpath(objects.url) if objects.is_local else objects.url
    return (_cache_folder() or _private_folder()) / f"{sha256(os.fsencode(place)).hexdigest()[:16]}.duckdb"


def is_lasting(path: Path) -> bool:
    """Whether a catalog stays when this process ends."""
    return path.parent == _cache_folder()


def _cache_folder() -> Path | None:
    """`$XDG_CACHE_HOME/undertone/catalogs`, for this user alone; None where it cannot be written.

    A relative name counts as none, as XDG has it. `pipelines.user_cache` has the same rule, as it may not be
    imported here; a test compares them.
    """
    try:
        named = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        folder = (named if named.is_absolute() else Path("~/.cache").expanduser()) / "undertone" / "catalogs"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid != os.geteuid():
            return None
        folder.chmod(0o700)
    except (OSError, RuntimeError):  # read-only, a file in its place, no home
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


@cache
def _private_folder() -> Path:
    """A new folder of this process, gone when it ends."""
    return Path(_keeper().name)


@cache
def _keeper() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="undertone-catalogs-")
