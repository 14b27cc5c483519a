"""Peak memory of an extraction over N clips and over 8 N clips: bounded by the batch, not by the dataset.

python -m benchmarks.memory [--clips N] [--repetitions N] [--folder DIR]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.extraction import add, render
from benchmarks.measure import interleaved, ratio_line

GROWTH = 8


def main() -> None:
    """Print the ratio of the two peaks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        stores = {}
        for clips in (options.clips, GROWTH * options.clips):
            stores[clips] = Path(folder) / f"{clips}.store"
            add(stores[clips], render(Path(folder) / f"{clips}", clips))
        peaks = interleaved(
            {str(clips): partial(peak_megabytes, store) for clips, store in stores.items()},
            repetitions=options.repetitions,
        )
    few, many = peaks.values()
    print(f"peak resident memory of one process: {max(few):.0f} MB for {options.clips} clips")
    print(ratio_line(f"peak for {GROWTH} × as many clips / peak", many, few))


def peak_megabytes(store: Path) -> float:
    """Peak resident memory of a fresh extraction of means and frames in one process."""
    for folder in ("records/runs", "records/codes", "runs", "codes"):
        shutil.rmtree(store / folder, ignore_errors=True)
    command = ["extract", str(store), "clips", "--model", "pocket-random", "--engine", "inline",
               "--reduce", "mean,frames"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_maxrss / 1e3


if __name__ == "__main__":
    main()
