"""Time of `import undertone` over that of `import numpy`, each in a process of its own.

python -m benchmarks.importing
"""

import argparse
import subprocess
import sys
from functools import partial

import numpy as np

from benchmarks.measure import interleaved, ratio_line

MODULES = ("undertone", "numpy")


def main() -> None:
    """Measure, and print the ratio and the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=21)
    repetitions = parser.parse_args().repetitions
    for module in MODULES:
        seconds_to_import(module)  # compiled and in the page cache
    candidates = {module: partial(seconds_to_import, module) for module in MODULES}
    found = interleaved(candidates, repetitions=repetitions)
    print(ratio_line("import undertone / import numpy", found["undertone"], found["numpy"]))
    print(f"{'import undertone, seconds':<58} {np.median(found['undertone']):6.3f}")


def seconds_to_import(module: str) -> float:
    """Wall time of the import alone, in a new interpreter."""
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


if __name__ == "__main__":
    main()
