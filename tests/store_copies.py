"""Copies of a store that many tests begin with."""

import os
import shutil
from pathlib import Path

from store.catalog.catalog import refresh_catalog
from store.catalog.folder import catalog_path
from store.opening import Store, open_store

_seen: dict[Path, dict[str, str]] = {}


def linked_copy(original: Path, folder: Path) -> Store:
    """The same files once more, by links, with their catalog, which would take longest to make anew.

    For tests that only add to a store and remove from it, as the product does: who writes into a file writes
    into the original. The next copy tells.
    """
    store = open_store(original)
    versions = store.objects.survey("").versions
    before = _seen.setdefault(original, versions)
    changed = sorted(dict(before.items() ^ versions.items()))
    assert not changed, f"a test wrote into {changed[:3]}: let it make a new file"
    copy = open_store(shutil.copytree(original, folder, copy_function=os.link))
    shutil.copyfile(refresh_catalog(store), catalog_path(copy.objects))
    return copy
