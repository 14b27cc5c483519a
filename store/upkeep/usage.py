"""Count bytes and files of a store by what they are."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from store.catalog.folder import catalog_path
from store.catalog.segments import files_of
from store.objects.local import TEMPORARY
from store.objects.protocol import ObjectStore

FACTORS = ".factors-"
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("activations", re.compile(r"runs/(?P<name>[^/]+)/[a-z]+\.zarr/(?P<part>[^/.]+)[^/]*/.*")),
    ("plans and markers", re.compile(r"runs/(?P<name>[^/]+)/.*")),
    ("codes", re.compile(r"codes/(?P<name>[^/]+)/.*")),
    ("features", re.compile(r"features/(?P<name>[^/]+)/.*")),
    ("audio of datasets", re.compile(r"datasets/(?P<name>[^/]+)/audio/.*")),
    ("clips and labels", re.compile(r"datasets/(?P<name>[^/]+)/.*")),
    ("results", re.compile(r"results/(?P<name>[^/]+)/.*")),
    ("generated sounds", re.compile(r"audio/.*")),
    ("factors", re.compile(rf"moments/.*{re.escape(FACTORS)}.*")),
    ("moments", re.compile(r"moments/.*")),
    ("states of k-means", re.compile(r"state/.*")),
    ("tags", re.compile(r"tags/.*")),
    ("records", re.compile(r"records/.*")),
    ("other", re.compile(r".*", re.DOTALL)),
)


@dataclass(frozen=True, slots=True)
class Share:
    """What one kind of thing takes."""

    kind: str
    name: str
    """Of the run, the dataset, the kind of results …; "" where there is nothing to tell apart."""
    part: str
    """Of a run: the site."""
    files: int
    nbytes: int


def shares(objects: ObjectStore) -> list[Share]:
    """Every share of a store, the largest first, from one listing; with half-written files of a folder."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for key, nbytes in objects.list(""):
        found.setdefault(_place(key), []).append(nbytes)
    if sizes := [status.st_size for status in temporary_files(objects)]:
        found["half-written", "", ""] = sizes
    ordered = sorted(found.items(), key=lambda item: (-sum(item[1]), item[0]))
    return [Share(*place, len(sizes), sum(sizes)) for place, sizes in ordered]


def catalog_share(objects: ObjectStore) -> Share:
    """The catalog of a store, which lies in the cache of this user."""
    sizes = [file.stat().st_size for file in catalog_files(objects)]
    return Share("catalog (in your cache)", "", "", len(sizes), sum(sizes))


def catalog_files(objects: ObjectStore) -> list[Path]:
    """The catalog of a store and its segments, as far as there are any."""
    path = catalog_path(objects)
    return [file for file in (path, *files_of(path)) if file.is_file()]


def temporary_files(objects: ObjectStore) -> Iterator[os.stat_result]:
    """Status of every half-written file of a local store, without those that got to their place just now."""
    for path in (Path(objects.url) / TEMPORARY).glob("*") if objects.is_local else ():
        with suppress(FileNotFoundError):
            yield path.lstat()


def _place(key: str) -> tuple[str, str, str]:
    for kind, pattern in _KINDS:
        if match := pattern.fullmatch(key):
            named = match.groupdict()
            return kind, named.get("name", ""), named.get("part", "")
    raise AssertionError(key)
