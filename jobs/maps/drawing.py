"""Draw the clips of a layer as a map; one by UMAP is kept in the store."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis import maps
from analysis.maps import Points, in_a_plane, neighbour_map, principal_components, projected, trust
from jobs.maps.options import MapOptions
from jobs.progress.reporting import stepped
from store.catalog.activation_table import ActivationTable, LayerScan, activation_table
from store.errors import InvalidInput, counted
from store.opening import open_store
from store.results.maps import CLIP_MAPS
from store.results.parts import committed_digest, digest_of, read_results, write_results
from store.results.table import now


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Where clips of a layer lie in a plane."""

    clip_ids: pa.StringArray
    """(n,)."""
    points: Points
    """(n, 2)."""
    shares: tuple[float, float] | None
    """Of pca: the share of the variance along either axis."""
    trust: float
    """Trustworthiness beside the first 50 principal components."""
    clips: int
    """That the layer has; n of them are drawn."""

    @property
    def notes(self) -> list[str]:
        """What to know of it in sentences."""
        if len(self.clip_ids) == self.clips:
            return []
        return [f"{len(self.clip_ids):,} of {self.clips:,} clips are drawn, chosen by lot."]


def draw_map(options: MapOptions) -> Drawn:
    """The map of a layer; one by UMAP is read where the store has it, else made and, if wanted, kept.

    Raises:
        NotFound: there is no such run, array or layer.
        InvalidInput: the array has several vectors per clip, there are too few, or a library is missing.
    """
    store = open_store(options.store)
    scan = activation_table(store, ActivationTable(options.run, options.array, options.layer, "x"))
    if scan.point:
        raise InvalidInput(
            f"{options.array} has {counted(scan.points, 'vector')} per clip; draw an array with one, such as "
            f"{options.array.split('.')[0]}.mean."
        )
    drawn = np.sort(np.random.default_rng(options.seed).permutation(len(scan))[: options.clips])
    if options.method == "pca":
        return _by_components(scan, drawn, options.seed)
    specification = _specification(scan, options)
    stored = read_results(store, CLIP_MAPS.kind, specification)
    if stored is not None:
        return _of_stored(stored)
    made = _by_neighbours(scan, drawn, options.seed)
    if options.keep:
        write_results(store, CLIP_MAPS.kind, specification, _table(scan, options, specification, made))
    return made


def _by_components(scan: LayerScan, drawn: NDArray[np.int64], seed: int) -> Drawn:
    found = principal_components(scan.read, drawn, maps.SEEN_COMPONENTS)
    seen = projected(scan.read, drawn, found)
    points = in_a_plane(seen)
    first, second = (float(one) for one in np.append(found.shares, 0.0)[:2])
    measured = trust(seen, points, seed=seed)
    return Drawn(_ids(scan, drawn), points, (first, second), measured, len(scan))


def _by_neighbours(scan: LayerScan, drawn: NDArray[np.int64], seed: int) -> Drawn:
    found = principal_components(scan.read, drawn, maps.SEEN_COMPONENTS)
    seen = projected(scan.read, drawn, found)
    with stepped("map", unit="epochs") as advance:
        points = neighbour_map(seen, seed=seed, advance=advance)
    return Drawn(_ids(scan, drawn), points, None, trust(seen, points, seed=seed), len(scan))


def _ids(scan: LayerScan, drawn: NDArray[np.int64]) -> pa.StringArray:
    return scan.clip_ids.take(pa.array(drawn))


def _specification(scan: LayerScan, options: MapOptions) -> dict[str, Any]:
    return {
        "run": scan.run.prefix,
        "array": scan.array,
        "layer": scan.layer,
        "committed": committed_digest(scan.run),
        "method": options.method,
        "clips": options.clips,
        "seed": options.seed,
        "version": maps.VERSION,
    }


def _table(scan: LayerScan, options: MapOptions, specification: dict[str, Any], made: Drawn) -> pa.Table:
    rows = len(made.clip_ids)
    same = {
        "map_id": digest_of(specification),
        "run_id": scan.run.prefix.removeprefix("runs/"),
        "array": scan.array,
        "layer": scan.layer,
        "method": options.method,
        "trust": made.trust,
        "clips": made.clips,
        "seed": options.seed,
        "created_at": now(),
    }
    x, y = made.points.T
    repeated = {name: [value] * rows for name, value in same.items()}
    return CLIP_MAPS.of_columns(repeated | {"clip_id": made.clip_ids, "x": pa.array(x), "y": pa.array(y)})


def _of_stored(rows: pa.Table) -> Drawn:
    points = np.stack([rows["x"].to_numpy(), rows["y"].to_numpy()], axis=1)
    ids = rows["clip_id"].combine_chunks()
    return Drawn(ids, points, None, rows["trust"][0].as_py(), rows["clips"][0].as_py())
