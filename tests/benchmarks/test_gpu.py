"""The GPU benchmark must run on the day a GPU is lent."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_without_a_gpu_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = benchmark()
    assert done.returncode == 1
    assert done.stderr.strip().startswith("This build of torch sees no CUDA device.")


@pytest.mark.slow
def test_a_toy_runs_through_every_measurement_and_every_oracle_holds() -> None:
    done = benchmark("--device", "cpu", "--tiny")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| tiny |")]
    columns = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[1] for row in columns] == ["bare pass", "mean", "mean, std", "frames"]
    assert all(len(row) == 8 and float(row[2]) > 0 for row in columns)
    oracles = re.findall(r"^- (float32|bfloat16): .* (ok|FAILED)$", done.stdout, flags=re.MULTILINE)
    assert [dtype for dtype, _ in oracles] == ["float32"] * 5 + ["bfloat16"] * 5
    assert all(verdict == "ok" for _, verdict in oracles)
