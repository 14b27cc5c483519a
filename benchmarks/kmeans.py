"""k-means against scikit-learn at equal threads, starts and tolerance; two workers against one; peak memory.

python -m benchmarks.kmeans [--clips N] [--width D] [--starts S] [--repetitions N]
    [--large-clips N] [--folder DIR]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analysis.clustering.kmeans import lloyd
from analysis.clustering.starts import plus_plus_starts
from benchmarks.measure import interleaved, ratio_line, seconds_of
from jobs.engine.ray_session import ray_session
from jobs.fitting.mapping import map_tasks
from store.opening import open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

K = 10
LAYERS_OF_WORKERS = 8
LARGE_WIDTH, LARGE_LAYERS, LARGE_STARTS = 1024, 2, 3


def main() -> None:
    """Print the ratios and the peak."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=8000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--large-clips", type=int, default=200_000, help="0 leaves the memory out")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    compare(options.clips, options.width, options.starts, options.repetitions)
    scale(options.clips, options.width, options.repetitions)
    if options.large_clips:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            peak = peak_megabytes(Path(folder) / "large.store", options.large_clips)
        size = options.large_clips * LARGE_WIDTH * 4 / 1e6
        print(f"peak resident memory for {options.large_clips} clips, {size:.0f} MB a layer: {peak:.0f} MB")


def compare(clips: int, width: int, starts: int, repetitions: int) -> None:
    """One thread each: from the same starts, and with the starts."""
    from sklearn.cluster import KMeans

    rows = overlapping_rows(clips, width)
    given = plus_plus_starts(rows, K, range(starts))

    def scikit_learn_lloyd() -> None:
        for start in given:
            KMeans(K, init=start, n_init=1, algorithm="lloyd").fit(rows)

    def scikit_learn() -> None:
        KMeans(K, n_init=starts, random_state=0, algorithm="lloyd").fit(rows)

    candidates = {
        "ours": partial(seconds_of, lambda: lloyd(rows, given)),
        "theirs": partial(seconds_of, scikit_learn_lloyd),
        "ours with starts": partial(
            seconds_of, lambda: lloyd(rows, plus_plus_starts(rows, K, range(starts)))
        ),
        "theirs with starts": partial(seconds_of, scikit_learn),
    }
    with threadpool_limits(1):
        found = interleaved(candidates, repetitions=repetitions)
    print(f"{clips} clips, width {width}, k {K}, {starts} starts, one thread")
    print(ratio_line("Lloyd from the same starts / scikit-learn", found["ours"], found["theirs"]))
    print(ratio_line("with k-means++ / scikit-learn", found["ours with starts"], found["theirs with starts"]))


def scale(clips: int, width: int, repetitions: int) -> None:
    """Layers over Ray workers, start-up left out."""
    seeds = list(range(LAYERS_OF_WORKERS))
    work = partial(cluster_generated, clips, width)

    def with_workers(count: int) -> float:
        return seconds_of(lambda: list(map_tasks(work, seeds, engine="ray", workers=count)))

    with ray_session("local", cpus=2):
        with_workers(2)  # imports in the workers
        found = interleaved(
            {"one": partial(with_workers, 1), "two": partial(with_workers, 2)}, repetitions=repetitions
        )
    print(ratio_line(f"{LAYERS_OF_WORKERS} layers: two workers / one", found["two"], found["one"]))


def cluster_generated(clips: int, width: int, seed: int) -> list[float]:
    """One layer's work, its rows made on the spot: three starts."""
    rows = overlapping_rows(clips, width, seed=seed)
    return [search.inertia for search in lloyd(rows, plus_plus_starts(rows, K, range(3)))]


def peak_megabytes(store: Path, clips: int) -> float:
    """Of a fresh process that clusters a run whose layers are read in blocks."""
    write_run(store, clips)
    command = ["kmeans", str(store), "large", "--labels", "SELECT clip_id, label FROM clips", "--k", str(K),
               "--starts", str(LARGE_STARTS), "--engine", "inline"]  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "jobs.cli", *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_maxrss / 1e3


def write_run(path: Path, count: int) -> None:
    """A store with one run of random activations in units of 4,096 clips."""
    store = open_store(path, create=True)
    labels = [{"label": f"class {number % K}"} for number in range(count)]
    clips = [
        Clip(f"clip{n:06d}", f"{n}.wav", 0.0, 4.0, f"group {n // 4}", None, f"{n:064x}", 0.0, labels[n])
        for n in range(count)
    ]
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    store.add_dataset("large", info, clips, [])
    layers = {"layers": list(range(LARGE_LAYERS))}
    array = ArraySpec("resid.mean", ("layer", "feature"), (LARGE_LAYERS, LARGE_WIDTH), "float32", layers)
    planned = [PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips]
    model = {"name": "none", "fingerprint": "none", "random_weights": True}
    document: dict[str, Any] = {"dataset": {"name": "large"}, "model": model}
    run = store.create_run("large", document=document, arrays=[array], clips=planned, unit_clips=4096)
    for number, unit in enumerate(run.units()):
        ids: Sequence[str] = [clip.clip_id for clip in unit.clips]
        rows = overlapping_rows(len(ids) * LARGE_LAYERS, LARGE_WIDTH, seed=number)
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, rows.reshape(len(ids), LARGE_LAYERS, LARGE_WIDTH))
            pending.commit([ClipStatus(clip, "ok") for clip in ids], {})
    run.note_complete()


def overlapping_rows(count: int, width: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Float32 rows about zero in groups that overlap, so that Lloyd takes a while."""
    centers = np.random.default_rng(0).standard_normal((K, width), dtype=np.float32) / 5
    random = np.random.default_rng(seed)
    rows = random.standard_normal((count, width), dtype=np.float32) + centers[random.integers(0, K, count)]
    return np.asarray(rows - rows.mean(axis=0))


if __name__ == "__main__":
    main()
