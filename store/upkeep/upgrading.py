"""Bring a store of format 1 to format 2: checksums for every chunk, and records for everything there is.

Nothing is believed before the checksum that format 1 kept for it agrees. Each step can be killed and done
again; the file that tells the format of the store is written last.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from store.arrays.collection import Collection
from store.arrays.document import FORMAT
from store.arrays.document_checks import collection_layouts
from store.arrays.layout import CHUNK_CHECKSUM_BYTES, ArrayLayout, document_key, marker_key, plan_key
from store.arrays.markers import Marker, ShardEntry, encode_marker, marker_from
from store.arrays.plan import Plan, PlanPart, plan_digest
from store.arrays.shards import check_chunk, checksum, packed_index, read_index, shard_checksum
from store.arrays.zarr_metadata import array_document, array_rows, decoded_json, encoded_json, group_document
from store.datasets import FORMAT as DATASET_FORMAT
from store.datasets import dataset_key, dataset_record, sounds_name
from store.errors import Conflict, CorruptData, NotFound, UndertoneError, Unreadable
from store.format_version import VERSION, stored_version, write_format
from store.heartbeats import refuse_if_at_work
from store.objects.ledger import Entry, Record, encode_record, entry_of, is_recorded, record_key, write_record
from store.objects.parquet import parquet_table
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json
from store.records import Unit

KINDS = ("runs", "codes", "features")
CACHES = ("moments", "state")
Report = Callable[[str, int, int], None]
"""Takes what is being upgraded, how much of it is done, and how much there is."""


@dataclass(slots=True)
class Upgraded:
    """What an upgrade did."""

    before: int = VERSION
    """Format that the store had."""
    after: int = VERSION
    """Format that it has now."""
    recorded: list[str] = field(default_factory=list)
    """Datasets, collections and results that have records now."""
    units: int = 0
    """Units whose shards were written anew."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Damaged file → what is wrong and what cures it."""


def upgrade(objects: ObjectStore, *, is_whole_sound: Callable[[bytes], bool], report: Report) -> Upgraded:
    """Upgrade a store in place, or finish what was begun.

    Raises `Conflict` while a driver is at work, `NotFound` where there is no store.
    """
    before = stored_version(objects)
    if before > VERSION:
        raise Conflict(f"{objects.url} is of a newer format than {VERSION}: install a newer Undertone.")
    for prefix in (f"{kind}/{name}" for kind in KINDS for name in objects.folders(kind)):
        refuse_if_at_work(objects, prefix)
    done = Upgraded(before)
    for name in objects.folders("datasets"):
        _tried(done, dataset_key(name), partial(_upgrade_dataset, objects, name, done))
    for prefix in (f"{kind}/{name}" for kind in KINDS for name in objects.folders(kind)):
        step = partial(_upgrade_collection, objects, prefix, done, report)
        _tried(done, document_key(prefix), step)
    _upgrade_results(objects, done, is_whole_sound, report)
    _drop_caches(objects)
    if stored_version(objects) != VERSION:
        write_format(objects)
    return done


def _tried(done: Upgraded, key: str, step: Callable[[], None]) -> None:
    try:
        step()
    except (CorruptData, Unreadable, LookupError, ValueError, TypeError, AttributeError) as error:
        said = str(error) if isinstance(error, UndertoneError) else f"{key} cannot be used ({error!r})."
        done.left_out[key] = f"{said} Restore it from a copy and upgrade again, or make it again."


def _document(objects: ObjectStore, key: str) -> tuple[dict[str, Any], bool]:
    """A document, and whether it was sealed already; raises `CorruptData`, `NotFound`."""
    data = objects.get(key)
    try:
        return opened_json(data, key), True
    except CorruptData:
        document = decoded_json(data, key)
        if "crc32c" in document:  # it was sealed, and damaged since
            raise
        return document, False


def _upgrade_dataset(objects: ObjectStore, name: str, done: Upgraded) -> None:
    key = dataset_key(name)
    if is_recorded(objects, key) or objects.size(key) is None:
        return
    info, sealed = _document(objects, key)
    if not sealed:
        info = {**info, "format_version": DATASET_FORMAT}
        info["files"] = [asdict(entry) for entry in _dataset_files(objects, name, info)]
        objects.put(key, sealed_json(info))
    write_record(objects, dataset_record(name, info))
    done.recorded.append(f"datasets/{name}")


def _dataset_files(objects: ObjectStore, name: str, info: Mapping[str, Any]) -> Iterator[Entry]:
    checksums: dict[str, str] = {}
    _check_former_fields(info, dataset_key(name))
    for file, nbytes in info["files"].items():
        data = objects.get(dataset_key(name, file))
        if len(data) != nbytes:
            raise CorruptData(f"{dataset_key(name, file)} has {len(data)} bytes, its document says {nbytes}.")
        table = parquet_table(data, dataset_key(name, file))
        if file == "clips.parquet":
            checksums = dict(zip(table["uri"].to_pylist(), table["sha256"].to_pylist(), strict=True))
        yield entry_of(dataset_key(name, file), data)
    if info["root"].get("kind") == "store":
        sounds = Record(sounds_name(name), "sounds", tuple(_dataset_sounds(objects, name, checksums)))
        data = encode_record(sounds)
        objects.put(record_key(sounds.name), data)
        yield entry_of(record_key(sounds.name), data)


def _check_former_fields(info: Mapping[str, Any], key: str) -> None:
    """Format 1 had the lengths of files by name; the other fields are checked with the new document."""
    files, root = info.get("files"), info.get("root")
    if not isinstance(files, dict) or "clips.parquet" not in files or not isinstance(root, dict):
        raise CorruptData(f"{key} is no document of a dataset: it has no 'files' or no 'root'.")


def _dataset_sounds(objects: ObjectStore, name: str, checksums: Mapping[str, str]) -> Iterator[Entry]:
    from hashlib import sha256

    for uri in sorted(checksums):
        key = dataset_key(name, f"audio/{uri}")
        data = objects.get(key)
        if sha256(data).hexdigest() != checksums[uri]:
            raise CorruptData(f"{key} is not the file that clips.parquet knows.")
        yield entry_of(key, data)


def _upgrade_collection(objects: ObjectStore, prefix: str, done: Upgraded, report: Report) -> None:
    key = document_key(prefix)
    if is_recorded(objects, key) or objects.size(key) is None:
        return
    document, sealed = _document(objects, key)
    collection_layouts(document, key)
    parts = [part for part, _ in objects.list(f"{prefix}/plan") if part.endswith(".parquet")]
    contents = {part: objects.get(part) for part in parts}
    plan = Plan([PlanPart.from_bytes(data, part) for part, data in contents.items()])
    if (
        parts[:1] != [plan_key(prefix, 0)]
        or plan_digest(plan.parts[0].every_clip()) != document["plan_sha256"]
    ):
        raise CorruptData(f"{plan_key(prefix, 0)} is not the plan of {key}.")
    if not sealed:
        document = {**document, "format": FORMAT}
        _upgrade_units(objects, Collection(objects, prefix, document), plan, done, report)
        objects.put(key, sealed_json(document))
    for part in parts[1:]:
        write_record(objects, Record(part, "plan", (entry_of(part, contents[part]),)))
    entries = (entry_of(key, objects.get(key)), entry_of(parts[0], contents[parts[0]]))
    write_record(objects, Record(key, prefix.split("/", 1)[0], entries))
    Collection(objects, prefix, document).note_complete()
    done.recorded.append(prefix)


def _upgrade_units(
    objects: ObjectStore, collection: Collection, plan: Plan, done: Upgraded, report: Report
) -> None:
    for number, unit in enumerate(plan.units(), start=1):
        key = marker_key(collection.prefix, unit.unit_id)
        if objects.size(key) is not None:
            try:
                done.units += _upgrade_unit(objects, collection, unit, key)
            except (CorruptData, NotFound) as error:
                _withdraw(objects, collection, unit)
                made = "probe" if collection.prefix.startswith("features/") else "extract"
                done.left_out[key] = (
                    f"{error} The unit was withdrawn: the same undertone {made} makes it again."
                )
        report(collection.prefix, number, len(plan))
    rows = plan.rows_needed(collection.unit_clips)
    objects.put(f"{collection.group}/zarr.json", encoded_json(group_document()))
    for name, layout in collection.layouts.items():
        length = max(rows, _stored_rows(objects, collection, name))
        objects.put(f"{collection.group}/{name}/zarr.json", encoded_json(array_document(layout, length)))


def _stored_rows(objects: ObjectStore, collection: Collection, name: str) -> int:
    try:
        return array_rows(objects, collection.group, name)
    except CorruptData:
        return 0


def _upgrade_unit(objects: ObjectStore, collection: Collection, unit: Unit, key: str) -> bool:
    """Write the shards of one unit anew, and its marker; False where that was done before."""
    data = objects.get(key)
    document = decoded_json(data, key)
    if "crc32c" in document:
        opened_json(data, key)
        return False
    marker = marker_from(document, key, 1)
    planned = unit.first_row, [clip.clip_id for clip in unit.clips]
    if (marker.first_row, [status.clip_id for status in marker.statuses]) != planned:
        raise CorruptData(f"{key} does not name the clips of the plan.")
    shards = tuple(_upgrade_shard(objects, collection, marker, shard) for shard in marker.shards)
    objects.put(key, encode_marker(replace(marker, shards=shards)))
    return True


def _upgrade_shard(
    objects: ObjectStore, collection: Collection, marker: Marker, shard: ShardEntry
) -> ShardEntry:
    key = f"{collection.prefix}/{shard.key}"
    if shard.array not in collection.layouts:
        raise CorruptData(f"{key} is a shard of {marker.unit_id}, but there is no array {shard.array!r}.")
    layout = collection.layouts[shard.array]
    data = objects.get(key)
    if len(data) == shard.nbytes and checksum(data) == shard.crc32c:
        data = with_checksums(layout, data)
        objects.put(key, data)
    elif checksum(without_checksums(layout, data, key)) != shard.crc32c:  # an upgrade killed here did it
        raise CorruptData(f"{key} disagrees with the checksum in its marker.")
    return replace(shard, nbytes=len(data), crc32c=shard_checksum(layout, data), former_crc32c=shard.crc32c)


def with_checksums(layout: ArrayLayout, data: bytes) -> bytes:
    """A shard of format 1 as one of format 2: behind every inner chunk its checksum."""
    from crc32c import crc32c

    chunks = _chunks(layout, data)
    return _joined(
        layout, [(place, bytes(chunk) + crc32c(chunk).to_bytes(4, "little")) for place, chunk in chunks]
    )


def without_checksums(layout: ArrayLayout, data: bytes, where: str) -> bytes:
    """A shard of format 2 as one of format 1; raises `CorruptData` where a checksum disagrees."""
    chunks = _chunks(layout, data)
    for _, chunk in chunks:
        check_chunk(chunk[:-CHUNK_CHECKSUM_BYTES], chunk[-CHUNK_CHECKSUM_BYTES:], where)
    return _joined(layout, [(place, bytes(chunk[:-CHUNK_CHECKSUM_BYTES])) for place, chunk in chunks])


def _chunks(layout: ArrayLayout, data: bytes) -> list[tuple[int, memoryview]]:
    """The inner chunks in the order in which they lie, each with its number in the grid."""
    positions = read_index(layout, data[-layout.index_bytes :])
    order = np.argsort(positions[:, 0], kind="stable").tolist()
    view = memoryview(data)
    return [
        (number, view[int(offset) : int(offset) + int(length)])
        for number in order
        for offset, length in [positions[number]]
    ]


def _joined(layout: ArrayLayout, chunks: list[tuple[int, bytes]]) -> bytes:
    positions = np.zeros((layout.chunks, 2), "<u8")
    offset = 0
    for number, chunk in chunks:
        positions[number] = offset, len(chunk)
        offset += len(chunk)
    return b"".join([*(chunk for _, chunk in chunks), packed_index(positions)])


def _withdraw(objects: ObjectStore, collection: Collection, unit: Unit) -> None:
    objects.delete(marker_key(collection.prefix, unit.unit_id))
    for name, layout in collection.layouts.items():
        for shard in layout.shards_of(unit):
            objects.delete(f"{collection.group}/{name}/{layout.shard_key(shard)}")


def _upgrade_results(
    objects: ObjectStore, done: Upgraded, is_whole_sound: Callable[[bytes], bool], report: Report
) -> None:
    keys = [key for key, _ in objects.list("results") if key.endswith(".parquet")]
    for number, key in enumerate(keys, start=1):
        if not is_recorded(objects, key):
            try:
                entries = list(_result_entries(objects, key, is_whole_sound))
                write_record(objects, Record(key, "results", tuple(entries)))
                done.recorded.append(key)
            except UndertoneError as error:
                done.left_out[key] = f"{error} `undertone repair` takes it away; then run what made it again."
        report("results", number, len(keys))


def _result_entries(
    objects: ObjectStore, key: str, is_whole_sound: Callable[[bytes], bool]
) -> Iterator[Entry]:
    data = objects.get(key)
    table = parquet_table(data, key)
    yield entry_of(key, data)
    if key.startswith("results/generations/") and "audio" in table.column_names:
        for sound in table["audio"].to_pylist():
            content = objects.get(sound)
            if not is_whole_sound(content):
                raise CorruptData(f"{sound} is damaged: it does not decode to what its head says.")
            yield entry_of(sound, content)


def _drop_caches(objects: ObjectStore) -> None:
    """Without checksums they cannot be believed, and can be made again."""
    for folder in CACHES:
        for key, _ in list(objects.list(folder)):
            if not is_recorded(objects, key):
                objects.delete(key)
