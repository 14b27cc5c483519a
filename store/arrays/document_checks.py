"""Check every field of a document that the store relies on: a store may come from a stranger."""

import re
from collections.abc import Mapping
from typing import Any

from store.arrays.encodings import check_scales
from store.arrays.known_fields import check_known_fields
from store.arrays.layout import ArrayLayout, check_layout, check_name, layout_from_document
from store.errors import CorruptData, InvalidInput

LONGEST_KEY_BYTES = 1024
LONGEST_PART_BYTES = 255
MOST_BYTES = 2**62
MOST_UNIT_CLIPS = 2**20
_CHECKSUM = re.compile(r"[0-9a-f]{8}")
_PROVES_ITSELF = re.compile(
    r"undertone\.json|datasets/[^/]+/(versions/\d+/)?dataset\.json|tags/[^/]+\.json|state/.+"
)
_ARRAY_FIELDS = {"name": str, "dimensions": list, "shape": list, "dtype": str, "attributes": dict}
_DATASET_FIELDS = {"fingerprint": str, "labels": dict, "files": list}
_DATASET_FIELDS_OF_COMMANDS = {
    "root": dict, "counts": dict, "format": str, "version": int, "origin": str, "changes": dict,
}  # fmt: skip


def is_key(key: object) -> bool:
    """Whether this can be the key of an object: relative, without '.' or '..' in it, and not too long."""
    if not isinstance(key, str) or "\0" in key:
        return False
    try:
        parts = key.encode().split(b"/")
    except UnicodeEncodeError:
        return False
    is_short = len(key.encode()) <= LONGEST_KEY_BYTES and max(map(len, parts)) <= LONGEST_PART_BYTES
    return is_short and not {b"", b".", b".."} & set(parts)


def check_entry_values(key: object, nbytes: object, crc32c: object) -> None:
    """Raise `ValueError` unless a record may say this of an object."""
    if not is_key(key):
        raise ValueError(f"{str(key)[:80]!r} is not a key")
    if nbytes is None and crc32c is None:
        if not _PROVES_ITSELF.fullmatch(str(key)):
            raise ValueError(f"{key} has neither length nor checksum, and does not prove itself")
        return
    _check_whole("the length of an object", nbytes, 0, MOST_BYTES)
    if not isinstance(crc32c, str) or not _CHECKSUM.fullmatch(crc32c):
        raise ValueError(f"{str(crc32c)[:40]!r} is no CRC-32C of eight hex digits")


def collection_layouts(document: Mapping[str, Any], where: str) -> dict[str, ArrayLayout]:
    """The arrays of a collection by name; raises `CorruptData` naming a document that cannot be one."""
    try:
        unit_clips = document.get("unit_clips")
        _check_whole("unit_clips", unit_clips, 1, MOST_UNIT_CLIPS)
        _check_whole("clips", document.get("clips"), 1, MOST_BYTES)
        _check_fields(document, {"plan_sha256": str, "arrays": list})
        _check_origin(document)
        check_known_fields(document)
        layouts = [_layout(array, int(unit_clips or 0)) for array in document["arrays"]]
        _check_names([layout.spec.name for layout in layouts])
        check_scales({layout.spec.name: layout for layout in layouts})
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptData(
            f"{where} is no document of a collection ({error}): restore it from a copy, or make it again."
        ) from error
    return {layout.spec.name: layout for layout in layouts}


def check_dataset_document(info: Mapping[str, Any], name: str, where: str) -> None:
    """Raise `CorruptData` naming a document that cannot be the one of this dataset."""
    try:
        _check_names([info["name"], name], equal=True)
        _check_fields(info, _DATASET_FIELDS)
        _check_fields(info, {key: kind for key, kind in _DATASET_FIELDS_OF_COMMANDS.items() if key in info})
        check_known_fields(info)
        for column in info["labels"].values():
            _check_kind("a column of labels", column, str)
        for entry in info["files"]:
            _check_dataset_file(entry, name)
        for seconds in ("clip_seconds", "hop_seconds"):
            _check_seconds(seconds, info.get(seconds, 1.0))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptData(
            f"{where} is no document of the dataset {name!r} ({error}): run `undertone repair`, then add it "
            "again."
        ) from error


def _check_names(names: list[str], *, equal: bool = False) -> None:
    if not names or len(set(names)) != (1 if equal else len(names)):
        said = "are not equal" if equal else "are absent or equal"
        raise ValueError(f"the names {', '.join(map(str, names))[:80]} {said}")


def _check_dataset_file(entry: Any, name: str) -> None:
    _check_kind("a file", entry, dict)
    if set(entry) != {"key", "nbytes", "crc32c"}:
        raise ValueError(f"a file has the fields {', '.join(map(str, entry))[:80]}")
    check_entry_values(entry["key"], entry["nbytes"], entry["crc32c"])
    if not entry["key"].startswith((f"datasets/{name}/", f"records/datasets/{name}/")):
        raise ValueError(f"{entry['key']} is no file of it")


def _check_seconds(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MOST_BYTES:
        raise ValueError(f"{what} is {str(value)[:40]!r}, not a number above 0")


def _check_origin(document: Mapping[str, Any]) -> None:
    """A collection may name the dataset and the codes that it was made from."""
    dataset, codes = document.get("dataset"), document.get("codes")
    if isinstance(dataset, dict):
        dataset = dataset.get("name")
    for what, name in (("a dataset", dataset), ("codes", codes)):
        if name is not None and name != "":
            _check_kind(f"the name of {what}", name, str)
            check_name(name, what)


def _layout(array: Any, unit_clips: int) -> ArrayLayout:
    _check_kind("an array", array, dict)
    _check_fields(array, _ARRAY_FIELDS)
    for dimension in array["dimensions"]:
        _check_kind("a dimension", dimension, str)
        check_name(dimension, "a dimension")
    for length in array["shape"]:
        _check_whole("the length of an axis", length, 1, MOST_BYTES)
    for field in ("shard_clips", "chunk_clips"):
        _check_whole(field, array.get(field), 1, MOST_UNIT_CLIPS)
    if array.get("compression") not in ("none", "zstd"):
        raise ValueError(f"its compression is {str(array.get('compression'))[:40]!r}, not none or zstd")
    layout = layout_from_document(array, unit_clips)
    check_layout(layout)
    _check_layers(layout)
    _check_heads(layout)
    return layout


def _check_layers(layout: ArrayLayout) -> None:
    layers = layout.spec.attributes.get("layers")
    if layers is None or layout.spec.dimensions[0] != "layer":
        return
    _check_kind("attributes.layers", layers, list)
    for layer in layers:
        _check_whole("a layer", layer, 0, MOST_BYTES)
    if len(set(layers)) != layout.parts:
        raise InvalidInput(
            f"array {layout.spec.name} has {layout.parts} layers, but names {len(set(layers))}"
        )


def _check_heads(layout: ArrayLayout) -> None:
    heads = layout.spec.attributes.get("heads", 1)
    _check_whole("attributes.heads", heads, 1, layout.spec.shape[-1])
    if layout.spec.shape[-1] % heads:
        raise InvalidInput(
            f"array {layout.spec.name} has {layout.spec.shape[-1]} features, which are not {heads} heads"
        )


def _check_fields(document: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    for name, kind in kinds.items():
        _check_kind(name, document.get(name), kind)


def _check_kind(what: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        names: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}
        said = "absent" if value is None else type(value).__name__
        raise TypeError(f"{what} is {said}, not {names[kind]}")


def _check_whole(what: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{what} is {str(value)[:40]}, not a whole number from {least} to {most}")
