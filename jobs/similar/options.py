"""Options of looking for similar clips."""

from dataclasses import dataclass
from typing import Annotated

from analysis.neighbours import Metric
from jobs.option import Option, check_values


@dataclass(frozen=True, slots=True)
class SimilarOptions:
    """Arguments of `undertone similar`, as given."""

    store: str
    run: str
    layer: Annotated[int, Option("Number of the layer whose vectors are compared.", least=0)]
    clip: str | None = None
    """None: make the index alone."""
    array: Annotated[str, Option("An array with one vector per clip: SITE.mean, .std or .last.")] = (
        "resid.mean"
    )
    count: Annotated[int, Option("How many clips to show.", least=1)] = 10
    metric: Annotated[
        Metric, Option("Distance between vectors: cosine is 1 − cos, euclidean the length of the difference.")
    ] = "cosine"
    indexed: Annotated[
        bool,
        Option(
            "Look in the nearest cells of an index only, which is made and kept where there is none: "
            "quicker, and not always exact. Its recall is said.",
        ),
    ] = False
    cells: Annotated[
        int | None,
        Option(
            "Number of cells (clusters of vectors) of a new index; by default the square root of "
            "the number of clips.",
            least=1,
        ),
    ] = None
    nprobe: Annotated[
        int, Option("Number of cells of the index that are searched, those nearest to the clip.", least=1)
    ] = 8

    def __post_init__(self) -> None:
        check_values(self)
