"""Find the clips whose vectors at a layer are nearest to those of one clip, or to any vector."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.neighbours import Neighbours, nearest, nearest_in_cells
from jobs.similar.indexes import KeptIndex, kept_index
from jobs.similar.options import SimilarOptions
from store.catalog.activation_table import ActivationTable, LayerScan, activation_table
from store.catalog.asking import Catalog
from store.errors import InvalidInput, NotFound, counted
from store.opening import Store, open_store


@dataclass(frozen=True, slots=True, eq=False)
class Similar:
    """What was found."""

    table: pa.Table
    """Columns rank, clip_id, uri, distance; no rows where an index was made and nothing asked."""
    index: KeptIndex | None
    """Where it was looked for; None: everywhere, so that it is exact."""
    clips: int
    """How many clips of the layer have vectors."""


def find_similar(options: SimilarOptions, vector: NDArray[Any] | None = None) -> Similar:
    """The clips nearest to `options.clip`, which itself does not count, or to `vector` (D,).

    Raises:
        NotFound: there is no such run, array, layer or clip.
        InvalidInput: the array has several vectors per clip, or the vector another length.
    """
    store = open_store(options.store)
    scan = activation_table(store, ActivationTable(options.run, options.array, options.layer, "x"))
    if scan.point:
        raise InvalidInput(
            f"{options.array} has {counted(scan.points, 'vector')} per clip; take an array with one, such as "
            f"{options.array.split('.')[0]}.mean, or ask in SQL: undertone sql --activations"
        )
    index = None
    if options.indexed:
        index = kept_index(store, scan, options.metric, cells=options.cells, nprobe=options.nprobe)
    query, own = _query(scan, options.clip, vector)
    if query is None:
        return Similar(_table(store, scan, Neighbours(np.zeros(0, np.int64), np.zeros(0))), index, len(scan))
    if index is None:
        found = nearest(scan.read, query, options.count, options.metric, len(scan), but=own)
    else:
        found = nearest_in_cells(scan.read, query, options.count, index.cells, nprobe=options.nprobe, but=own)
    return Similar(_table(store, scan, found), index, len(scan))


def _query(scan: LayerScan, clip: str | None, vector: NDArray[Any] | None) -> tuple[NDArray[Any] | None, int]:
    """The vector to compare with, and the number that does not count."""
    if vector is not None:
        given = np.asarray(vector, np.float64)
        if given.shape != (scan.width,) or not (np.abs(given) <= np.finfo(np.float32).max).all():
            raise InvalidInput(f"The vector has the shape {given.shape}; give {scan.width} finite numbers.")
        return given, -1
    if clip is None:
        return None, -1
    place = scan.clip_ids.index(clip).as_py()
    if place < 0:
        raise NotFound(
            f"Clip {clip!r} has no vector in {scan.array} of {scan.run.prefix}: `undertone sql` lists the "
            "clips of a run, and its failures."
        )
    return scan.read(np.array([place]))[0], place


def _table(store: Store, scan: LayerScan, found: Neighbours) -> pa.Table:
    """With the recording of each clip; clips of a dataset that is gone have none."""
    ids = scan.clip_ids.take(pa.array(found.numbers))
    given = pa.table(
        {
            "rank": pa.array(np.arange(1, len(ids) + 1)),
            "clip_id": ids,
            "distance": pa.array(found.distances),
        }
    )
    return Catalog.of(store).ask(
        "SELECT rank, clip_id, any_value(uri) AS uri, distance FROM found LEFT JOIN clips USING (clip_id) "
        "GROUP BY ALL ORDER BY rank",
        tables={"found": given},
    )
