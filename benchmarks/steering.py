"""Cost of steering per decoder step, and the gain of batches over generating one by one.

    python -m benchmarks.steering [--shape pocket|small] [--seconds S] [--repetitions N]

Processor time on one thread. Steps are timed between the first and the last of a generation: neither the
filling of the cache nor the codec counts. Candidates run in turn, and ratios are taken within a repetition.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from benchmarks.measure import interleaved, ratio_line
from benchmarks.random_models import POCKET, SMALL, Shape, random_model
from pipelines.generation.generate import GenerationRequest, generate
from pipelines.models.musicgen import MusicGenModel
from pipelines.steering.edits import Edit, Steering

SHAPES: dict[str, tuple[Shape, float, Sequence[int], int]] = {
    "pocket": (POCKET, 4.0, (1, 16), 15),
    "small": (SMALL, 0.8, (1,), 7),
}
"""Shape, seconds, batch sizes and repetitions that suit two CPU cores."""
SWEEP = 16
"""Generations of the small sweep that is run in one batch and one by one."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, action="append")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--repetitions", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.shape or SHAPES:
        shape, seconds, batches, repetitions = SHAPES[name]
        model = random_model(shape)
        seconds, repetitions = options.seconds or seconds, options.repetitions or repetitions
        for clips in batches:
            compare_steps(model, clips, seconds, repetitions)
        if name == "pocket":
            compare_sweeps(model, seconds, max(3, repetitions // 3))


def compare_steps(model: MusicGenModel, clips: int, seconds: float, repetitions: int) -> None:
    """Print the cost of steering one layer, and all, over a step without."""
    layers = range(model.info.layers)
    candidates = {
        "unsteered": Steering(),
        "one layer": _steering(model, [model.info.layers // 2]),
        "all layers": _steering(model, layers),
    }
    timed = {
        name: partial(_seconds_per_step, model, [_request(seconds, state, one) for state in range(clips)])
        for name, one in candidates.items()
    }
    measured = interleaved(timed, repetitions=repetitions)
    bare = float(np.median(measured["unsteered"]))
    print(f"{model.info.name}: {clips} at once, {bare * 1e3:.2f} ms per step unsteered")
    for name in ("one layer", "all layers"):
        title = f"{model.info.name}, {clips} at once: {name} / unsteered"
        print(ratio_line(title, measured[name], measured["unsteered"]))


def compare_sweeps(model: MusicGenModel, seconds: float, repetitions: int) -> None:
    """Print what one batch gains over a loop, ours and audiocraft's own."""
    steering = _steering(model, [model.info.layers // 2])
    requests = [_request(seconds, state, steering) for state in range(SWEEP)]
    timed: dict[str, Callable[[], float]] = {
        "batch": lambda: _cpu_seconds(lambda: generate(model, requests)),
        "loop": lambda: _cpu_seconds(lambda: [generate(model, [request]) for request in requests]),
        "audiocraft": lambda: _cpu_seconds(lambda: _audiocraft(model, seconds)),
    }
    measured = interleaved(timed, repetitions=repetitions)
    print(ratio_line(f"one by one / one batch of {SWEEP}", measured["loop"], measured["batch"]))
    print(
        ratio_line(
            f"audiocraft, one by one / one batch of {SWEEP}", measured["audiocraft"], measured["batch"]
        )
    )


def _audiocraft(model: MusicGenModel, seconds: float) -> None:
    from audiocraft.models import MusicGen

    musicgen = MusicGen("benchmark", model.codec, model.language_model)
    musicgen.set_generation_params(duration=seconds)
    for _ in range(SWEEP):
        musicgen.generate(["slow jazz music"])


def _request(seconds: float, state: int, steering: Steering) -> GenerationRequest:
    return GenerationRequest(seconds, "slow jazz music", state, steering=steering)


def _steering(model: MusicGenModel, layers: Sequence[int]) -> Steering:
    vector = np.random.default_rng(0).standard_normal(model.info.width)
    return Steering(tuple(Edit("resid", layer, vector, 0.5) for layer in layers))


def _seconds_per_step(model: MusicGenModel, requests: Sequence[GenerationRequest]) -> float:
    times: list[float] = []
    generate(model, requests, progress=lambda *_: times.append(time.process_time()))
    return (times[-1] - times[0]) / (len(times) - 1)


def _cpu_seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main()
