"""The user's cache of rebuildable files, into which a folder is moved whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/undertone`, by default `~/.cache/undertone`; not created here.

    `store.catalog.folder` has the same rule, as it may not be imported here; a test compares them.
    """
    return user_folder("XDG_CACHE_HOME", "~/.cache")


def user_folder(variable: str, default: str) -> Path:
    """Undertone's folder below the one that a variable names; relative names count as none, as XDG has it."""
    named = Path(os.environ.get(variable) or default).expanduser()
    return (named if named.is_absolute() else Path(default).expanduser()) / "undertone"


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """Return `folder`, which `build` filled either just now or in another process; never half of it.

    Several processes may build at once: each fills a folder of its own, the first rename wins.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        build(draft)
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder
