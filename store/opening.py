"""Opening a store: one place for datasets, codes and runs, in a folder or an object store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.arrays.collection import UNIT_CLIPS, Collection, create_collection, open_collection
from store.arrays.plan import Clips
from store.datasets import Dataset, add_dataset, dataset_names, read_dataset
from store.format_version import FORMAT_KEY, check_format, write_format
from store.objects.ledger import Entry
from store.objects.protocol import ObjectStore
from store.objects.storage import open_objects, probe_create
from store.records import ArraySpec, Clip, Failure
from store.run_names import collection_names, one_of, resolve_run, run_ids

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
    check_format(objects)
    return Store(objects)
