"""Speed of rendering datasets, files included, on one core, as a multiple of real time.

    python -m benchmarks.synthesis [--clips 400] [--rounds 5]

Each round renders fresh clips of every concept; the table has the median over rounds and their range.
"""

import argparse
import resource
import statistics
import sys
from time import process_time

from pipelines.synthesis import CONCEPTS, render_dataset

CLIP_SECONDS = 4.0


def main() -> None:
    """Prints one row per concept and the growth of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200, help="per concept and round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for name in CONCEPTS:
        real_time_factor(name, clips=8, seed=0)
    before = peak_mebibytes()
    print(f"{'concept':20s} {'× real time':>12s}  range")
    for name in CONCEPTS:
        factors = [real_time_factor(name, clips=options.clips, seed=seed) for seed in range(options.rounds)]
        print(f"{name:20s} {statistics.median(factors):12.0f}  {min(factors):.0f} … {max(factors):.0f}")
    clips = options.clips * options.rounds * len(CONCEPTS)
    print(f"peak memory {before:.0f} MiB after 64 clips, {peak_mebibytes():.0f} MiB after {clips:,} more")


def real_time_factor(concept: str, *, clips: int, seed: int) -> float:
    """Seconds of audio per second of processor time, from the plan to the bytes of the files."""
    begin = process_time()
    rendered = sum(1 for _ in render_dataset(discard, concepts=[concept], clips=clips, seed=seed))
    return rendered * CLIP_SECONDS / (process_time() - begin)


def discard(_uri: str, _content: bytes) -> None:
    """Takes a file and forgets it."""


def peak_mebibytes() -> float:
    """Highest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
