"""Measure what takes space in a store and in the caches beside it, and find what may go."""

import re
import stat
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pipelines.user_cache import cache_folder
from store.errors import InvalidInput
from store.opening import Store
from store.upkeep.garbage import Garbage, Wanted, collect, find_garbage
from store.upkeep.usage import Share, catalog_files, catalog_share, shares

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(k|M|G|T)?B?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def space(store: Store) -> list[dict[str, Any]]:
    """A row per kind of thing in the store, the largest first, then the caches outside it."""
    inside = [_row(share, "store") for share in shares(store.objects)]
    return inside + [_row(share, "cache") for share in (catalog_share(store.objects), _other_caches(store))]


def parse_size(text: str) -> int:
    """Bytes from "10GB", "500 MB", "0"; raises `InvalidInput`."""
    if (match := _SIZE.fullmatch(text.strip())) is None:
        raise InvalidInput(
            f"{text!r} is no size: say a number with kB, MB, GB or TB, for example 10GB, or 0."
        )
    return round(float(match[1]) * _FACTORS[(match[2] or "").lower()])


def tidy(store: Store, wanted: Wanted, *, dry_run: bool) -> list[dict[str, Any]]:
    """Take garbage away; returns a row per kind of what went, or would go."""
    found = find_garbage(store.objects, wanted)
    return _by_kind(found if dry_run else collect(store.objects, found))


def _by_kind(found: Sequence[Garbage]) -> list[dict[str, Any]]:
    files, nbytes = Counter[str](), Counter[str]()
    for garbage in found:
        files[garbage.kind] += garbage.files
        nbytes[garbage.kind] += garbage.nbytes
    return [{"what": kind, "files": files[kind], "bytes": size} for kind, size in nbytes.most_common()]


def _row(share: Share, place: str) -> dict[str, Any]:
    return {
        "what": share.kind,
        "of": share.name,
        "part": share.part,
        "files": share.files,
        "bytes": share.nbytes,
        "in": place,
    }


def _other_caches(store: Store) -> Share:
    """Everything else in this user's cache: models that were unpacked, catalogs of other stores."""
    folder = cache_folder()
    sizes, catalog = list[int](), set(catalog_files(store.objects))
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another command was done with it just now
            status = path.lstat()
            sizes += [status.st_size] if stat.S_ISREG(status.st_mode) and path not in catalog else []
    return Share("other caches of yours", str(folder), "", len(sizes), sum(sizes))
