"""Directions as files that other tools read: safetensors, or .npy with a JSON beside it.

A file holds a series: directions that differ in their layer only. In safetensors each is a tensor named
"direction.<layer>", as in repeng; everything else that is known of them is in the metadata.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from tokenize import TokenError
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.directions.options import FileForm
from jobs.directions.stored import SCHEMA
from store.errors import InvalidInput, NotFound
from store.results.fits import VECTORS, VectorRow

FORMAT, VERSION = "undertone vectors", "1"
UNIT_TOLERANCE = 1e-3
MOST_BYTES = 60
"""Of a part of a file's name: file systems take 255 bytes for all of it."""
REQUIRED = tuple(field.name for field in fields(VectorRow) if type(None) not in get_args(field.type))
"""Columns that are never NULL."""
_UNREADABLE = (
    *(ValueError, LookupError, TypeError, ArithmeticError, OSError, EOFError),
    *(SyntaxError, RecursionError, MemoryError, TokenError),
)
"""What NumPy, safetensors and JSON raise for files that are damaged."""
_SERIES = (
    *("run_id", "site", "head", "reduction", "concept", "positive", "negative", "method"),
    *("labels_hash", "folds"),
)


def series_of(vectors: Sequence[VectorRow]) -> list[list[VectorRow]]:
    """Directions that differ in their layer only, in order of layers; a layer comes once in a series."""
    found: dict[tuple[Any, ...], list[VectorRow]] = {}
    for vector in sorted(vectors, key=lambda one: (one.layer, one.created_at)):
        key: tuple[Any, ...] = tuple(getattr(vector, name) for name in _SERIES)
        place = 0
        while any(one.layer == vector.layer for one in found.get((*key, place), ())):
            place += 1
        found.setdefault((*key, place), []).append(vector)
    return list(found.values())


def write_series(folder: Path, series: Sequence[VectorRow], form: FileForm) -> Path:
    """Write one file into a folder, named by what it holds; returns its path."""
    path = folder / f"{_file_name(series[0])}.{form}"
    directions = np.stack([vector.vector for vector in series]).astype(np.float32)
    described = [_described(vector) for vector in series]
    if form == "npy":
        np.save(path, directions, allow_pickle=False)
        document = {"format": FORMAT, "version": VERSION, "layers": [vector.layer for vector in series]}
        text = json.dumps(document | {"vectors": described}, indent=1, ensure_ascii=False)
        path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    else:
        from safetensors.numpy import save_file

        tensors = {f"direction.{vector.layer}": row for vector, row in zip(series, directions, strict=True)}
        metadata = {"format": FORMAT, "version": VERSION, "vectors": json.dumps(described)}
        save_file(tensors, path, metadata=metadata)
    return path


def read_file(path: Path) -> tuple[dict[int, NDArray[np.float32]], list[dict[str, Any]] | None]:
    """Directions by layer, and what the file says of them: None where another tool wrote it.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read, or does not say which layers it holds.
    """
    if not path.is_file():
        raise NotFound(f'there is no file "{path}"')
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        if path.suffix == ".npy":
            return _read_npy(path)
    except _UNREADABLE as error:
        raise InvalidInput(f'"{path}" cannot be read as directions: {_reason(error)}') from error
    raise InvalidInput(f'"{path.name}" is neither .safetensors nor .npy.')


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def imported_rows(described: Any, directions: Mapping[int, NDArray[np.float32]]) -> list[VectorRow]:
    """Rows of `vectors` from a file that Undertone wrote; raises `InvalidInput` where it was changed."""
    if not isinstance(described, list) or not all(isinstance(known, dict) for known in described):
        raise InvalidInput("The description of the directions is no list of objects: the file was changed.")
    return [_imported_row(known, directions) for known in described]


def _imported_row(known: Mapping[str, Any], directions: Mapping[int, NDArray[np.float32]]) -> VectorRow:
    name = f"The description of {known.get('vector_id', 'a direction')}"
    missing = [column for column in REQUIRED if known.get(column) is None and column != "vector"]
    if missing:
        raise InvalidInput(f"{name} lacks {', '.join(missing)}.")
    named = dict(zip(VECTORS.present_names(list(known)), known.values(), strict=True))
    row: dict[str, Any] = {column: named.get(column) for column in SCHEMA.names if column != "vector"}
    try:
        row["created_at"] = datetime.fromisoformat(str(known["created_at"])).replace(tzinfo=None)
    except ValueError as error:
        raise InvalidInput(f"{name} says created_at {known['created_at']!r}, which is no date.") from error
    for column, value in row.items():
        _check_type(name, column, value)
    vector = directions.get(known["layer"])
    if vector is None or len(vector) != known["width"] or known["layer"] < 0:
        raise InvalidInput(f"{name} disagrees with its numbers.")
    if abs(float(np.linalg.norm(vector)) - 1) > UNIT_TOLERANCE:
        raise InvalidInput(f"Direction {known['vector_id']} does not have length 1: the file was changed.")
    _check_reader(known, vector)
    return VectorRow(**row, vector=vector)


def _check_reader(known: Mapping[str, Any], vector: NDArray[np.float32]) -> None:
    """What an eraser reads has to fit what it erases, or it would add and not remove."""
    if known.get("reader") is None:
        return
    reader = np.asarray(known["reader"], np.float64)
    fits = reader.shape == vector.shape and abs(float(reader @ vector) - 1) <= UNIT_TOLERANCE
    if not fits or not np.isfinite(known.get("reader_offset") or 0.0):
        raise InvalidInput(
            f"The reader of direction {known['vector_id']} does not fit it: the file was changed."
        )


def _check_type(name: str, column: str, value: Any) -> None:
    kind = SCHEMA.field(column).type
    try:
        pa.array([value], kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise InvalidInput(f"{name} says {column} {value!r}, which is no {kind}.") from error


def _read_safetensors(
    path: Path,
) -> tuple[dict[int, NDArray[np.float32]], list[dict[str, Any]] | None]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    directions = {_layer_in(name): _flat(name, tensor) for name, tensor in tensors.items()}
    if len(directions) < len(tensors):
        raise ValueError(f"several tensors belong to one layer ({', '.join(sorted(tensors))})")
    described = json.loads(metadata["vectors"]) if metadata.get("format") == FORMAT else None
    return directions, described


def _read_npy(path: Path) -> tuple[dict[int, NDArray[np.float32]], list[dict[str, Any]] | None]:
    values = np.atleast_2d(np.load(path, mmap_mode="r", allow_pickle=False))  # a header may promise terabytes
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return {layer: _flat(path.name, row) for layer, row in enumerate(values)}, None
    document = json.loads(beside.read_text(encoding="utf-8"))
    directions = {
        int(layer): _flat(path.name, row) for layer, row in zip(document["layers"], values, strict=True)
    }
    return directions, document["vectors"] if document.get("format") == FORMAT else None


def _flat(name: str, tensor: NDArray[Any]) -> NDArray[np.float32]:
    """One direction (D,) from a tensor with one axis longer than 1."""
    if np.asarray(tensor).dtype.kind not in "fiu":
        raise ValueError(f"{name} holds {np.asarray(tensor).dtype}, which are no real numbers")
    vector = np.asarray(tensor, np.float32).reshape(-1)
    if max(np.shape(tensor), default=0) != len(vector) or not np.isfinite(vector).all():
        raise ValueError(f"{name} is no direction: shape {np.shape(tensor)}, or numbers that are not finite")
    return vector


def _layer_in(name: str) -> int:
    """The last number in the name of a tensor; a dash after a letter or digit is no sign."""
    numbers = re.findall(r"(?:(?<![^\W_])-)?\d+", name)
    if not numbers or numbers[-1].startswith("-"):
        what = f"the layer {numbers[-1]}, and layers count from 0" if numbers else "no layer number"
        raise ValueError(f'the name of tensor "{name}" has {what}: name it like "direction.12"')
    return int(numbers[-1])


def _described(vector: VectorRow) -> dict[str, Any]:
    """A row as JSON values, without the numbers of the direction."""
    row = {name: value for name, value in asdict(vector).items() if name != "vector"}
    if vector.reader is not None:
        row["reader"] = vector.reader.tolist()
    return row | {"created_at": vector.created_at.isoformat()}


def _file_name(vector: VectorRow) -> str:
    """What a series is about, cut to what every file system takes; the id keeps names apart."""
    contrast = vector.positive if vector.negative is None else f"{vector.negative}-to-{vector.positive}"
    parts = (vector.concept, contrast, vector.method, vector.site, vector.reduction, vector.vector_id[:6])
    return ".".join(_shortened(re.sub(r"[^\w-]+", "_", part)) for part in parts)


def _shortened(part: str) -> str:
    return part.encode()[:MOST_BYTES].decode(errors="ignore")
