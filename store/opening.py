"""Opening a store: one place for datasets, codes and runs, in a folder or an object store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from store.arrays.collection import UNIT_CLIPS, Collection, create_collection, open_collection
from store.arrays.plan import Clips
from store.arrays.zarr_metadata import decoded_json
from store.datasets import Dataset, add_dataset, dataset_names, read_dataset
from store.errors import CorruptData, InvalidInput, NotFound
from store.objects.ledger import Entry
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json
from store.objects.storage import open_objects, probe_create
from store.records import ArraySpec, Clip, Failure
from store.run_names import collection_names, one_of, resolve_run, run_ids

VERSION = 3
READABLE = (2, VERSION)
"""Format 3 is format 2 with manifests of commits, which older versions would not see."""
FORMAT = {"format": "undertone", "version": VERSION}
FORMAT_KEY = "undertone.json"
TEMPORARY_OLD_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Store:
    """Everything a project keeps: datasets, codes, runs, results."""

    objects: ObjectStore

    @property
    def url(self) -> str:
        """Where it is."""
        return self.objects.url

    def datasets(self) -> list[str]:
        """Names of the datasets."""
        return dataset_names(self.objects)

    def dataset(self, name: str, version: int | None = None) -> Dataset:
        """One dataset, in its newest version unless one is said; raises `NotFound`."""
        return read_dataset(self.objects, name, version)

    def add_dataset(
        self,
        name: str,
        info: Mapping[str, Any],
        clips: Iterable[Clip],
        failures: Iterable[Failure],
        *,
        replace: bool = False,
        extend: bool = False,
        sounds: Sequence[Entry] = (),
    ) -> Dataset:
        """Write a dataset, or its next version (see `store.datasets.add_dataset`)."""
        return add_dataset(
            self.objects, name, info, clips, failures, replace=replace, extend=extend, sounds=sounds
        )

    def runs(self) -> list[str]:
        """Ids of the runs."""
        return run_ids(self.objects)

    def run(self, run_id: str) -> Collection:
        """One run by its id, a tag, `latest` or the beginning of its id (see `store.run_names`)."""
        return open_collection(self.objects, f"runs/{resolve_run(self.objects, run_id)}")

    def create_run(
        self,
        run_id: str,
        *,
        document: Mapping[str, Any],
        arrays: Sequence[ArraySpec],
        clips: Clips,
        unit_clips: int = UNIT_CLIPS,
    ) -> Collection:
        """Create a run, or open it if it is the same; raises `Conflict`."""
        return create_collection(
            self.objects,
            f"runs/{run_id}",
            document=document,
            arrays=arrays,
            clips=clips,
            unit_clips=unit_clips,
        )

    def all_codes(self) -> list[str]:
        """Keys of the stored codec tokens."""
        return collection_names(self.objects, "codes")

    def codes(self, key: str) -> Collection:
        """Stored codec tokens by key or the beginning of it; raises `NotFound`."""
        return open_collection(self.objects, f"codes/{one_of(self.all_codes(), key, 'codes', self.url)}")

    def create_codes(
        self,
        key: str,
        *,
        document: Mapping[str, Any],
        arrays: Sequence[ArraySpec],
        clips: Clips,
        unit_clips: int = UNIT_CLIPS,
    ) -> Collection:
        """Create a collection of codec tokens, or open it if it is the same; raises `Conflict`."""
        return create_collection(
            self.objects,
            f"codes/{key}",
            document=document,
            arrays=arrays,
            clips=clips,
            unit_clips=unit_clips,
        )


def open_store(url: str | Path, *, create: bool = False) -> Store:
    """Open a store; with `create` make it if need be, and refuse a place that cannot be written safely.

    Raises `NotFound` where there is no store, `UnsupportedStore` where conditional writes are ignored.
    """
    objects = open_objects(url)
    if create:
        if not objects.exists(FORMAT_KEY):
            write_format(objects)
        probe_create(objects)
        objects.sweep(TEMPORARY_OLD_SECONDS)
    _check_format(objects)
    return Store(objects)


def write_format(objects: ObjectStore) -> None:
    """Say that this is a store, and of which format; for a new one, or where that was damaged."""
    objects.put(FORMAT_KEY, sealed_json(FORMAT))


def stored_version(objects: ObjectStore) -> int:
    """Version of the format of a store; raises `NotFound` where there is none, `CorruptData` for damage."""
    try:
        data = objects.get(FORMAT_KEY)
    except NotFound as error:
        if objects.folders("records"):
            raise CorruptData(
                f"{objects.url}/{FORMAT_KEY} is gone, although there are records of a store: "
                "run `undertone repair`."
            ) from error
        raise NotFound(
            f"{objects.url} is no Undertone store (it has no {FORMAT_KEY}). Check the path; "
            "`undertone dataset add`, in Python `undertone.add_dataset`, makes a new store."
        ) from error
    if _is_of_version_1(data):
        return 1
    found = opened_json(data, f"{objects.url}/{FORMAT_KEY}")
    if found.get("format") != FORMAT["format"] or not isinstance(found.get("version"), int):
        raise InvalidInput(f"{objects.url} has format {found!r}; this version of Undertone reads {FORMAT!r}.")
    return int(found["version"])


def _check_format(objects: ObjectStore) -> None:
    version = stored_version(objects)
    if version == 1:
        raise InvalidInput(
            f"{objects.url} is a store of format 1; this version reads format {VERSION}. "
            f"`undertone upgrade {quote(objects.url)}` brings it up to date in place, and loses nothing."
        )
    if version not in READABLE:
        raise InvalidInput(
            f"{objects.url} is a store of format {version}; this version of Undertone reads {VERSION}. "
            "Install a newer one."
        )


def _is_of_version_1(data: bytes) -> bool:
    """Format 1 had no checksum here."""
    try:
        return decoded_json(data, FORMAT_KEY) == {"format": "undertone", "version": 1}
    except CorruptData:
        return False
