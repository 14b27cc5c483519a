"""One layer of an array as a table (clip_id, vector), whose vectors are read when a query needs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store.arrays.collection import Collection
from store.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from store.opening import Store

FORM = "RUN:SITE.REDUCTION:LAYER=NAME"
POINTS: Mapping[str, str] = {"frames": "frame", "segments": "segment"}
"""By what is kept of a clip, where that is several vectors: the column that numbers them, from 0."""


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


@dataclass(frozen=True, slots=True, eq=False)
class LayerScan:
    """Vectors of the committed clips of a layer that did not fail, in plan order, by their number.

    SQL sees a table (clip_id VARCHAR, vector FLOAT[D]), with a column frame or segment where a clip has
    several. Nothing is read before a query needs it, and then the rows that it needs.
    """

    run: Collection
    array: str
    layer: int
    rows: NDArray[np.int64]
    """Row of each clip in the array."""
    clip_ids: pa.StringArray
    points: int
    """Vectors per clip."""
    point: str
    """Name of the column that numbers those of a clip; "": there is one."""
    width: int

    def __len__(self) -> int:
        """How many vectors there are."""
        return len(self.rows) * self.points

    def keys(self) -> pa.Table:
        """Columns clip_id and row, the number of its first vector."""
        first = np.arange(len(self.rows), dtype=np.int64) * self.points
        return pa.table({"clip_id": self.clip_ids, "row": pa.array(first)})

    def read(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of these numbers, (n, D)."""
        vectors = np.empty((len(numbers), self.width), np.float32)
        self.read_into(numbers, vectors)
        return vectors

    def read_into(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """The same, into memory that the caller has."""
        if self.points == 1 and (np.diff(numbers) > 0).all():
            self.run.read_layer_rows_into(self.array, self.layer, self.rows[numbers], vectors)
            return
        clips, places = np.divmod(numbers, self.points)
        distinct, back = np.unique(clips, return_inverse=True)
        values: NDArray[Any] = self.run.read_layer_rows(self.array, self.layer, self.rows[distinct])
        vectors[...] = values[back, places] if self.points > 1 else values[back]


def activation_table(store: "Store", request: ActivationTable) -> LayerScan:
    """The table of one layer, for `run_query`; raises `NotFound` where there is none."""
    run = store.run(request.run)
    spec = run.arrays.get(request.array)
    if spec is None:
        known = ", ".join(sorted(run.arrays))
        raise NotFound(f'run "{request.run}" has no array "{request.array}"; it holds {known}')
    axes = spec.dimensions
    if axes[0] != "layer" or axes[-1] != "feature" or len(axes) > 3:
        raise InvalidInput(
            f'"{request.array}" has dimensions (clip, {", ".join(axes)}), which are no vectors of layers: '
            "read it in Python"
        )
    if request.layer not in run.layers(request.array):
        raise NotFound(
            f'Layer {request.layer} is not in "{request.array}" of {run.prefix} '
            f"(layers {run.layers(request.array)})."
        )
    rows, clip_ids = run.index().usable
    return LayerScan(
        run,
        request.array,
        request.layer,
        rows,
        clip_ids,
        points=spec.shape[1] if len(axes) == 3 else 1,
        point=POINTS.get(request.array.rsplit(".", 1)[-1], "point") if len(axes) == 3 else "",
        width=spec.shape[-1],
    )
