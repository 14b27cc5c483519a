"""Options of tidying a store."""

from dataclasses import dataclass
from typing import Annotated

from jobs.option import Option, check_values
from jobs.upkeep.space import parse_size
from store.upkeep.garbage import Wanted


@dataclass(frozen=True, slots=True)
class TidyOptions:
    """Arguments of `undertone gc`, as given."""

    budget: Annotated[
        str | None,
        Option(
            "Size that moments and factors may have (10GB, 0); the oldest go.  [default: any size]",
            metavar="SIZE",
        ),
    ] = None
    features: Annotated[bool, Option("Remove features too; `probe` computes them again.")] = False
    older_than_days: Annotated[
        float,
        Option(
            "Take files that a killed command left for litter after so many days.",
            flag="--older-than",
            metavar="DAYS",
            least=0,
        ),
    ] = 7.0

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def wanted(self) -> Wanted:
        """What is to be looked for; raises `InvalidInput` where the budget is no size."""
        budget = None if self.budget is None else parse_size(self.budget)
        return Wanted(self.older_than_days, budget, self.features)
