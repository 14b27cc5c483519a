"""Take every measurement that `RESULTS.md` holds, one after the other.

python -m benchmarks [NAME …]
"""

import argparse
import runpy
import sys

RUNS = {
    "importing": ["importing"],
    "shards": ["shards"],
    "capture": ["capture"],
    "extraction": ["extraction"],
    "extraction-small": ["extraction", "--shape", "small", "--clips", "16", "--repetitions", "3",
                         "--batch-clips", "4", "--unit-clips", "4"],
    "memory": ["memory"],
    "dispatch": ["dispatch"],
    "kmeans": ["kmeans"],
    "fits": ["fits"],
    "nearest": ["nearest"],
    "synthesis": ["synthesis"],
    "steering": ["steering"],
    "probes": ["probes"],
    "coverage": ["coverage"],
    "number-formats": ["number_formats"],
    "scale": ["scale"],
    "weather": ["weather"],
    "fetched": ["fetched"],
    "hub-layouts": ["hub_layouts"],
}  # fmt: skip
"""Name → module of this folder and its arguments. The GPU has its own: `python -m benchmarks.gpu`."""


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="NAME", help=", ".join(RUNS))
    chosen = parser.parse_args().names or list(RUNS)
    for name in chosen:
        module, *arguments = RUNS[name]
        print(f"\n== {name}", flush=True)
        sys.argv = [f"benchmarks.{module}", *arguments]
        runpy.run_module(f"benchmarks.{module}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
