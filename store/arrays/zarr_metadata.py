"""The zarr.json documents of a collection, written by hand: they are the public face of the format."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from store.arrays.layout import ArrayLayout
from store.arrays.shards import ZSTD_LEVEL
from store.errors import CorruptData, NotFound
from store.objects.protocol import Buffer, ObjectStore

_BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
_CRC = {"name": "crc32c"}


def write_group(objects: ObjectStore, group: str) -> None:
    """Create the Zarr group of a collection where it is not there yet."""
    objects.create(f"{group}/zarr.json", [encoded_json(group_document())])


def write_array(objects: ObjectStore, group: str, layout: ArrayLayout, rows: int) -> None:
    """Create an array, or grow it; it never shrinks. Only the driver of a run may call this."""
    key = f"{group}/{layout.spec.name}/zarr.json"
    if rows > array_rows(objects, group, layout.spec.name):
        objects.put(key, encoded_json(array_document(layout, rows)))


def grow_arrays(objects: ObjectStore, group: str, layouts: Iterable[ArrayLayout], rows: int) -> None:
    """Create or grow all arrays of a group."""
    for layout in layouts:
        write_array(objects, group, layout, rows)


def array_rows(objects: ObjectStore, group: str, name: str) -> int:
    """Length of an array's clip axis, -1 where there is no array."""
    key = f"{group}/{name}/zarr.json"
    try:
        return int(decoded_json(objects.get(key), f"{objects.url}/{key}")["shape"][0])
    except NotFound:
        return -1
    except (ValueError, LookupError, TypeError) as error:
        raise CorruptData(
            f"{objects.url}/{key} is no Zarr v3 array document: run `undertone repair`."
        ) from error


def group_document() -> dict[str, Any]:
    """Zarr v3 metadata of a group."""
    return {"zarr_format": 3, "node_type": "group", "attributes": {}}


def array_document(layout: ArrayLayout, rows: int) -> dict[str, Any]:
    """Zarr v3 metadata of an array with so many rows."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [rows, *layout.spec.shape],
        "data_type": layout.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(layout.shard_shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": "NaN" if math.isnan(layout.fill) else layout.fill,
        "codecs": [{"name": "sharding_indexed", "configuration": _sharding(layout)}],
        "attributes": _attributes(layout),
        "dimension_names": ["clip", *layout.spec.dimensions],
        "storage_transformers": [],
    }


def encoded_json(document: Mapping[str, Any]) -> bytes:
    """JSON as it stands in a store: readable, UTF-8, one newline at the end."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def decoded_json(data: Buffer, place: str) -> dict[str, Any]:
    """The JSON object that a file holds, which may be a stranger's; raises `CorruptData` naming its place."""
    try:
        document = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        said = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise CorruptData(f"{place} is no document of a store ({said}): run `undertone repair`.") from error
    if not isinstance(document, dict):
        raise CorruptData(f"{place} is no document of a store (no JSON object): run `undertone repair`.")
    return document


def _attributes(layout: ArrayLayout) -> dict[str, Any]:
    """Those of the array; where its numbers are not those that Zarr reads, how they are meant."""
    meant = {"bfloat16": "bits of bfloat16", "int8": f"times {layout.spec.name}.scale"}
    said = meant.get(layout.spec.dtype)
    return {**layout.spec.attributes, **({} if said is None else {"encoding": said})}


def _sharding(layout: ArrayLayout) -> dict[str, Any]:
    zstd = {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}}
    return {
        "chunk_shape": list(layout.chunk_shape),
        "codecs": [_BYTES, _CRC] if layout.spec.compression == "none" else [_BYTES, zstd, _CRC],
        "index_codecs": [_BYTES, _CRC],
        "index_location": "end",
    }
