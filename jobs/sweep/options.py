"""Options of `undertone sweep` beside its file."""

from dataclasses import dataclass
from typing import Annotated

from jobs.execution import Backend, Dtype, Execution
from jobs.option import Option, check_values
from store.errors import InvalidInput
from store.extensions import SWEEP_SCORERS


@dataclass(frozen=True, slots=True)
class SweepOptions(Execution):
    """Arguments of `undertone sweep`, as given."""

    store: str
    sweep: str
    """File of the sweep, or the name of one that comes with Undertone."""
    run: Annotated[
        str,
        Option("Run whose directions steer; needed where the store has several.", complete="runs"),
    ] = ""
    model: Annotated[
        str, Option("Folder of the run's model, where that was extracted from a folder.", metavar="PATH")
    ] = ""
    backend: Backend = None
    scorers: Annotated[
        str, Option(f"Scorers of the generations: all, or some of {', '.join(SWEEP_SCORERS.built_in)}.")
    ] = "all"
    clap: Annotated[
        str, Option("The CLAP that scores, as in `undertone evaluate`.", metavar="pocket|NAME|PATH")
    ] = "pocket"
    batch: Annotated[
        int,
        Option(
            "Generations per pass: decides speed and memory, and a sound only where two tokens tie.",
            least=1,
        ),
    ] = 32
    unit: Annotated[int, Option("Generations per commit: what a crash can cost.", least=1)] = 64
    dtype: Dtype = "fp32"

    def __post_init__(self) -> None:
        check_values(self)
        self.scorer_names()

    def scorer_names(self) -> tuple[str, ...]:
        """The scorers that were asked for; raises `InvalidInput`."""
        if self.scorers == "all":
            return tuple(SWEEP_SCORERS.built_in)
        names = [name.strip() for name in self.scorers.split(",") if name.strip()]
        known = SWEEP_SCORERS.names()
        if unknown := sorted(set(names) - set(known)):
            raise InvalidInput(
                f"--scorers: there is no {unknown[0]!r}; choose all, or from {', '.join(known)}."
            )
        return tuple(name for name in known if name in names)
