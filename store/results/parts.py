"""Result parts: immutable Parquet files whose name is a hash of all that decides their content."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import pyarrow as pa

from store.arrays.collection import Collection
from store.arrays.layout import check_name
from store.errors import NotFound
from store.objects.ledger import Entry, commit, is_recorded, read_committed
from store.objects.parquet import is_parquet, parquet_bytes, parquet_table
from store.opening import Store
from store.results.schemas import with_present_names

DIGITS = 16


def write_results(
    store: Store,
    kind: str,
    specification: Mapping[str, Any],
    table: pa.Table,
    *,
    sounds: Sequence[Entry] = (),
) -> str:
    """Write a part of results/<kind>, then its record, unless they are there already; returns its name.

    Columns explain themselves through the field metadata `comment`. The catalog shows all parts of a kind
    as one view of that name.

    Args:
        store: where to write.
        kind: "probes", "clusterings", "vectors" …
        specification: JSON values that decide the content: options, labels_hash, `committed_digest` of what
            was read and `methods_id` of what computed it.
        table: the rows.
        sounds: what the rows are about and the record is to name too.
    """
    name = part_name(specification)
    data = parquet_bytes(table)
    commit(store.objects, _key(kind, name), data, kind="results", sound=is_parquet, others=sounds)
    return name


def read_results(store: Store, kind: str, specification: Mapping[str, Any]) -> pa.Table | None:
    """The part that `write_results` wrote for this specification, or None where nobody has computed it."""
    key = _key(kind, part_name(specification))
    try:
        part = parquet_table(read_committed(store.objects, key), f"{store.url}/{key}")
    except NotFound:
        return None
    return with_present_names(kind, part)


def has_results(store: Store, kind: str, specification: Mapping[str, Any]) -> bool:
    """Whether `write_results` has written the part for this specification."""
    return is_recorded(store.objects, _key(kind, part_name(specification)))


def part_name(specification: Mapping[str, Any]) -> str:
    """Name of the part with this specification."""
    return f"{digest_of(specification)}.parquet"


def digest_of(value: Any) -> str:
    """16 hexadecimal digits that stand for a JSON value."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGITS]


def committed_digest(collection: Collection) -> str:
    """Stands for the committed shards of a collection: changes when units are added, retried or repaired."""
    shards = {
        row["unit_id"]: [(one["key"], one["former_crc32c"] or one["crc32c"]) for one in row["shards"]]
        for row in collection.commits().rows(["unit_id", "shards"])
    }
    return digest_of(shards)


def _key(kind: str, name: str) -> str:
    return f"results/{check_name(kind, 'a kind of results')}/{name}"
