"""`undertone train-pocket`: train the models that ship with the project again, from rendered music."""

from pathlib import Path

import click

from jobs.user_files import check_outside_stores
from store.errors import InvalidInput

STAGES = ("corpus", "recognizers", "codec", "codes", "models", "export", "evaluation", "scorers", "curves")
"""In their order; what they do is said in `pipelines.pocket.training.stages`."""


@click.command(name="train-pocket")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--stages", metavar="NAMES", help=f"Only these, with commas between them: {', '.join(STAGES)}.")
@click.option(
    "--device", default="cpu", show_default=True, type=click.Choice(["cpu", "cuda"]), help="Where to train."
)
@click.option(
    "--workers", default=2, show_default=True, type=click.IntRange(1, 64),
    help="Processes of one thread each, whose gradients are averaged; one with --device cuda.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=int, help="Another seed, another model.")
@click.option("--smoke", is_flag=True, help="A few steps of everything, to see that it runs.")
def train_pocket(folder: Path, stages: str | None, device: str, workers: int, seed: int, smoke: bool) -> None:
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
    check_outside_stores(folder)
    chosen = _chosen(stages)
    from jobs.train_pocket.curves import write_curves
    from jobs.train_pocket.progress import TrainingProgress
    from pipelines.pocket.training.recipe import Recipe, smoke_recipe
    from pipelines.pocket.training.stages import Training, run_stages

    recipe = (smoke_recipe() if smoke else Recipe()).seeded(seed)
    count = 1 if smoke or device == "cuda" else workers
    training = Training(folder, recipe.placed(device=device, workers=count, tell=TrainingProgress()))
    run_stages(training, chosen)
    if "curves" in chosen:
        write_curves(folder, folder / "curves.svg")
    if (training.checkpoint / "state_dict.bin").exists():
        click.echo(f"{training.checkpoint} is the model, {folder} holds its losses and measurements.")
    else:
        click.echo(f"{folder} holds what these stages left; there is no model yet.")


def _chosen(stages: str | None) -> tuple[str, ...]:
    if stages is None:
        return STAGES
    names = tuple(name.strip() for name in stages.split(","))
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        raise InvalidInput(f"There is no stage {unknown[0]!r}. Choose from {', '.join(STAGES)}.")
    return names
