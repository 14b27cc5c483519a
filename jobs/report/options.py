"""Options of drawing a report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jobs.option import Option
from store.extensions import FIGURES


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Arguments of `undertone report`, as given."""

    store: str
    output: Annotated[Path, Option("The HTML file to write; a browser prints it to PDF.", short="-o")]
    run: Annotated[
        str | None,
        Option("Report this run only; by default every run that something was fitted on.", complete="runs"),
    ] = None
    layer: Annotated[
        str | None,
        Option("Look closely at this layer; by default at each concept's best.", metavar="SITE:LAYER"),
    ] = None
    figures: Annotated[
        tuple[str, ...],
        Option(
            "Also draw this figure of a plug-in, where one is installed. Can be given several times.",
            flag="--figure",
            names=FIGURES,
            plugins=True,
        ),
    ] = ()
