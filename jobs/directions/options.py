"""Options of fitting directions."""

from dataclasses import dataclass
from typing import Annotated

from jobs.execution import FitExecution
from jobs.fitting.options import Folds, Labels, Layers, Sites, Tables
from jobs.option import Option
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
    folds: Folds = 5
    seed: Annotated[int, Option("Random seed of the control directions.")] = 0
