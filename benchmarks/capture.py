"""Cost of capturing: three sites at all layers against the bare pass over the same batch.

    python -m benchmarks.capture [--shape pocket|small] [--clips N] [--frames T] [--repetitions N]

The bare pass is ours: teacher-forced, without heads and without hooks. Candidates run in turn within every
repetition, and ratios are taken within it, of CPU time on one thread: what else runs here counts little.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from benchmarks.measure import interleaved, ratio_line
from benchmarks.random_models import POCKET, SMALL, Shape, random_codes, random_model
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.models.musicgen import MusicGenModel
from store.records import Reduction

SHAPES = {"pocket": (POCKET, 16, 30), "small": (replace(SMALL, frames=200), 1, 7)}
"""Shape, clips in the batch and repetitions that suit two CPU cores; small takes 4-s clips."""

REDUCTIONS: dict[str, tuple[Reduction, ...]] = {
    "mean": ("mean",),
    "mean and std": ("mean", "std"),
    "8 segments": ("segments",),
    "frames": ("frames",),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--clips", type=int)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--repetitions", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.shape or SHAPES:
        shape, clips, repetitions = SHAPES[name]
        shape = replace(shape, frames=options.frames or shape.frames)
        compare(shape, options.clips or clips, options.repetitions or repetitions)


def compare(shape: Shape, clips: int, repetitions: int) -> None:
    """Print one ratio for each set of reductions."""
    model = random_model(shape)
    codes = random_codes(shape, clips)
    conditions = model.conditions.groups([""] * clips)[0][1]
    passes: dict[str, Callable[[], object]] = {"bare": lambda: model.forward(codes, conditions)}
    passes |= {name: _captured(model, codes, kept) for name, kept in REDUCTIONS.items()}
    for run in passes.values():
        run()
    timed = {name: partial(_cpu_seconds, run) for name, run in passes.items()}
    seconds = interleaved(timed, repetitions=repetitions)
    bare = sorted(seconds["bare"])[repetitions // 2]
    print(f"{shape.name}: {clips} clips of {shape.frames} frames, bare pass {bare * 1e3:.0f} ms")
    for name in REDUCTIONS:
        print(ratio_line(f"{shape.name}: capture of {name} / bare pass", seconds[name], seconds["bare"]))


def _captured(model: MusicGenModel, codes: torch.Tensor, kept: tuple[Reduction, ...]) -> Callable[[], object]:
    spec = CaptureSpec(("resid", "attn", "mlp"), tuple(range(model.info.layers)), kept)
    return lambda: forward_activations(model, codes, spec)


def _cpu_seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main()
