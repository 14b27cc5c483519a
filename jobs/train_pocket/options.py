"""Options of training the model that ships with the project."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from jobs.option import Option, check_values
from store.errors import InvalidInput

STAGES = ("corpus", "recognizers", "codec", "codes", "models", "export", "evaluation", "scorers", "curves")
"""In their order; what they do is said in `pipelines.pocket.training.stages`."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Arguments of `undertone train-pocket`, as given."""

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
