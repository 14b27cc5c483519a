"""Changes in a version of a dataset: clips that came, went, or whose recording has another content."""

import pyarrow as pa
import pyarrow.compute as pc

from store.errors import CorruptData
from store.objects.parquet import parquet_table

ADDED, CHANGED, GONE = "added", "changed", "gone"
SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("change", pa.string()),
        ("uri", pa.string()),
        ("start_seconds", pa.float64()),
        ("duration_seconds", pa.float64()),
        ("sha256", pa.string()),
    ]
)
COMPARED = [name for name in SCHEMA.names if name != "change"]
"""The columns of clips that `changes` reads."""


def changes(old: pa.Table, new: pa.Table) -> pa.Table:
    """From one table of clips to the next: added and changed ones in their new order, then those that went.

    `sha256` is that of the new recording, and of the old one for clips that went.
    """
    before = old.select(["clip_id", "sha256"]).rename_columns(["clip_id", "former"])
    after = new.select(COMPARED)
    places = pc.index_in(after["clip_id"], value_set=before["clip_id"])
    former = before["former"].take(places)
    is_added = pc.is_null(places)
    is_changed = pc.fill_null(pc.not_equal(former, after["sha256"]), False)  # noqa: FBT003
    came = _as_changes(after.filter(is_added), ADDED)
    others = _as_changes(after.filter(is_changed), CHANGED)
    went = pc.is_null(pc.index_in(old["clip_id"], value_set=after["clip_id"]))
    return pa.concat_tables([came, others, _as_changes(old.select(COMPARED).filter(went), GONE)])


def counts_of(table: pa.Table) -> dict[str, int]:
    """How many clips of each kind of change."""
    return {kind: pc.sum(pc.equal(table["change"], kind)).as_py() or 0 for kind in (ADDED, CHANGED, GONE)}


def decode_changes(data: bytes, place: str) -> pa.Table:
    """The changes in a file of them; raises `CorruptData` naming the place where it lies."""
    table = parquet_table(data, place)
    if (table.schema.names, table.schema.types) != (SCHEMA.names, SCHEMA.types):
        raise CorruptData(f"{place} does not list changes of a dataset: run `undertone repair`.")
    return table


def _as_changes(clips: pa.Table, change: str) -> pa.Table:
    marked = clips.append_column("change", pa.repeat(pa.scalar(change), clips.num_rows))
    return marked.select(SCHEMA.names).cast(SCHEMA)
