"""One layer of one pooled array as a table (clip_id, vector), so that SQL can measure distances."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from store.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from store.opening import Store

FORM = "RUN:SITE.REDUCTION:LAYER=NAME"


@dataclass(frozen=True, slots=True)
class ActivationTable:
    """Which vectors a query wants to see, and the name of the table that shows them."""

    run: str
    """Run id or a unique beginning of one."""
    array: str
    """"<site>.<reduction>", for example "resid.mean"."""
    layer: int
    """The model's layer number."""
    name: str


def parse_activation_table(text: str) -> ActivationTable:
    """Reads `RUN:SITE.REDUCTION:LAYER=NAME`, for example "3f2a:resid.mean:12=x"."""
    source, equals, name = text.rpartition("=")
    parts = source.split(":")
    if not equals or len(parts) != 3 or not all(parts) or not name.isidentifier():
        raise InvalidInput(f'"{text}" is not of the form {FORM}, for example 3f2a:resid.mean:12=x')
    run, array, layer = parts
    if not layer.isdecimal():
        raise InvalidInput(f'"{layer}" in "{text}" is not a layer number; the form is {FORM}')
    return ActivationTable(run, array, int(layer), name)


def activation_table(store: "Store", request: ActivationTable) -> pa.Table:
    """Table (clip_id VARCHAR, vector FLOAT[D]) of the committed, not failed clips in plan order."""
    run = store.run(request.run)
    spec = run.arrays.get(request.array)
    if spec is None:
        known = ", ".join(sorted(run.arrays))
        raise NotFound(f'run "{request.run}" has no array "{request.array}"; it holds {known}')
    if spec.dimensions != ("layer", "feature"):
        pooled = [name for name, other in run.arrays.items() if other.dimensions == ("layer", "feature")]
        instead = f"use {', '.join(sorted(pooled))}" if pooled else "extract again with --reduce mean"
        raise InvalidInput(
            f'"{request.array}" has dimensions (clip, {", ".join(spec.dimensions)}), more than one vector '
            f"per clip: SQL takes pooled arrays only; {instead}, or read it in Python with run.read_layer"
        )
    values, clip_ids = run.read_layer(request.array, request.layer)
    return vector_table(clip_ids, values)


def vector_table(clip_ids: list[str], values: np.ndarray) -> pa.Table:
    """Table (clip_id, vector) of `values` (N, D) float; DuckDB sees the vectors as FLOAT[D], not copied."""
    flat = np.ascontiguousarray(values, dtype=np.float32).reshape(-1)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat), values.shape[1])
    return pa.table({"clip_id": pa.array(clip_ids, pa.string()), "vector": vectors})
