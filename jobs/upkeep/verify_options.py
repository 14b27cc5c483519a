"""Options of a verification."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from jobs.execution import FitExecution
from jobs.option import Option


@dataclass(frozen=True, slots=True)
class VerifyOptions(FitExecution):
    """What a user can say of a verification; see `undertone verify --help`."""

    store: str
    run: str | None = None
    _: KW_ONLY
    sample: Annotated[
        str,
        Option(
            "Share of the large files to read, drawn anew each time: 1% or 0.01. Documents and markers are "
            "always read.",
            metavar="SHARE",
        ),
    ] = "100%"
    again: Annotated[
        bool,
        Option("Read everything, also what an interrupted verification of the last seven days has read."),
    ] = False
