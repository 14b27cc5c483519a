"""The command `python -m training.pocket`: train the models that ship again, from rendered music."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import click

from jobs.cli.derived import options_of
from jobs.option import Option, check_values
from jobs.user_files import check_outside_stores
from store.errors import InvalidInput
from training.pocket.loop import Tell

STAGES = ("corpus", "recognizers", "codec", "codes", "models", "export", "evaluation", "scorers", "curves")
"""In their order; what they do is said in `training.pocket.stages`."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Arguments of `python -m training.pocket`, as given."""

    folder: Path
    stages: Annotated[
        str | None,
        Option(f"Stages to run, with commas between them: {', '.join(STAGES)}.", metavar="NAMES"),
    ] = None
    device: Annotated[Literal["cpu", "cuda"], Option("Where to train.")] = "cpu"
    workers: Annotated[
        int,
        Option(
            "Processes of one thread each, whose gradients are averaged; one with --device cuda.",
            least=1,
            most=64,
        ),
    ] = 2
    seed: Annotated[int, Option("Random seed of the training; another one gives another model.")] = 0
    smoke: Annotated[bool, Option("A few steps of everything, to see that it runs.")] = False

    def __post_init__(self) -> None:
        check_values(self)
        self.chosen_stages()

    def chosen_stages(self) -> tuple[str, ...]:
        """The stages that were asked for; raises `InvalidInput`."""
        if self.stages is None:
            return STAGES
        names = tuple(name.strip() for name in self.stages.split(","))
        unknown = [name for name in names if name not in STAGES]
        if unknown:
            raise InvalidInput(f"There is no stage {unknown[0]!r}. Choose from {', '.join(STAGES)}.")
        return names


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


def train(options: TrainOptions, tell: Tell) -> Path | None:
    """Run the stages that were asked for; returns the checkpoint, None where there is none yet.

    `tell` is called with stage, step, steps and losses, in processes of workers too.

    Raises:
        InvalidInput: the folder lies in a store, or another recipe began it.
    """
    from training.pocket.curves import write_curves
    from training.pocket.recipe import Recipe, smoke_recipe
    from training.pocket.stages import Training, run_stages

    check_outside_stores(options.folder)
    stages = options.chosen_stages()
    recipe = (smoke_recipe() if options.smoke else Recipe()).seeded(options.seed)
    workers = 1 if options.smoke or options.device == "cuda" else options.workers
    training = Training(options.folder, recipe.placed(device=options.device, workers=workers, tell=tell))
    run_stages(training, stages)
    if "curves" in stages:
        write_curves(options.folder, options.folder / "curves.svg")
    return training.checkpoint if (training.checkpoint / "state_dict.bin").exists() else None


@click.command(name="training.pocket", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@options_of(TrainOptions)
def train_pocket(folder: Path, **values: Any) -> None:
    """Train codec, language model, text encoder, CLAP and judge into FOLDER.

    Every stage keeps checkpoints there and goes on where it stopped; a finished one is not run again.
    FOLDER/checkpoint is then a model like any other.

    \b
    Examples:
      python -m training.pocket trained
      python -m training.pocket trained --stages codec,codes,models
      python -m training.pocket /tmp/try --smoke
      undertone extract music.store songs --model trained/checkpoint
    """
    options = TrainOptions(folder, **values)
    if checkpoint := train(options, TrainingProgress()):
        click.echo(f"{checkpoint} is the model, {folder} holds its losses and measurements.")
    else:
        click.echo(f"{folder} holds what these stages left; there is no model yet.")
