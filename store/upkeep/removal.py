"""Remove a run or a dataset: first the records, then what they named, so that nobody reads half of it.

Every step may be the last of a process that is killed: what is left then belongs to nothing, and the same
removal, given the same name, takes the rest away.
"""

import time
from dataclasses import dataclass

from store.arrays.completion import KIND as COMPLETION
from store.arrays.layout import check_name, document_key, group_key, plan_key
from store.arrays.manifests import KIND as MANIFEST
from store.datasets import dataset_key, dataset_names, dataset_of, forget_dataset, users_of
from store.errors import Conflict, CorruptData, InvalidInput, NotFound
from store.heartbeats import refuse_if_at_work
from store.objects.concurrency import map_concurrently
from store.objects.ledger import RECORDS, is_recorded, record_key, recorded_names
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json
from store.run_names import listed, resolve_run, run_ids
from store.tags import LATEST, remove_tag, tags_of

RECENT_SECONDS = 60.0
"""Files that no record names and that are younger may be those of a command at work."""


@dataclass(frozen=True, slots=True)
class Weight:
    """How much there is below a folder."""

    files: int
    nbytes: int

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.files + other.files, self.nbytes + other.nbytes)


def weigh(objects: ObjectStore, prefix: str) -> Weight:
    """Files and bytes below a folder, records about it included."""
    sizes = [size for folder in (prefix, f"{RECORDS}/{prefix}") for _, size in objects.list(folder)]
    return Weight(len(sizes), sum(sizes))


def check_collection_removable(objects: ObjectStore, prefix: str) -> None:
    """Raise `Conflict` while a command is at work on a collection."""
    refuse_if_at_work(objects, prefix)
    if not is_recorded(objects, document_key(prefix)):
        _refuse_recent(objects, prefix)


def remove_run(objects: ObjectStore, run_id: str) -> None:
    """Remove a run with its activations and the tags that name it, or finish a removal that was killed.

    Results about it stay: they hold what was found, and are read without it. Raises `Conflict` while a
    command is at work on it.
    """
    prefix = f"runs/{check_name(run_id, 'a run')}"
    _withdraw_collection(objects, prefix)
    for tag in tags_of(objects, run_id):
        remove_tag(objects, tag)
    take_away(objects, prefix)


def remove_collection(objects: ObjectStore, prefix: str) -> None:
    """Remove codes or features; raises `Conflict` while a command is at work on them."""
    _withdraw_collection(objects, prefix)
    take_away(objects, prefix)


def removable_run(objects: ObjectStore, wanted: str) -> str:
    """The id of the run that is to be removed, also where a removal of it was killed.

    Raises `InvalidInput` for `latest`: given again after a removal, it would mean another run.
    """
    left = leftover_runs(objects)
    if wanted in left:
        return wanted
    if wanted == LATEST and LATEST not in run_ids(objects):
        raise InvalidInput(
            f"{LATEST!r} means another run as soon as one is removed: say the id, which `undertone run list` "
            "shows."
        )
    return next((run_id for run_id in left if wanted in tags_of(objects, run_id)), None) or resolve_run(
        objects, wanted
    )


def leftover_runs(objects: ObjectStore) -> list[str]:
    """Ids of runs that have files and no record: a removal, or a command that began one, was killed."""
    known = set(run_ids(objects))
    return [name for name in objects.folders("runs") if name not in known]


def leftover_datasets(objects: ObjectStore) -> list[str]:
    """Names of datasets that have files and no record."""
    known = set(dataset_names(objects))
    return [name for name in objects.folders("datasets") if name not in known]


def derived_collections(objects: ObjectStore, name: str) -> list[str]:
    """Codes and features of a dataset, which go with it where no run needs them."""
    derived = [prefix for prefix in users_of(objects, name) if not prefix.startswith("runs/")]
    return derived + [
        f"{kind}/{folder}"
        for kind in ("codes", "features")
        for folder in objects.folders(kind)
        if folder.startswith(f"{name}-") and _is_leftover(objects, f"{kind}/{folder}", name)
    ]


def _is_leftover(objects: ObjectStore, prefix: str, name: str) -> bool:
    """Whether a removal of a collection was killed; while its document is there, it says of which dataset."""
    key = document_key(prefix)
    if is_recorded(objects, key):
        return False
    try:
        return dataset_of(opened_json(objects.get(key), key)) == name
    except NotFound:
        return True
    except CorruptData:
        return False


def runs_from(objects: ObjectStore, name: str) -> list[str]:
    """Ids of the runs that were made from a dataset."""
    users = users_of(objects, name)
    return [prefix.removeprefix("runs/") for prefix in users if prefix.startswith("runs/")]


def check_dataset_removable(objects: ObjectStore, name: str, *, used_too: bool = False) -> None:
    """Raise unless a dataset may be removed.

    Raises:
        NotFound: there is nothing of this name.
        Conflict: runs were made from it (unless `used_too`), or a command is at work on it.
    """
    check_name(name, "a dataset")
    known = dataset_names(objects)
    if name not in (*known, *leftover_datasets(objects)):
        raise NotFound(f"There is no dataset {name!r} in {objects.url}; it has: {listed(known)}.")
    for prefix in users_of(objects, name):
        refuse_if_at_work(objects, prefix)
    if name not in known:
        _refuse_recent(objects, f"datasets/{name}")
    runs = runs_from(objects, name)
    if runs and not used_too:
        raise Conflict(
            f"Dataset {name!r} stays: {listed(runs)} came from it, and would lose its clips and labels. "
            "Remove these runs first, or add --even-if-used."
        )


def remove_dataset(objects: ObjectStore, name: str, *, used_too: bool = False) -> None:
    """Remove a dataset with its codes and features, or finish a removal that was killed.

    With `used_too` it goes although runs were made from it; they, and their codes and features, stay.
    Raises as `check_dataset_removable` does.
    """
    check_dataset_removable(objects, name, used_too=used_too)
    for prefix in [] if runs_from(objects, name) else derived_collections(objects, name):
        remove_collection(objects, prefix)
    forget_dataset(objects, name)
    objects.delete(dataset_key(name))
    take_away(objects, f"datasets/{name}")


def _withdraw_collection(objects: ObjectStore, prefix: str) -> None:
    """Let a collection exist no more; what is left of it then is taken for nothing by every reader."""
    check_collection_removable(objects, prefix)
    key = document_key(prefix)
    record = objects.get(record_key(key)) if is_recorded(objects, key) else None
    for name in recorded_names(objects, f"{prefix}/{COMPLETION}"):
        objects.delete(record_key(name))
    objects.delete(record_key(key))
    try:
        refuse_if_at_work(objects, prefix)
    except Conflict:  # a command began since: it gets back what it began with
        if record is not None:
            objects.create(record_key(key), [record])
        raise
    objects.delete(key)
    objects.delete(plan_key(prefix, 0))
    commits = [marker for marker, _ in objects.list(f"{prefix}/commits")]
    objects.delete_all([record_key(name) for name in recorded_names(objects, f"{prefix}/{MANIFEST}")])
    objects.delete_all(commits)
    _withdraw_further_parts(objects, prefix)


def _withdraw_further_parts(objects: ObjectStore, prefix: str) -> None:
    """Shards before the parts that planned them, and these before the documents that say how long arrays are.

    Whoever makes the run again just now would find shards that no part plans, or arrays too short for a part.
    """
    parts = recorded_names(objects, f"{prefix}/plan")
    if not parts:
        return
    shards = [key for key, _ in objects.list(group_key(prefix)) if not key.endswith("/zarr.json")]
    map_concurrently(objects.delete, shards, threads=objects.read_threads)
    for part in parts:
        objects.delete(record_key(part))
        objects.delete(part)


def take_away(objects: ObjectStore, prefix: str) -> None:
    """Remove every file below a folder, and the folder, with those of its records."""
    for folder in (prefix, f"{RECORDS}/{prefix}"):
        _delete_below(objects, folder)


def _delete_below(objects: ObjectStore, folder: str) -> None:
    objects.make_room(folder, folders=True)  # a folder of this machine at once
    keys = [key for key, _ in objects.list(folder)]
    map_concurrently(objects.delete, keys, threads=objects.read_threads)


def _refuse_recent(objects: ObjectStore, prefix: str) -> None:
    """Files without a record may be those of a command that is writing them just now."""
    newest = max((at for _, at in objects.written(prefix)), default=0.0)
    if (age := time.time() - newest) < RECENT_SECONDS:
        raise Conflict(
            f"{prefix} has files and no record, the youngest {age:.0f} s old: a command may be writing it. "
            f"Stop it, or wait {RECENT_SECONDS:.0f} s after it has ended."
        )
