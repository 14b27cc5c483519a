"""Nearest clips in SQL beside NumPy on the same stored layer: both read it and compute.

python -m benchmarks.nearest [--clips N] [--width D] [--rounds N] [--folder DIR | --store PATH]
python -m benchmarks.nearest --memory [--clips N] [--width D] [--folder DIR]

NumPy reads the layer at once, by products (x·x − 2 x·q) and as people write it (the norm of x − q). Rounds
of all take turns, so that a busy machine is busy for each; the quickest counts, by the clock and, of all
processes together, in processor time. Answers are compared with float64 and norms of differences. With
--memory it tells what scans of a layer of ones hold at most, in both processes.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
from numpy.typing import NDArray

from analysis.neighbours import Metric, nearest, nearest_in_cells
from benchmarks.fits import write_run
from jobs.similar.indexes import kept_index
from store.catalog.activation_table import ActivationTable, LayerScan, activation_table
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.opening import open_store
from store.records import ArraySpec, ClipStatus

COUNT, NPROBE = 5, 8


def main() -> None:
    """Print a line for every way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--store", type=Path, help="one that benchmarks.fits has written")
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    if options.store:
        compare(options.store, options.rounds)
        return
    if options.memory:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            tell_memory(Path(folder) / "ones.store", options.clips, options.width)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        write_run(Path(folder) / "nearest.store", options.clips, options.width)
        compare(Path(folder) / "nearest.store", options.rounds)


def compare(path: Path, rounds: int) -> None:
    """All ways, in turn."""
    store = open_store(path)
    catalog = refresh_catalog(store)
    scan = activation_table(store, ActivationTable("fits", "resid.mean", 0, "x"))
    query = scan.read(np.array([7]))[0]
    kind = f"FLOAT[{scan.width}]"

    def sql(function: str) -> list[Any]:
        asked = f"SELECT clip_id, {function}(vector, $q::{kind}) AS d FROM x ORDER BY d LIMIT {COUNT}"
        found = run_query(catalog, asked, tables={"x": scan}, parameters={"q": query.tolist()})
        names: list[Any] = found["clip_id"].to_pylist()
        return names

    def similar(metric: Metric) -> list[Any]:
        numbers = nearest(scan.read, query, COUNT, metric, len(scan)).numbers
        return [scan.clip_ids[number].as_py() for number in numbers.tolist()]

    ways: dict[str, Callable[[], Any]] = {
        "NumPy, products": lambda: by_products(scan, query),
        "NumPy, norms of differences": lambda: by_norms(scan, query),
        "SQL, array_distance": lambda: sql("array_distance"),
        "SQL, array_cosine_distance": lambda: sql("array_cosine_distance"),
        "undertone similar, euclidean": lambda: similar("euclidean"),
        "undertone similar, cosine": lambda: similar("cosine"),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds + 1):  # the first warms up
        for name, way in ways.items():
            started, worked = time.perf_counter(), processor_seconds()
            way()
            seconds[name].append((time.perf_counter() - started, processor_seconds() - worked))
    least, least_work = best_of_rounds(seconds["NumPy, products"])
    every = distances_of(scan, query)
    for name, found in seconds.items():
        best, work = best_of_rounds(found)
        missed = missed_of(ways[name](), every["cosine" if "cosine" in name else "euclidean"])
        told = f"{best:7.3f} s {best / least:6.2f} ×, of processors {work:7.3f} s {work / least_work:6.2f} ×"
        print(f"{name:<30} {told} NumPy's products, {missed} missed", flush=True)
    tell_index(scan, query, rounds)


def tell_index(scan: LayerScan, query: NDArray[np.float32], rounds: int) -> None:
    """What the index costs, finds and saves."""
    store = open_store(scan.run.objects.url)
    worked = time.process_time()
    index = kept_index(store, scan, "euclidean", cells=None, nprobe=NPROBE)
    print(f"index: {time.process_time() - worked:.1f} s of a processor, recall {index.recall:.2f}, ", end="")
    seconds = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        nearest_in_cells(scan.read, query, COUNT, index.cells, nprobe=NPROBE)
        seconds.append(time.perf_counter() - started)
    print(
        f"{len(index.cells.members)} cells of which {NPROBE} are searched in {min(seconds[1:]):.4f} s",
        flush=True,
    )


def tell_memory(path: Path, count: int, width: int) -> None:
    """Peaks of the process that asks and of the one that answers, over several questions."""
    os.fsync = lambda _: None  # type: ignore[assignment]
    store = open_store(path, create=True)
    spec = ArraySpec("resid.mean", ("layer", "feature"), (1, width), "float32", {"layers": [0]})
    clips = pa.table({name: [f"{n:07d}" for n in range(count)] for name in ("clip_id", "uri")})
    for name in ("start_seconds", "duration_seconds"):
        clips = clips.append_column(name, pa.array(np.zeros(count)))
    for name in ("text", "sha256"):
        clips = clips.append_column(name, pa.repeat(pa.scalar(""), count))
    run = store.create_run("ones", document={"model": {}}, arrays=[spec], clips=clips, unit_clips=1024)
    rows = np.ones((1024, 1, width), np.float32)
    for unit in run.missing():
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, rows[: len(unit.clips)])
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()
    catalog = refresh_catalog(store)
    scan = activation_table(store, ActivationTable("ones", "resid.mean", 0, "x"))
    run_query(catalog, "SELECT count(*) FROM x", tables={"x": scan})
    for asked in (
        "SELECT clip_id, vector[1] FROM x WHERE clip_id LIKE '%7'",
        f"SELECT clip_id FROM x ORDER BY array_distance(vector, $q::FLOAT[{width}]) LIMIT 5",
    ):
        processes = [psutil.Process(), *psutil.Process().children()]
        for process in processes:
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        before, started = [one.memory_info().rss for one in processes], time.perf_counter()
        parameters = {"q": [1.0] * width} if "$q" in asked else {}
        found = run_query(catalog, asked, tables={"x": scan}, parameters=parameters, timeout_seconds=600)
        grown = [(peak_of(one) - rss) / 1e6 for one, rss in zip(processes, before, strict=True)]
        seconds = time.perf_counter() - started
        told = f"{grown[0]:.0f} MB asking and {grown[1]:.0f} MB answering"
        print(f"{asked}: {found.num_rows} rows, {seconds:.1f} s, {told}", flush=True)


def peak_of(process: psutil.Process) -> int:
    """Bytes that a process has held at most since its peak began anew."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def processor_seconds() -> float:
    """Of this process, and of those that answer SQL."""
    children = psutil.Process().children()
    return time.process_time() + sum(sum(child.cpu_times()[:2]) for child in children)


def best_of_rounds(found: list[tuple[float, float]]) -> tuple[float, float]:
    """The least by the clock and the least of processors, without the first round."""
    return min(one[0] for one in found[1:]), min(one[1] for one in found[1:])


def distances_of(scan: LayerScan, query: NDArray[np.float32]) -> dict[str, dict[str, float]]:
    """Of every clip by its id, in float64."""
    rows, ids = scan.run.read_layer(scan.array, scan.layer)
    wide = query.astype(np.float64)
    unit = wide / np.linalg.norm(wide)
    euclidean, cosine = np.empty(len(rows)), np.empty(len(rows))
    for number, row in enumerate(rows):
        one = row.astype(np.float64)
        euclidean[number] = np.linalg.norm(one - wide)
        cosine[number] = 1 - one @ unit / np.linalg.norm(one)
    return {
        "euclidean": dict(zip(ids, euclidean.tolist(), strict=True)),
        "cosine": dict(zip(ids, cosine.tolist(), strict=True)),
    }


def missed_of(found: list[str], every: dict[str, float]) -> int:
    """How many of the nearest are not among those found; of equal ones any counts."""
    limit = sorted(every.values())[COUNT - 1] + 1e-14
    return COUNT - sum(every[clip] <= limit for clip in set(found))


def by_products(scan: LayerScan, query: NDArray[np.float32]) -> list[str]:
    """Read the layer, then the nearest in float32."""
    rows, ids = scan.run.read_layer(scan.array, scan.layer)
    distances = np.einsum("ij,ij->i", rows, rows) - 2 * (rows @ query)
    return best_of(distances, ids)


def by_norms(scan: LayerScan, query: NDArray[np.float32]) -> list[str]:
    """Read the layer, then the norms of all differences."""
    rows, ids = scan.run.read_layer(scan.array, scan.layer)
    return best_of(np.linalg.norm(rows - query, axis=1), ids)


def best_of(distances: NDArray[np.floating[Any]], ids: list[str]) -> list[str]:
    """Clips of the smallest, in order."""
    best = np.argpartition(distances, COUNT)[:COUNT]
    return [ids[place] for place in best[np.argsort(distances[best])]]


if __name__ == "__main__":
    main()
