"""Cost of capturing: three sites at all layers against the bare pass over the same batch.

    python -m benchmarks.capture [--shape pocket|small|transformers|encoder] [--clips N] [--frames T] …

The bare pass is ours: teacher-forced, without heads and without hooks. "pocket" and "small" are audiocraft's
modules, "transformers" is the pocket's shape in transformers' own, "encoder" is pocket-clap with all its
sites. Candidates run in turn within every repetition, and ratios are taken within it, of CPU time on one
thread: what else runs here counts little.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from benchmarks.measure import interleaved, ratio_line
from benchmarks.random_models import POCKET, SMALL, Shape, random_codes, random_model
from benchmarks.small_checkpoint import musicgen_small
from pipelines.capture import CaptureSpec, forward_activations, heard_activations
from pipelines.models.conversion.converting import convert
from pipelines.models.musicgen import MusicGenModel
from pipelines.models.named import load_named_model, load_readable_model
from pipelines.models.protocol import as_encoder
from pipelines.models.transformers_musicgen import TransformersMusicGen
from store.records import Reduction

SHAPES = {
    "pocket": (POCKET, 16, 30),
    "small": (replace(SMALL, frames=200), 1, 7),
    "transformers": (replace(POCKET, name="pocket of transformers"), 16, 30),
    "encoder": (POCKET, 16, 30),
}
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
        clips, repetitions = options.clips or clips, options.repetitions or repetitions
        if name == "encoder":
            compare_encoder(clips, repetitions)
        elif name == "transformers":
            with tempfile.TemporaryDirectory() as folder:
                compare(shape, of_transformers(shape, Path(folder)), clips, repetitions)
        else:
            compare(shape, random_model(shape), clips, repetitions)


def compare(shape: Shape, model: MusicGenModel | TransformersMusicGen, clips: int, repetitions: int) -> None:
    """Print one ratio for each set of reductions."""
    codes = random_codes(shape, clips)
    conditions = model.conditions.groups([""] * clips)[0][1]

    def captured(kept: tuple[Reduction, ...]) -> Callable[[], object]:
        spec = CaptureSpec(("resid", "attn", "mlp"), tuple(range(model.info.layers)), kept)
        return lambda: forward_activations(model, codes, spec)

    title = f"{shape.name}: {clips} clips of {shape.frames} frames"
    measure(title, lambda: model.forward(codes, conditions), captured, repetitions)


def compare_encoder(clips: int, repetitions: int) -> None:
    """The same of an encoder that hears clips of four seconds."""
    model = as_encoder(load_readable_model("pocket-clap"))
    assert model is not None
    audio = torch.randn(clips, 4 * model.info.sample_rate, generator=torch.Generator().manual_seed(0)) / 10

    def captured(kept: tuple[Reduction, ...]) -> Callable[[], object]:
        spec = CaptureSpec(model.info.site_names, (0,), kept)
        return lambda: heard_activations(model, audio, spec)

    title = f"pocket-clap: {clips} clips of 4 s"
    measure(title, lambda: model.hear(audio[:, None]), captured, repetitions)


def measure(
    title: str,
    bare: Callable[[], object],
    captured: Callable[[tuple[Reduction, ...]], Callable[[], object]],
    repetitions: int,
) -> None:
    """Print what capturing takes over the bare pass."""
    passes = {"bare": bare, **{name: captured(kept) for name, kept in REDUCTIONS.items()}}
    for run in passes.values():
        run()
    timed = {name: partial(_cpu_seconds, run) for name, run in passes.items()}
    seconds = interleaved(timed, repetitions=repetitions)
    print(f"{title}, bare pass {sorted(seconds['bare'])[repetitions // 2] * 1e3:.0f} ms")
    for name in REDUCTIONS:
        print(ratio_line(f"capture of {name} / bare pass", seconds[name], seconds["bare"]), flush=True)


def of_transformers(shape: Shape, folder: Path) -> TransformersMusicGen:
    """A decoder of that shape behind the other back-end, random weights."""
    decoder = {
        "dim": shape.width, "num_heads": shape.heads, "num_layers": shape.layers, "card": shape.codebook_size,
    }  # fmt: skip
    model = load_named_model(
        str(convert(musicgen_small(folder / "audiocraft", decoder), folder / "other").folder)
    )
    assert isinstance(model, TransformersMusicGen)
    return model


def _cpu_seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main()
