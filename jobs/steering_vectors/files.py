"""Directions as files that other tools read: safetensors, or .npy with a JSON beside it.

A file holds a series: directions that differ in their layer only. In safetensors each is a tensor named
"direction.<layer>", as in repeng; everything else that is known of them is in the metadata.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jobs.steering_vectors.stored import SCHEMA, StoredVector, row_of
from store.errors import InvalidInput, NotFound

FileForm = Literal["safetensors", "npy"]
FORMAT, VERSION = "undertone vectors", "1"
UNIT_TOLERANCE = 1e-3
_SERIES = ("run_id", "site", "reduction", "concept", "positive", "negative", "method", "labels_hash", "folds")


def series_of(vectors: Sequence[StoredVector]) -> list[list[StoredVector]]:
    """Directions that differ in their layer only, in order of layers; a layer comes once in a series."""
    found: dict[tuple[Any, ...], list[StoredVector]] = {}
    for vector in sorted(vectors, key=lambda one: (one.layer, one.created_at)):
        key: tuple[Any, ...] = tuple(getattr(vector, name) for name in _SERIES)
        place = 0
        while any(one.layer == vector.layer for one in found.get((*key, place), ())):
            place += 1
        found.setdefault((*key, place), []).append(vector)
    return list(found.values())


def write_series(folder: Path, series: Sequence[StoredVector], form: FileForm) -> Path:
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
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        raise InvalidInput(f'"{path}" cannot be read as directions: {error}') from error
    raise InvalidInput(f'"{path.name}" is neither .safetensors nor .npy.')


def imported_rows(
    described: Sequence[Mapping[str, Any]], directions: Mapping[int, NDArray[np.float32]]
) -> list[dict[str, Any]]:
    """Rows of `vectors` from a file that Undertone wrote; raises `InvalidInput` where it was changed."""
    rows = []
    for known in described:
        missing = [name for name in SCHEMA.names if name not in known and name != "vector"]
        vector = directions.get(known.get("layer", -1))
        if missing or vector is None or len(vector) != known["width"]:
            what = f"lacks {', '.join(missing)}" if missing else "disagrees with its numbers"
            raise InvalidInput(f"The description of {known.get('vector_id', 'a direction')} {what}.")
        if abs(float(np.linalg.norm(vector)) - 1) > UNIT_TOLERANCE:
            raise InvalidInput(
                f"Direction {known['vector_id']} does not have length 1: the file was changed."
            )
        created_at = datetime.fromisoformat(known["created_at"])
        rows.append({**known, "vector": vector, "created_at": created_at})
    return rows


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
    values = np.atleast_2d(np.load(path, allow_pickle=False))
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
    vector = np.asarray(tensor, np.float32).reshape(-1)
    if max(np.shape(tensor), default=0) != len(vector) or not np.isfinite(vector).all():
        raise ValueError(f"{name} is no direction: shape {np.shape(tensor)}, or numbers that are not finite")
    return vector


def _layer_in(name: str) -> int:
    """The last number in the name of a tensor."""
    numbers = re.findall(r"\d+", name)
    if not numbers:
        raise ValueError(f'the name of tensor "{name}" has no layer number, as "direction.12" has')
    return int(numbers[-1])


def _described(vector: StoredVector) -> dict[str, Any]:
    """A row as JSON values, without the numbers of the direction."""
    row = {name: value for name, value in row_of(vector).items() if name != "vector"}
    return row | {"created_at": vector.created_at.isoformat()}


def _file_name(vector: StoredVector) -> str:
    contrast = vector.positive if vector.negative is None else f"{vector.negative}-to-{vector.positive}"
    parts = (vector.concept, contrast, vector.method, vector.site, vector.reduction, vector.vector_id[:6])
    return ".".join(re.sub(r"[^\w-]+", "_", part) for part in parts)
