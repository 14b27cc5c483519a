"""`undertone train-pocket`: train the models that ship with the project again, from rendered music."""

from pathlib import Path
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.train_pocket.options import TrainOptions


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
    from jobs.train_pocket.progress import TrainingProgress
    from jobs.train_pocket.training import train

    if checkpoint := train(options, TrainingProgress()):
        click.echo(f"{checkpoint} is the model, {folder} holds its losses and measurements.")
    else:
        click.echo(f"{folder} holds what these stages left; there is no model yet.")
