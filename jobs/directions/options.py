"""Options of fitting directions, and of bringing them to and from files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from jobs.execution import FitExecution
from jobs.fitting.options import Folds, Heads, Labels, Layers, Sites, Tables
from jobs.option import Option, check_values
from store.extensions import DIRECTIONS


@dataclass(frozen=True, slots=True)
class DirectionOptions(FitExecution):
    """Arguments of `undertone directions`, as given."""

    store: str
    run: str
    labels: Labels
    tables: Tables = ()
    methods: Annotated[
        str,
        Option(
            "Methods, separated by commas; all means those that are built in. mse:0.1 and "
            "logistic:0.1 name their penalty, which is chosen on held-out folds otherwise.",
            flag="--method",
            names=DIRECTIONS,
            others=("all",),
            free=True,
        ),
    ] = "all"
    pairs: Annotated[
        tuple[str, ...],
        Option(
            "Pair of classes to tell apart, instead of every class against the rest; may be repeated.",
            flag="--pair",
            metavar="SOURCE:TARGET",
        ),
    ] = ()
    sites: Sites = "all"
    layers: Layers = "all"
    heads: Heads = ""
    folds: Folds = 5
    seed: Annotated[int, Option("Random seed of the control directions.")] = 0


FileForm = Literal["safetensors", "npy"]
"""Kinds of files that hold directions."""
Where = Annotated[
    str,
    Option("Condition that selects directions, on the columns of the view vectors.", metavar="SQL"),
]


@dataclass(frozen=True, slots=True)
class SelectOptions:
    """Arguments of `undertone vectors list` and `superposition`, as given."""

    store: str
    where: Where = "true"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Arguments of `undertone vectors export`, as given."""

    store: str
    folder: Path
    where: Where = "true"
    form: Annotated[
        FileForm,
        Option("Format of the files: safetensors, or .npy (layers, D) with a JSON beside it.", flag="--as"),
    ] = "safetensors"

    def __post_init__(self) -> None:
        check_values(self)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Arguments of `undertone vectors import`, as given."""

    store: str
    file: Path
    run: Annotated[
        str | None,
        Option(
            "Run of the model that the directions belong to, for a file of another tool.", complete="runs"
        ),
    ] = None
    site: Annotated[str, Option("Site that the directions belong to, for a file of another tool.")] = "resid"
    concept: Annotated[str, Option("Name of the concept, for a file of another tool.")] = "imported"
    positive: Annotated[
        str | None, Option("Class that the directions point to, for a file of another tool.")
    ] = None
