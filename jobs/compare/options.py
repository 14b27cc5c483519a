"""Options of comparing layers."""

from dataclasses import dataclass
from typing import Annotated

from jobs.fitting.options import Folds, Tables
from jobs.option import Option, check_values


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """Arguments of `undertone compare`, as given."""

    store: str
    run: str
    other: str | None = None
    """None: the run is compared with itself."""
    array: Annotated[
        str, Option("Arrays of RUN with one vector per clip, such as resid.mean; several by commas.")
    ] = "resid.mean"
    other_array: Annotated[
        str | None, Option("Likewise of OTHER; by default those of RUN that it has, else all of its means.")
    ] = None
    layers: Annotated[str, Option("Layers by number, in both: all, 0,5,11 or 4-7.")] = "all"

    labels: Annotated[
        str | None,
        Option(
            "Query that gives clip_id and one label column or more: probes of each layer are applied to each "
            "other one.",
            metavar="SELECT",
        ),
    ] = None
    tables: Tables = ()
    folds: Folds = 5
    controls: Annotated[int, Option("Shuffled labellings to compare with.", least=0)] = 5

    def __post_init__(self) -> None:
        check_values(self)
