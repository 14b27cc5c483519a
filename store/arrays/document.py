"""The document of a collection (run.json, codes.json …): its fields, and how it is read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.arrays.layout import array_layout, layout_document
from store.arrays.zarr_metadata import encoded_json
from store.errors import Conflict, InvalidInput
from store.records import ArraySpec

FORMAT = 2
_CUTTING = frozenset({"shard_clips", "chunk_clips"})


def whole_document(
    document: Mapping[str, Any], arrays: Sequence[ArraySpec], clips: pa.Table, unit_clips: int, digest: str
) -> dict[str, Any]:
    """The document with plan and arrays described; raises `InvalidInput` for what cannot be a collection."""
    count, names = pc.count_distinct(clips["clip_id"]).as_py(), [spec.name for spec in arrays]
    if unit_clips < 1 or not len(clips) or count != len(clips):
        raise InvalidInput(f"A plan needs clips with different ids: got {len(clips)} clips, {count} ids.")
    if not arrays or len(set(names)) != len(names):
        raise InvalidInput(f"A collection needs arrays with different names: {', '.join(names) or 'none'}.")
    added = {
        "format": FORMAT,
        "unit_clips": unit_clips,
        "clips": len(clips),
        "plan_sha256": digest,
        "arrays": [layout_document(array_layout(spec, unit_clips)) for spec in arrays],
    }
    if taken := sorted(set(added) & set(document)):
        raise InvalidInput(f"A document cannot have the fields {', '.join(taken)}: the store writes them.")
    whole: dict[str, Any] = json.loads(encoded_json({**document, **added}))
    return whole


def check_same(prefix: str, existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise `Conflict` unless both mean the same; how arrays are cut into shards is up to who came first."""
    theirs, ours = _without_cutting(existing), _without_cutting(wanted)
    different = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    if different:
        raise Conflict(
            f"{prefix} already holds something else (different: {', '.join(different)}). "
            "Remove that folder, or keep it and give the new one another id."
        )


def _without_cutting(document: Mapping[str, Any]) -> dict[str, Any]:
    arrays = [
        {key: value for key, value in array.items() if key not in _CUTTING} for array in document["arrays"]
    ]
    return {**document, "arrays": arrays}
