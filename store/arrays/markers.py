"""Commit markers: one small JSON per unit, the only proof that rows exist."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from store.arrays.document_checks import check_entry_values
from store.arrays.known_fields import check_marker_values
from store.errors import CorruptData
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json
from store.records import ClipStatus, Failure, Unit

FORMAT = 2


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One shard that a marker vouches for."""

    array: str
    key: str
    """Relative to the collection."""
    nbytes: int
    crc32c: str
    """Of its chunks' checksums and its index (`store.arrays.shards.shard_checksum`), eight hex digits."""
    former_crc32c: str | None = None
    """What it was before the store was upgraded: results that were made of it are still those of it."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What a commit marker says."""

    unit_id: str
    first_row: int
    statuses: tuple[ClipStatus, ...]
    """One per clip of the unit, in order of rows."""
    shards: tuple[ShardEntry, ...]
    provenance: Mapping[str, Any]
    """Device, dtype, torch build, thread count … of the worker."""
    seconds: Mapping[str, float]
    committed_at: float
    """Unix time in seconds."""
    writer: str
    """Random id of the attempt that won."""

    @property
    def nbytes(self) -> int:
        """Bytes of all its shards."""
        return sum(shard.nbytes for shard in self.shards)

    @property
    def failed(self) -> int:
        """Clips that have no numbers."""
        return sum(status.state == "failed" for status in self.statuses)


def encode_marker(marker: Marker) -> bytes:
    """The marker as it stands in the store."""
    clips: list[dict[str, Any]] = []
    for status in marker.statuses:
        clip: dict[str, Any] = {"clip_id": status.clip_id, "state": status.state}
        clips.append(clip | ({"failure": asdict(status.failure)} if status.failure else {}))
    document = {
        "format": FORMAT,
        "unit_id": marker.unit_id,
        "first_row": marker.first_row,
        "clips": clips,
        "shards": [
            {"array": shard.array, "key": shard.key, "bytes": shard.nbytes, "crc32c": shard.crc32c}
            | ({"former_crc32c": shard.former_crc32c} if shard.former_crc32c else {})
            for shard in marker.shards
        ],
        "provenance": dict(marker.provenance),
        "seconds": dict(marker.seconds),
        "committed_at": marker.committed_at,
        "writer": marker.writer,
    }
    return sealed_json(document)


def decode_marker(data: bytes, key: str) -> Marker:
    """Parse a marker; raises `CorruptData` naming its key where it is damaged or of another unit."""
    return marker_from(opened_json(data, key), key, FORMAT)


def marker_from(document: Mapping[str, Any], key: str, format_: int) -> Marker:
    """The marker that a document says; raises `CorruptData` naming its key."""
    try:
        if document["format"] != format_:
            raise CorruptData(f"{key} has format {document['format']}, this version reads {format_}.")
        if document["unit_id"] != key.rsplit("/", 1)[-1].removesuffix(".json"):
            raise CorruptData(f"{key} is the marker of {document['unit_id']}: run `undertone repair`.")
        check_marker_values(document)
        return Marker(
            document["unit_id"],
            document["first_row"],
            tuple(_status(clip) for clip in document["clips"]),
            tuple(_shard(shard) for shard in document["shards"]),
            document["provenance"],
            document["seconds"],
            document["committed_at"],
            document["writer"],
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptData(f"{key} is no commit marker ({error}): run `undertone repair`.") from error


def check_marker(marker: Marker, unit: Unit, key: str) -> None:
    """Raise `CorruptData` naming the key of a marker unless its clips are those that are planned."""
    planned = tuple(clip.clip_id for clip in unit.clips)
    if tuple(status.clip_id for status in marker.statuses) != planned or marker.first_row != unit.first_row:
        raise CorruptData(f"{key}: its clips are not those of the plan: run `undertone repair`.")


def read_marker(objects: ObjectStore, key: str) -> Marker:
    """Read one marker."""
    return decode_marker(objects.get(key), key)


def _shard(shard: Mapping[str, Any]) -> ShardEntry:
    check_entry_values(shard["key"], shard["bytes"], shard["crc32c"])
    return ShardEntry(
        shard["array"], shard["key"], shard["bytes"], shard["crc32c"], shard.get("former_crc32c")
    )


def _status(clip: Mapping[str, Any]) -> ClipStatus:
    failure = clip.get("failure")
    return ClipStatus(clip["clip_id"], clip["state"], Failure(**failure) if failure else None)
