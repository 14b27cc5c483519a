"""Compare every layer of one run with every layer of another, and keep what is new."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.representation_similarity import (
    VERSION,
    PairMoments,
    Similarity,
    pair_moments,
    parts_of,
    similarity,
)
from jobs.compare.layers import name_of, sides_of
from jobs.compare.options import CompareOptions
from jobs.progress.reporting import stepped
from store.arrays.collection import Collection
from store.catalog.activation_table import ActivationTable, LayerScan, activation_table
from store.catalog.asking import Catalog
from store.errors import InvalidInput
from store.opening import Store
from store.results.fits import LAYER_SIMILARITIES, LayerSimilarityRow
from store.results.parts import committed_digest, digest_of, read_results, write_results
from store.results.table import now

KIND = "layer_similarities"
BLOCK_CLIPS = 4096
"""Clips whose vectors are held at a time."""

Read = Callable[[NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Two layers by the clips that both have."""

    x: LayerScan
    y: LayerScan
    places_x: NDArray[np.int64]
    places_y: NDArray[np.int64]
    parts: NDArray[np.int64]
    """Of the jackknife, for each of these clips."""


def run_compare(options: CompareOptions) -> pa.Table:
    """Rows of the view `layer_similarities` of all pairs of layers; what is stored is not computed again.

    Raises:
        NotFound: there is no such run, array or layer.
        InvalidInput: the runs share too few clips, or an array has several vectors per clip.
    """
    sides = sides_of(options)
    run, layers, other, other_layers = sides.run, sides.layers, sides.other, sides.other_layers
    tables = []
    with stepped("compare", unit="pairs") as advance:
        for done, (one, two) in enumerate(product(layers, other_layers), start=1):
            tables.append(_kept(sides.store, (run, *one), (other, *two)))
            advance(done, len(layers) * len(other_layers))
    return pa.concat_tables(tables)


def _kept(store: Store, one: tuple[Collection, str, int], two: tuple[Collection, str, int]) -> pa.Table:
    """The row of one pair, read or computed and stored."""
    specification = {
        "version": VERSION,
        "pair": [[committed_digest(run), name_of(run), array, layer] for run, array, layer in (one, two)],
    }
    stored = read_results(store, KIND, specification)
    if stored is not None:
        return stored
    joined = _joined(store, one, two)
    found = similarity(*moments_of_parts(joined))
    table = LAYER_SIMILARITIES.of([_row(specification, joined, found)])
    write_results(store, KIND, specification, table)
    return table


def _joined(store: Store, one: tuple[Collection, str, int], two: tuple[Collection, str, int]) -> Joined:
    x, y = (_scan(store, *layer) for layer in (one, two))
    places = pa.compute.index_in(x.clip_ids, value_set=y.clip_ids)
    both = np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False))
    ids = x.clip_ids.take(pa.array(both))
    if len(ids) < 2:
        raise InvalidInput(
            f"{name_of(x.run)} and {name_of(y.run)} share {len(ids)} clips: they are compared by clips of "
            "one dataset, cut alike."
        )
    return Joined(x, y, both, places.take(pa.array(both)).to_numpy().astype(np.int64), _parts(store, ids))


def _parts(store: Store, ids: pa.StringArray) -> NDArray[np.int64]:
    """By the groups of the clips; a clip that no dataset lists any more is a group of its own."""
    given = pa.table({"clip_id": ids, "place": pa.array(np.arange(len(ids)))})
    table = Catalog.of(store).ask(
        "SELECT place, coalesce(any_value(group_id), clip_id) AS part FROM given "
        "LEFT JOIN clips USING (clip_id) GROUP BY place, clip_id ORDER BY place",
        tables={"given": given},
    )
    return parts_of(np.array(table["part"].to_pylist(), dtype=str))


def _scan(store: Store, run: Collection, array: str, layer: int) -> LayerScan:
    return activation_table(store, ActivationTable(name_of(run), array, layer, "x"))


def moments_of_parts(joined: Joined) -> tuple[list[PairMoments], list[PairMoments], list[PairMoments]]:
    """Moments of each part of x with y, x with x and y with y, from blocks of clips."""
    sums: dict[int, tuple[PairMoments, ...]] = {}
    shift: tuple[NDArray[Any], NDArray[Any]] | None = None
    for rows_x, rows_y, parts in _blocks(joined):
        shift = shift or (rows_x.mean(axis=0), rows_y.mean(axis=0))
        x, y = rows_x - shift[0], rows_y - shift[1]
        for part in np.unique(parts).tolist():
            a, b = x[parts == part], y[parts == part]
            fresh = (pair_moments(a, b), pair_moments(a, a), pair_moments(b, b))
            known = sums.get(part)
            sums[part] = fresh if known is None else tuple(k + f for k, f in zip(known, fresh, strict=True))
    across, of_x, of_y = ([sums[part][kind] for part in sorted(sums)] for kind in range(3))
    return across, of_x, of_y


def _blocks(joined: Joined) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]]:
    for first in range(0, len(joined.parts), BLOCK_CLIPS):
        block = slice(first, first + BLOCK_CLIPS)
        x, y = joined.x.read(joined.places_x[block]), joined.y.read(joined.places_y[block])
        yield x.astype(np.float64), y.astype(np.float64), joined.parts[block]


def _row(specification: dict[str, Any], joined: Joined, found: Similarity) -> LayerSimilarityRow:
    x, y = joined.x, joined.y
    return LayerSimilarityRow(
        similarity_id=digest_of(specification),
        run_id=name_of(x.run),
        array=x.array,
        layer=x.layer,
        other_run_id=name_of(y.run),
        other_array=y.array,
        other_layer=y.layer,
        cka=found.cka,
        cka_low=found.low,
        cka_high=found.high,
        clips=len(joined.parts),
        parts=found.parts,
        created_at=now(),
    )
