"""Memory and processor time of whole fits out of core, beside scikit-learn on the same rows in memory.

python -m benchmarks.fits [--clips N] [--width D] [--only NAME …] [--folder DIR | --store PATH]

Every fit is a fresh process on one layer and one thread. Its memory is what it had at most, less what a
process has that has imported the same and done nothing. The store at --store is written where it is missing,
and kept.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.kmeans import overlapping_rows
from store.opening import open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

LABELS = "SELECT clip_id, label FROM clips"
ONE_CLASS = "SELECT clip_id, CASE WHEN label = 'c0' THEN 'c0' ELSE 'others' END AS label FROM clips"
UNIT_CLIPS = 4096
CLASSES = 16
COMMANDS = {
    "probe": ["probe", "--reduce", "mean", "--no-handcrafted"],
    "logistic probe": ["probe", "--reduce", "mean", "--no-handcrafted", "--loss", "logistic"],
    "logistic probe, one class": [
        *("probe", "--reduce", "mean", "--no-handcrafted", "--loss", "logistic", "--controls", "0"),
        *("--labels", ONE_CLASS),
    ],
    "logistic directions": ["directions", "--method", "logistic"],
    "logistic directions, one class": ["directions", "--method", "logistic", "--labels", ONE_CLASS],
    "directions": ["directions"],
    "directions without logistic": ["directions", "--method", "mse,diffmean,mass_mean,pca,leace,random"],
    "kmeans, 3 starts": ["kmeans", "--starts", "3"],
    "kmeans by mini-batches, 3 starts": ["kmeans", "--starts", "3", "--batch-size", "1024"],
}
NOTHING = (
    "import jobs.probe.running, jobs.directions.fitting, jobs.kmeans.running, sklearn.metrics, scipy.stats"
)


def main() -> None:
    """Print a line for every fit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--only", nargs="*", help=", ".join([*COMMANDS, *LIBRARY]))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--library", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        with threadpool_limits(1):
            LIBRARY[options.library](options.folder)
        return
    if options.write:
        write_run(options.folder, options.clips, options.width)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        store = options.store or Path(folder) / "fits.store"
        shape = ["--clips", str(options.clips), "--width", str(options.width)]
        # Not here: a process begins as a copy of its parent, whose size would count for all fits.
        if not store.exists():
            measured(["-m", "benchmarks.fits", "--write", "--folder", str(store), *shape])
        _, idle = measured(["-c", NOTHING])
        print(f"{options.clips} clips, width {options.width}, {CLASSES} classes, one thread")
        print(f"a process that only imports: {idle:.0f} MB")
        for name, (command, *rest) in COMMANDS.items():
            if options.only and name not in options.only:
                continue
            labels = [] if "--labels" in rest else ["--labels", LABELS]
            arguments = ["-m", "jobs.cli", command, str(store), "fits", *labels, *rest]
            report(name, *measured([*arguments, "--engine", "inline", "--workers", "1"]), idle)
        for name in LIBRARY:
            if not options.only or name in options.only:
                arguments = ["-m", "benchmarks.fits", "--library", name, "--folder", str(store)]
                report(name, *measured(arguments), idle)


def report(name: str, seconds: float, megabytes: float, idle: float) -> None:
    """Print one line."""
    print(f"{name:<36} {seconds:8.1f} s of a processor {megabytes - idle:8.0f} MB more", flush=True)


def measured(arguments: list[str]) -> tuple[float, float]:
    """Processor seconds and peak megabytes of a fresh process of Python."""
    alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, env=alone)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3


def write_run(path: Path, count: int, width: int) -> None:
    """A store with one layer of random activations, in groups of four clips; classes are moved apart."""
    store = open_store(path, create=True)
    clips = [
        Clip(
            f"clip{n:07d}",
            f"{n}.wav",
            0.0,
            4.0,
            f"group {n // 4}",
            None,
            f"{n:064x}",
            0.0,
            {"label": f"c{n % CLASSES}"},
        )
        for n in range(count)
    ]
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    store.add_dataset("fits", info, clips, [])
    array = ArraySpec("resid.mean", ("layer", "feature"), (1, width), "float32", {"layers": [0]})
    planned = [PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips]
    document = {
        "dataset": {"name": "fits"},
        "model": {"name": "none", "fingerprint": "none", "random_weights": True},
    }
    run = store.create_run("fits", document=document, arrays=[array], clips=planned, unit_clips=UNIT_CLIPS)
    means = np.random.default_rng(1).standard_normal((CLASSES, width), dtype=np.float32) / 10
    for number, unit in enumerate(run.units()):
        rows = overlapping_rows(len(unit.clips), width, seed=number)
        rows += means[(unit.first_row + np.arange(len(rows))) % CLASSES]
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, rows[:, np.newaxis])
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()


def loaded(store: Path) -> tuple[np.ndarray, np.ndarray]:
    """All rows in memory, and the class of each."""
    run = open_store(store).run("fits")
    rows, ids = run.read_layer("resid.mean", 0)
    return rows, np.array([int(clip.removeprefix("clip")) % CLASSES for clip in ids])


def ridge_classifier(store: Path) -> None:
    """One fit: no folds, penalties or controls."""
    from sklearn.linear_model import RidgeClassifier

    RidgeClassifier().fit(*loaded(store))


def logistic_regression(store: Path) -> None:
    """One fit of all classes."""
    from sklearn.linear_model import LogisticRegression

    LogisticRegression(max_iter=100).fit(*loaded(store))


def logistic_regression_of_one_class(store: Path) -> None:
    """One fit of one class against all others."""
    from sklearn.linear_model import LogisticRegression

    rows, classes = loaded(store)
    LogisticRegression(max_iter=100).fit(rows, classes == 0)


def discriminant(store: Path) -> None:
    """One fit of all classes."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    LinearDiscriminantAnalysis().fit(*loaded(store))


def kmeans(store: Path) -> None:
    """Three starts."""
    from sklearn.cluster import KMeans

    KMeans(CLASSES, n_init=3, random_state=0).fit(loaded(store)[0])


def minibatch_kmeans(store: Path) -> None:
    """Three starts, of which scikit-learn follows the best one alone."""
    from sklearn.cluster import MiniBatchKMeans

    MiniBatchKMeans(CLASSES, n_init=3, random_state=0, batch_size=1024).fit(loaded(store)[0])


LIBRARY = {
    "RidgeClassifier, one fit": ridge_classifier,
    "LogisticRegression, one fit": logistic_regression,
    "LogisticRegression, one class, one fit": logistic_regression_of_one_class,
    "LDA, one fit": discriminant,
    "KMeans, 3 starts": kmeans,
    "MiniBatchKMeans, 3 starts": minibatch_kmeans,
}


if __name__ == "__main__":
    main()
