"""`undertone train-pocket`: train the models that ship with the project again, from rendered music."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.train_pocket.options import TrainOptions


@dataclass(slots=True)
class TrainingProgress:
    """Called with (stage, step, steps, losses); sent to worker processes, so it holds no stream."""

    _first: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __call__(self, stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        """Write a line on standard error."""
        started, first = self._first.setdefault(stage, (time.monotonic(), step))
        elapsed = time.monotonic() - started
        rate = (step - first) / elapsed if elapsed > 0 else 0.0
        left = f"{readable_time((steps - step) / rate)} left" if rate > 0 else "time left unknown"
        shown = "  ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        sys.stderr.write(f"{stage}  {step:,} of {steps:,}  {rate:.1f}/s  {left}  {shown}\n")
        sys.stderr.flush()


def readable_time(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


@click.command(name="train-pocket")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@options_of(TrainOptions)
def train_pocket(folder: Path, **values: Any) -> None:
    """Train codec, language model, text encoder, CLAP and judge into FOLDER.

    Every stage keeps checkpoints there and goes on where it stopped; a finished one is not run again.
    FOLDER/checkpoint is then a model like any other.

    \b
    Examples:
      undertone train-pocket training
      undertone train-pocket training --stages codec,codes,models
      undertone train-pocket /tmp/try --smoke
      undertone extract music.store songs --model training/checkpoint
    """
    options = TrainOptions(folder, **values)
    from jobs.train_pocket.training import train

    if checkpoint := train(options, TrainingProgress()):
        click.echo(f"{checkpoint} is the model, {folder} holds its losses and measurements.")
    else:
        click.echo(f"{folder} holds what these stages left; there is no model yet.")
