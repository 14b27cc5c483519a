"""Probes against loops over scikit-learn, moments against plain GEMM, a new concept end to end, memory.

python -m benchmarks.probes [mse] [moments] [concept] [memory]   (all of them by default)
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.linear.moments import moments_of
from analysis.linear.penalties import PENALTIES, nested_ridge
from analysis.linear.ridge import PrimalRidge, target_moments
from analysis.splits import fold_partition
from benchmarks.measure import interleaved, ratio_line, seconds_of
from jobs.fitting.threads import one_thread
from jobs.probe.options import ProbeOptions
from jobs.probe.running import probe_run
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

FOLDS = 5
CONCEPTS, CLASSES = 7, 4
GROUPS = 800
UNIT_CLIPS = 1000


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a run is."""

    layers: int
    rows: int
    width: int


def world(shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (N, D) of one layer, codes (concepts, N) that they hold weakly, groups."""
    random = np.random.default_rng(0)
    features = random.standard_normal((shape.rows, shape.width), dtype=np.float32)
    features[:, 0] = 120 + 2 * features[:, 0]
    planted = features[:, 1 : 1 + CONCEPTS * CLASSES].reshape(shape.rows, CONCEPTS, CLASSES)
    noisy = planted + random.standard_normal(planted.shape)
    groups = np.array([f"g{row % GROUPS}" for row in range(shape.rows)])
    return features, noisy.argmax(axis=2).T, groups


def mse(shape: Shape, repetitions: int) -> None:
    """Nested ridge probes of one layer against scikit-learn, of which a few fits are timed and scaled."""
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    features, codes, groups = world(shape)
    targets = np.concatenate(
        [codes[concept][:, np.newaxis] == np.arange(CLASSES) for concept in range(CONCEPTS)], axis=1
    )
    columns, partition = targets.astype(np.float64), fold_partition(groups, FOLDS)
    sharing = np.repeat(np.arange(CONCEPTS), CLASSES)
    shift = features.mean(axis=0, dtype=np.float64)
    found: list[np.ndarray] = []

    def ours() -> None:
        moments = moments_of(features, partition.cells, FOLDS, shift)
        crosses = target_moments(features, columns, partition.cells, FOLDS, shift)
        nested = nested_ridge(PrimalRidge(moments, crosses), partition, sharing)
        found[:] = [nested.predict(features, partition.cells), nested.penalties]

    training = partition.cells > 1

    def one_fit() -> None:
        scaled = StandardScaler().fit_transform(features[training].astype(np.float64))
        Ridge(alpha=PENALTIES[4] * training.sum()).fit(scaled, columns[training, :CLASSES])

    fits = FOLDS * CONCEPTS * ((FOLDS - 1) * len(PENALTIES) + 1)
    times = interleaved(
        {"ours": lambda: processor_seconds(ours), "one": lambda: processor_seconds(one_fit)},
        repetitions=repetitions,
    )
    loops = [fits * seconds for seconds in times["one"]]
    print(ratio_line(f"{fits} scikit-learn fits (one timed, scaled) / ours", loops, times["ours"]))
    layer = float(np.median(times["ours"]))
    print(f"  ours: {layer:.2f} s a layer, {shape.layers * layer:.0f} s for {shape.layers}")
    held_out = partition.cells == 0
    scaler = StandardScaler().fit(features[~held_out].astype(np.float64))
    model = Ridge(alpha=found[1][0, 0] * (~held_out).sum())
    model.fit(scaler.transform(features[~held_out].astype(np.float64)), columns[~held_out, :CLASSES])
    guess = model.predict(scaler.transform(features[held_out].astype(np.float64)))
    print(f"  largest difference of a prediction: {np.abs(guess - found[0][held_out, :CLASSES]).max():.1e}")


def moments(shape: Shape, repetitions: int) -> None:
    """Rate of useful multiplications in moments over that of a square float64 GEMM."""
    features, _, groups = world(shape)
    cells, shift = fold_partition(groups, FOLDS).cells, features.mean(axis=0, dtype=np.float64)
    square = np.random.default_rng(0).standard_normal((shape.width, shape.width))
    useful = shape.rows * shape.width * (shape.width + 1)

    def gemm_rate() -> float:
        return 2 * shape.width**3 / processor_seconds(lambda: square @ square)

    def moments_rate() -> float:
        return useful / processor_seconds(lambda: moments_of(features, cells, FOLDS, shift))

    rates = interleaved({"moments": moments_rate, "gemm": gemm_rate}, repetitions=repetitions)
    print(ratio_line("rate of moments / rate of GEMM, one thread", rates["moments"], rates["gemm"]))


def concept(shape: Shape, repetitions: int) -> None:
    """A new concept on stored rows, start-up excluded: with kept moments, and the whole nested table."""
    with tempfile.TemporaryDirectory() as folder:
        store = stored(shape, Path(folder) / "bench.store")

        def fit(query: str, **options: str | int | bool) -> Callable[[], object]:
            given = ProbeOptions(store.url, "bench", query, engine="inline", handcrafted=False, **options)  # type: ignore[arg-type]
            return lambda: probe_run(given)

        label = "SELECT clip_id, concept{0} FROM clips"
        report("full nested table with shuffled control, nothing kept", fit(label.format(0)))
        others = [label.format(place) for place in range(1, 1 + min(repetitions, CONCEPTS - 1))]
        for query in others:
            report("new concept: one penalty, no controls", fit(query, penalties="1", controls=0))
            report("new concept: full table, moments kept", fit(query))
        report("full table, factors being made and kept", fit(label.format(0), seed=1, keep_factors=True))
        for query in others:
            report("new concept: full table, factors kept", fit(query, seed=1))


def report(what: str, work: Callable[[], object]) -> None:
    """Print wall time, and processor time: what other programs of a busy machine do not lengthen."""
    before = time.process_time()
    wall = seconds_of(work)
    print(f"{what}: {wall:.1f} s, {time.process_time() - before:.1f} s of processors", flush=True)


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time of one call, all threads together."""
    before = time.process_time()
    work()
    return time.process_time() - before


def memory(shape: Shape, repetitions: int) -> None:  # noqa: ARG001
    """Peak memory of a fit on 25 times as many rows, in a process of its own."""
    many = Shape(min(shape.layers, 2), 25 * shape.rows, shape.width)
    with tempfile.TemporaryDirectory() as folder:
        url = str(Path(folder) / "bench.store")
        stored(many, Path(url))
        subprocess.run([sys.executable, "-m", "benchmarks.probes", "--peak-of", url], check=True)


def peak_of(url: str) -> None:
    label = "SELECT clip_id, concept0 FROM clips"
    probe_run(ProbeOptions(url, "bench", label, engine="inline", handcrafted=False, controls=1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory: {peak / 1e9:.2f} GB")


def stored(shape: Shape, path: Path) -> Store:
    """A store with one pooled run; every layer holds the same rows in another order of features."""
    features, codes, groups = world(shape)
    store = open_store(path, create=True)
    clips = [
        Clip(
            f"c{row:06d}",
            f"{row}.wav",
            0,
            4,
            str(groups[row]),
            None,
            f"{row:064x}",
            0,
            {f"concept{c}": str(codes[c, row]) for c in range(CONCEPTS)},
        )
        for row in range(shape.rows)
    ]
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    dataset = store.add_dataset("bench", info, clips, [])
    array = ArraySpec("resid.mean", ("layer", "feature"), (shape.layers, shape.width), "float32")
    run = store.create_run(
        "bench",
        document={"dataset": {"name": "bench", "fingerprint": dataset.fingerprint}},
        arrays=[array],
        clips=[PlannedClip(clip.clip_id, clip.uri, 0, 4) for clip in clips],
        unit_clips=UNIT_CLIPS,
    )
    for unit in run.units():
        rows = features[unit.first_row : unit.first_row + len(unit.clips)]
        block = np.stack([np.roll(rows, layer, axis=1) for layer in range(shape.layers)], axis=1)
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, block)
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()
    return store


PARTS = {"mse": mse, "moments": moments, "concept": concept, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probes", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--rows", type=int, default=8000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        peak_of(options.peak_of)
        return
    shape = Shape(options.layers, options.rows, options.width)
    for name in options.parts or PARTS:
        print(f"-- {name}", flush=True)
        with one_thread():
            PARTS[name](shape, options.repetitions)


if __name__ == "__main__":
    main()
