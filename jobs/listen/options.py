"""Options of writing a listening test."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jobs.option import Option, check_values


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """Arguments of `undertone listen export`, as given."""

    store: str
    sweep: str
    folder: Annotated[Path, Option("The folder to write: new, or empty.", flag="--into", path="folder")]
    settings: Annotated[
        int,
        Option("Most settings to compare, evenly spaced from the least transfer to the most.", least=1),
    ] = 8
    conditions: Annotated[int, Option("Prompts and random states of each setting.", least=1)] = 1
    seed: Annotated[
        int, Option("Random seed that decides which prompts and random states are compared.", least=0)
    ] = 0

    def __post_init__(self) -> None:
        check_values(self)
