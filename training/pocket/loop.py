"""The training loop of every stage: learning rate, log, checkpoints, resumption."""

import csv
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import distributed

SAVE_SECONDS = 90.0
LOG_SECONDS = 10.0
WARMUP_STEPS = 50

Losses = Mapping[str, float]
Tell = Callable[[str, int, int, Losses], object]
"""Hears (stage, step, steps, mean losses) every few seconds; a module's function, so that workers get it."""


def silent(_stage: str, _step: int, _steps: int, _losses: Losses) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where something is trained, and who hears of it."""

    device: str = "cpu"
    tell: Tell = silent


class Stateful(Protocol):
    """A module or an optimizer."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""

    def load_state_dict(self, state: dict[str, Any]) -> object:
        """The inverse."""


@dataclass(slots=True)
class Stage:
    """One stage of a training, in a folder of its own files."""

    name: str
    folder: Path
    steps: int
    parts: Mapping[str, Stateful]
    """What a checkpoint holds."""
    optimizers: Mapping[str, torch.optim.Optimizer]
    tell: Tell = silent
    final_share: float = 0.02
    """Of the optimizers' own learning rates, at the end of the cosine."""
    on_save: Callable[[int], object] = lambda _step: None
    done: int = 0
    _recent: list[Losses] = field(default_factory=list)
    _rates: dict[str, list[float]] = field(init=False)

    def __post_init__(self) -> None:
        """Note what the cosine scales: what the optimizers were built with, whatever a checkpoint says."""
        self._rates = {
            name: [group["lr"] for group in optimizer.param_groups]
            for name, optimizer in self.optimizers.items()
        }

    @property
    def checkpoint(self) -> Path:
        """Where the stage's state is kept."""
        return self.folder / f"{self.name}.pt"

    def resume(self) -> bool:
        """Read the checkpoint if there is one; says whether the stage is already finished."""
        if self.checkpoint.exists():
            saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            for name, part in {**self.parts, **self.optimizers}.items():
                part.load_state_dict(saved[name])
            self.done = saved["step"]
        return self.done >= self.steps

    def run(self, step: Callable[[int], Losses]) -> None:
        """Call `step(number)` until all steps are done; it trains once and returns losses for the log."""
        saved = logged = time.monotonic()
        while self.done < self.steps:
            self._set_learning_rate()
            self._recent.append(step(self.done))
            self.done += 1
            now = time.monotonic()
            if now - logged > LOG_SECONDS or self.done == self.steps:
                self._log()
                logged = now
            if now - saved > SAVE_SECONDS or self.done == self.steps:
                self.save()
                saved = now

    def save(self) -> None:
        """Write the checkpoint, whole or not at all; the first worker does."""
        if _rank() == 0:
            states = {name: part.state_dict() for name, part in {**self.parts, **self.optimizers}.items()}
            unfinished = self.checkpoint.with_suffix(".unfinished")
            torch.save({**states, "step": self.done}, unfinished)
            unfinished.rename(self.checkpoint)
            self.on_save(self.done)

    def _set_learning_rate(self) -> None:
        warm = min(1.0, (self.done + 1) / WARMUP_STEPS)
        cosine = 0.5 * (1 + math.cos(math.pi * self.done / self.steps))
        share = warm * (self.final_share + (1 - self.final_share) * cosine)
        for name, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
                group["lr"] = share * rate

    def _log(self) -> None:
        names = self._recent[-1]
        means = {name: sum(losses[name] for losses in self._recent) / len(self._recent) for name in names}
        self._recent.clear()
        if _rank() != 0:
            return
        path = self.folder / f"{self.name}.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", "seconds_since_epoch", *means])
            writer.writerow([self.done, round(time.time(), 1), *(f"{mean:.5f}" for mean in means.values())])
        self.tell(self.name, self.done, self.steps, means)


def step_generator(seed: int, stage: str, step: int) -> "Any":
    """NumPy's generator for one step of one worker: a stage that goes on draws what it would have drawn."""
    import numpy as np

    from pipelines.synthesis.streams import stream

    generator: np.random.Generator = stream(seed, stage, _rank(), step)
    return generator


def _rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0
