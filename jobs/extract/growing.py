"""Plan what later versions of a dataset brought, behind what a run and its codes have already.

The id of a run depends on the first version of its dataset, so one run serves all versions: its rows stay
where they are, clips that are new or have another content get rows behind them, and gone ones keep theirs.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store import Dataset
from store.arrays.collection import Collection, open_collection
from store.arrays.layout import document_key
from store.dataset_changes import GONE
from store.datasets import read_dataset, versions_of
from store.objects.ledger import is_recorded
from store.objects.protocol import ObjectStore

VERSION, PARTLY = "dataset_version", "partly"
"""Fields of a document or of a part's note: up to which version it is planned; whether more was to follow."""


def version_field(dataset: Dataset) -> Mapping[str, Any]:
    """What the document of a collection says of the version it is planned for; nothing of the first."""
    return {VERSION: dataset.version} if dataset.version > 1 else {}


def planned_version(collection: Collection) -> int:
    """The version of its dataset up to which a collection is planned."""
    whole = (note for note in collection.part_notes() if not note.get(PARTLY))
    return max(_version(note) for note in (collection.document, *whole))


def grown(objects: ObjectStore, prefix: str, dataset: Dataset, clips: pa.Table) -> Collection | None:
    """An existing collection, planned up to the version of its dataset; None where it is to be created.

    A collection of a dataset with one version is left to be compared with what would be created.
    """
    if dataset.version == 1 or not is_recorded(objects, document_key(prefix)):
        return None
    collection = open_collection(objects, prefix)
    planned = planned_version(collection)
    if planned < dataset.version:
        _append(
            collection, dataset, clips.filter(pc.is_in(clips["clip_id"], _came(dataset, planned))), planned
        )
    return collection


def _append(collection: Collection, dataset: Dataset, clips: pa.Table, planned: int) -> None:
    """Plan clips that came since: first those that have rows with another content, then the new ones."""
    notes = [{}, *collection.part_notes()]
    parts = list(zip(collection.plan().parts, notes, strict=True))
    begun = [part.clip_ids for part, note in parts if _version(note) > planned]
    earlier = [part.clip_ids for part, note in parts if _version(note) <= planned]
    left = clips.filter(pc.invert(pc.is_in(clips["clip_id"], pa.chunked_array(begun, pa.string()))))
    has_rows = pc.is_in(left["clip_id"], pa.chunked_array(earlier, pa.string()))
    changed, new = left.filter(has_rows), left.filter(pc.invert(has_rows))
    note = {VERSION: dataset.version}
    if len(changed):
        collection.append_units(changed, note={**note, PARTLY: True} if len(new) else note)
    if len(new):
        collection.append_units(new, note=note, is_new=True)


def _came(dataset: Dataset, planned: int) -> pa.ChunkedArray:
    """Ids of all clips that some version after this one added or changed."""
    found = [pa.array([], pa.string())]
    for version in versions_of(dataset.objects, dataset.name):
        if planned < version <= dataset.version:
            changes = read_dataset(dataset.objects, dataset.name, version).changes()
            found += changes.filter(pc.not_equal(changes["change"], GONE))["clip_id"].chunks
    return pa.chunked_array(found, pa.string())


def _version(said: Mapping[str, Any]) -> int:
    version = said.get(VERSION, 1)
    return version if isinstance(version, int) else 1
