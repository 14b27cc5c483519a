"""Train the model that ships with the project, or some stages of it."""

from pathlib import Path

from jobs.train_pocket.curves import write_curves
from jobs.train_pocket.options import TrainOptions
from jobs.user_files import check_outside_stores
from pipelines.pocket.training.loop import Tell
from pipelines.pocket.training.recipe import Recipe, smoke_recipe
from pipelines.pocket.training.stages import Training, run_stages


def train(options: TrainOptions, tell: Tell) -> Path | None:
    """Run the stages that were asked for; returns the checkpoint, None where there is none yet.

    `tell` is called with stage, step, steps and losses, in processes of workers too.

    Raises:
        InvalidInput: the folder lies in a store.
    """
    check_outside_stores(options.folder)
    stages = options.chosen_stages()
    recipe = (smoke_recipe() if options.smoke else Recipe()).seeded(options.seed)
    workers = 1 if options.smoke or options.device == "cuda" else options.workers
    placed = recipe.placed(device=options.device, workers=workers, tell=tell)
    training = Training(options.folder, placed)
    run_stages(training, stages)
    if "curves" in stages:
        write_curves(options.folder, options.folder / "curves.svg")
    return training.checkpoint if (training.checkpoint / "state_dict.bin").exists() else None
