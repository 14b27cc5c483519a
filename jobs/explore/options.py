"""Options of the explorer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jobs.execution import Roots
from jobs.option import Option, check_values


@dataclass(frozen=True, slots=True)
class ExploreOptions:
    """Arguments of `undertone explore`, as given."""

    store: str
    write: Annotated[
        bool, Option("Let the page save selections and maps in the store; without it nothing is written.")
    ] = False
    port: Annotated[int, Option("Port on this machine; 0 takes one that is free.", least=0, most=65535)] = 0
    edit: Annotated[
        Path | None,
        Option(
            "Copy the notebook to this file, unless it is there, and open it to be changed.", metavar="FILE"
        ),
    ] = None
    roots: Roots = ()

    def __post_init__(self) -> None:
        check_values(self)
