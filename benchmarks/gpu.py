"""Speed and oracles on a CUDA device, at the shapes of the published models with random weights.

    python -m benchmarks.gpu [--shape small|medium|large] [--dtype bfloat16] [--clips B] [--repetitions N]
    python -m benchmarks.gpu --device cpu --tiny        the same code on a toy, to see that it runs

Prints Markdown: clips per second and times real time of the bare pass and of capture, their share of the
matrix rate measured just before, how much of the copy to the host hides behind the next pass, and bytes per
second of `frames`; then the oracles in float32 and in the chosen type.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.gpu_oracles import oracle_lines
from benchmarks.measure import seconds_of
from benchmarks.random_models import LARGE, MEDIUM, SMALL, TINY, Shape, random_codes, random_model
from jobs.extract.host_copy import start_copy
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.models.musicgen import MusicGenModel
from pipelines.models.placement import DTYPES
from store.records import Reduction, Site

SHAPES = {shape.name: shape for shape in (SMALL, MEDIUM, LARGE)}
SITES: tuple[Site, ...] = ("resid", "attn", "mlp")
CLIP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What all measurements of a run share."""

    device: str
    dtype: str
    clips: int
    frames_clips: int
    """Clips in a batch that keeps `frames`: three sites of one clip of large are 1.8 GB in float32."""
    repetitions: int
    matrix_size: int


def main() -> None:
    options = _arguments()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit(
            "This build of torch sees no CUDA device. `--device cpu --tiny` only shows that the code runs."
        )
    shapes = [TINY] if options.tiny else [SHAPES[name] for name in options.shape or SHAPES]
    setting = Setting(
        device=options.device,
        dtype=options.dtype,
        clips=2 if options.tiny else options.clips,
        frames_clips=2 if options.tiny else options.frames_clips,
        repetitions=2 if options.tiny else options.repetitions,
        matrix_size=256 if options.tiny else 8192,
    )
    for line in report(shapes, setting):
        print(line, flush=True)


def report(shapes: list[Shape], setting: Setting) -> Iterator[str]:
    """Yield the report line by line, as it is measured."""
    rate = matrix_rate(setting)
    name = torch.cuda.get_device_name() if setting.device == "cuda" else "cpu"
    yield f"{name}, torch {torch.__version__}, {setting.dtype}, matrix rate {rate / 1e12:.1f} TFLOP/s"
    yield ""
    yield "| shape | what | clips/s | × real time | × bare | share of matrix rate | hidden copy | host MB/s |"
    yield "|---|---|---|---|---|---|---|---|"
    for shape in shapes:
        model = random_model(shape, device=setting.device, dtype=setting.dtype)
        yield from speed_lines(model, shape, setting, rate)
        del model
    yield ""
    for dtype in dict.fromkeys(("float32", setting.dtype)):
        yield from oracle_lines(setting.device, dtype)


def speed_lines(model: MusicGenModel, shape: Shape, setting: Setting, rate: float) -> Iterator[str]:
    """One row for the bare pass and one for each kind of capture."""
    codes = random_codes(shape, setting.clips).to(setting.device)
    conditions = model.conditions.groups([""] * setting.clips)[0][1]
    bare = typical_seconds(lambda: model.forward(codes, conditions), setting) / setting.clips
    yield _row(shape, "bare pass", bare, bare, rate)
    for kept in (("mean",), ("mean", "std")):
        yield _captured_row(model, shape, kept, setting.clips, setting, bare, rate)
    yield _captured_row(model, shape, ("frames",), setting.frames_clips, setting, bare, rate)


def matrix_rate(setting: Setting) -> float:
    """FLOP/s of the best of several square matrix products."""
    size = setting.matrix_size
    left, right = (
        torch.randn(size, size, device=setting.device, dtype=getattr(torch, setting.dtype)) for _ in range(2)
    )
    _synchronized(lambda: left @ right, setting.device)()
    best = min(seconds_of(_synchronized(lambda: left @ right, setting.device)) for _ in range(10))
    return 2 * size**3 / best


def typical_seconds(function: Callable[[], object], setting: Setting) -> float:
    """Median wall time, the device's work included, after one call to warm up."""
    run = _synchronized(function, setting.device)
    run()
    return median(seconds_of(run) for _ in range(setting.repetitions))


def _captured_row(
    model: MusicGenModel,
    shape: Shape,
    kept: tuple[Reduction, ...],
    clips: int,
    setting: Setting,
    bare: float,
    rate: float,
) -> str:
    codes = random_codes(shape, clips).to(setting.device)
    spec = CaptureSpec(SITES, tuple(range(shape.layers)), kept)

    def capture() -> dict[str, torch.Tensor]:
        return forward_activations(model, codes, spec)

    alone = typical_seconds(capture, setting)
    nbytes, copying = _copy_cost(capture(), setting)
    together = _seconds_with_copies(capture, setting)
    # 1: the copy of a batch takes no time of its own beside the next pass. 0: they follow each other.
    hidden = (alone + copying - together) / min(alone, copying)
    row = _row(shape, ", ".join(kept), alone / clips, bare, rate)
    return f"{row} {max(0.0, min(1.0, hidden)):.2f} | {nbytes / together / 1e6:.0f} |"


def _copy_cost(arrays: dict[str, torch.Tensor], setting: Setting) -> tuple[int, float]:
    """Bytes of a batch, and the seconds its copy to the host takes with nothing beside it."""
    nbytes = sum(array.nbytes for array in arrays.values())
    return nbytes, typical_seconds(lambda: start_copy(arrays)(), setting)  # noqa: PLW0108


def _seconds_with_copies(capture: Callable[[], dict[str, torch.Tensor]], setting: Setting) -> float:
    """Per batch, when a batch is copied while the next is computed, as extraction does."""

    def pipeline() -> None:
        waiting: Callable[[], object] | None = None
        for _ in range(setting.repetitions):
            copy = start_copy(capture())
            if waiting:
                waiting()
            waiting = copy
        if waiting:
            waiting()

    pipeline()
    return seconds_of(_synchronized(pipeline, setting.device)) / setting.repetitions


def _row(shape: Shape, what: str, seconds_per_clip: float, bare: float, rate: float) -> str:
    share = shape.flops_per_clip(shape.frames + 1) / seconds_per_clip / rate
    real_time = CLIP_SECONDS * shape.frames / 1500 / seconds_per_clip
    cells = (
        shape.name,
        what,
        f"{1 / seconds_per_clip:.1f}",
        f"{real_time:.0f}",
        f"{seconds_per_clip / bare:.3f}",
        f"{share:.2f}",
    )
    return f"| {' | '.join(cells)} |" + (" – | – |" if what == "bare pass" else "")


def _synchronized(function: Callable[[], object], device: str) -> Callable[[], None]:
    def run() -> None:
        function()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a toy shape instead of the published ones")
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--frames-clips", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
