"""One thread for linear algebra."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from jobs.fitting.threads import one_thread
from threadpoolctl import threadpool_info
with one_thread():
    import numpy, scipy.linalg
    libraries = threadpool_info()
print(len(libraries), {library["num_threads"] for library in libraries})
"""


def test_libraries_that_are_imported_inside_the_block_have_one_thread_too() -> None:
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=root
    )
    count, threads = ended.stdout.split(maxsplit=1)
    assert int(count) >= 2
    assert threads.strip() == "{1}"
