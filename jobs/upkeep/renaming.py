"""Rename a dataset that no run came from: the same clips under ids that the new name gives them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jobs.dataset.claims import sole_writer
from jobs.dataset.roots import pass_on_root
from store.arrays.layout import LONGEST_DATASET_NAME, check_name
from store.datasets import Dataset, dataset_key, sounds_name
from store.errors import Conflict, InvalidInput
from store.objects.ledger import Entry, is_recorded, never, place, read_entry, read_record
from store.opening import Store
from store.records import Clip, clip_id
from store.run_names import listed
from store.upkeep.removal import (
    check_dataset_removable,
    derived_collections,
    leftover_datasets,
    remove_dataset,
    runs_from,
)


def rename_dataset(store: Store, name: str, new: str, *, dry_run: bool) -> dict[str, Any]:
    """Rename a dataset; returns what changed, or would.

    The new one is whole before the old one goes, so a rename that was killed is finished by the same command.

    Raises:
        NotFound: there is no such dataset.
        InvalidInput: the new name cannot be one.
        Conflict: runs came from it, a command is at work on it, or the new name is taken.
    """
    check_name(new, "a dataset", longest=LONGEST_DATASET_NAME)
    if name == new:
        raise InvalidInput(f"The dataset is called {name!r} already.")
    objects = store.objects
    if name in leftover_datasets(objects) and new in store.datasets():  # killed when all was renamed
        check_dataset_removable(objects, name)
        if not dry_run:
            remove_dataset(objects, name)
        return _summary(name, new, store.dataset(new), [], dry_run=dry_run)
    dataset = store.dataset(name)
    _refuse_used(store, name)
    check_dataset_removable(objects, name)
    derived = derived_collections(objects, name)
    if new in store.datasets() and list(store.dataset(new).clips()) != list(_renamed(dataset, new)):
        raise Conflict(f"There is another dataset {new!r} in {store.url}: choose another name.")
    if not dry_run:
        with sole_writer(objects, new):
            _add_renamed(store, dataset, new)
        remove_dataset(objects, name)
    return _summary(name, new, dataset, derived, dry_run=dry_run)


def _refuse_used(store: Store, name: str) -> None:
    if runs := runs_from(store.objects, name):
        raise Conflict(
            f"Dataset {name!r} keeps its name: the ids of its clips are made of it, and {listed(runs)} "
            "recorded them. To have the new name, add the same recordings under it with `undertone dataset "
            "add` and extract them again; to call a run something else, give it a tag: `undertone run tag`."
        )


def _add_renamed(store: Store, dataset: Dataset, new: str) -> None:
    info = dict(dataset.info)
    sounds = list(_copied_sounds(store, dataset.name, new))
    if info["root"]["kind"] == "store":
        info["root"] = {**info["root"], "path": _moved(info["root"]["path"], dataset.name, new)}
    added = store.add_dataset(new, info, _renamed(dataset, new), dataset.failures, sounds=sounds)
    pass_on_root(dataset.fingerprint, added.fingerprint)


def _renamed(dataset: Dataset, new: str) -> Iterator[Clip]:
    """The clips under the ids that they would have, had the dataset been added under the new name."""
    for clip in dataset.clips():
        place_of = clip.uri, clip.start_seconds, clip.duration_seconds
        follows_name = clip.clip_id == clip_id(dataset.name, *place_of)
        yield replace(clip, clip_id=clip_id(new, *place_of)) if follows_name else clip


def _copied_sounds(store: Store, name: str, new: str) -> Iterator[Entry]:
    """The audio that the store keeps of a dataset, once more below the new name."""
    if not is_recorded(store.objects, sounds_name(name)):
        return
    for entry in read_record(store.objects, sounds_name(name)).entries:
        data = read_entry(store.objects, entry)
        yield place(store.objects, _moved(entry.key, name, new), data, sound=never)


def _moved(key: str, name: str, new: str) -> str:
    """A key below the folder of a dataset, below that of another name."""
    folder = dataset_key(name, "")
    return dataset_key(new, key.removeprefix(folder)) if key.startswith(folder) else key


def _summary(was: str, new: str, dataset: Dataset, derived: list[str], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dataset": new,
        "was": was,
        "clips": int(dataset.info["counts"]["clips"]),
        "codes and features that go": derived,
        "renamed": not dry_run,
    }
