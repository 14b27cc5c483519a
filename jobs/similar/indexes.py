"""Make, keep and find indexes of a layer: results, told apart by what was committed when they were made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import neighbours
from analysis.neighbours import Cells, Metric, make_cells, nearest, nearest_in_cells, recall
from jobs.progress.reporting import stepped
from store.catalog.activation_table import LayerScan
from store.opening import Store
from store.results.fits import NeighbourCellRow
from store.results.parts import committed_digest, digest_of, read_results, write_results
from store.results.schemas import TABLES
from store.results.table import now

KIND = "neighbour_cells"
SEED = 0
QUESTIONS = 100
"""Clips whose nearest are looked for both ways, to say what share the index finds."""
RECALL_COUNT = 10


@dataclass(frozen=True, slots=True, eq=False)
class KeptIndex:
    """An index of a layer, and how much of the truth it finds."""

    cells: Cells
    recall: float
    """Share of the ten nearest that are found, over some clips of the layer."""
    made_now: bool


def kept_index(store: Store, scan: LayerScan, metric: Metric, *, cells: int | None, nprobe: int) -> KeptIndex:
    """The index of a layer as it stands now; made and committed where the store has none.

    Args:
        store: where it is kept.
        scan: the vectors.
        metric: which distance counts.
        cells: how many; by default the square root of the number of vectors.
        nprobe: number of cells that a question searches, which the recall is of.
    """
    wanted = cells or max(1, round(len(scan) ** 0.5))
    specification = _specification(scan, metric, wanted, nprobe)
    stored = read_results(store, KIND, specification)
    if stored is not None:
        rows = stored.select(["centre", "members", "recall"])
        centres = np.stack([np.asarray(one, np.float32) for one in rows["centre"].to_pylist()])
        members = tuple(np.asarray(one.values, np.int64) for one in rows["members"])
        return KeptIndex(Cells(centres, members, metric), rows["recall"][0].as_py(), made_now=False)
    with stepped("index", unit="clips") as advance:
        made = make_cells(scan.read, len(scan), metric, cells=wanted, seed=SEED, advance=advance)
    found = _recall(scan, made, nprobe)
    write_results(
        store, KIND, specification, TABLES[KIND].of(_rows(scan, specification, made, found, nprobe))
    )
    return KeptIndex(made, found, made_now=True)


def _specification(scan: LayerScan, metric: Metric, cells: int, nprobe: int) -> dict[str, Any]:
    """All that decides an index; the version of the method is a part of it."""
    return {
        "run": scan.run.prefix,
        "array": scan.array,
        "layer": scan.layer,
        "committed": committed_digest(scan.run),
        "metric": metric,
        "cells": cells,
        "probes": nprobe,  # ids of stored indexes are made of this word
        "seed": SEED,
        "version": neighbours.VERSION,
    }


def _recall(scan: LayerScan, made: Cells, nprobe: int) -> float:
    drawn = np.random.default_rng(SEED + 1).permutation(len(scan))[:QUESTIONS]
    shares = []
    for number, query in zip(drawn.tolist(), scan.read(drawn), strict=True):
        exact = nearest(scan.read, query, RECALL_COUNT, made.metric, len(scan), but=number)
        found = nearest_in_cells(scan.read, query, RECALL_COUNT, made, nprobe=nprobe, but=number)
        shares.append(recall(found, exact))
    return float(np.mean(shares))


def _rows(
    scan: LayerScan, specification: dict[str, Any], made: Cells, found: float, nprobe: int
) -> Sequence[NeighbourCellRow]:
    index_id, written = digest_of(specification), now()
    return [
        NeighbourCellRow(
            index_id=index_id,
            run_id=scan.run.prefix.removeprefix("runs/"),
            array=scan.array,
            layer=scan.layer,
            metric=made.metric,
            cell=cell,
            centre=centre,
            members=members.tolist(),
            nprobe=nprobe,
            recall=found,
            created_at=written,
        )
        for cell, (centre, members) in enumerate(zip(made.centres, made.members, strict=True))
    ]
