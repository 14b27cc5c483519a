"""Options of drawing a map of a layer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from jobs.execution import Roots
from jobs.option import Option, check_values

Method = Literal["pca", "umap"]


@dataclass(frozen=True, slots=True)
class MapOptions:
    """Arguments of `undertone map`, as given."""

    store: str
    run: str
    layer: Annotated[int, Option("Number of the layer whose clips are drawn.", least=0)]
    array: Annotated[str, Option("An array with one vector per clip: SITE.mean, .std or .last.")] = (
        "resid.mean"
    )
    method: Annotated[
        Method,
        Option(
            "Way to draw: pca by the two widest axes, at once; umap keeps neighbours together, takes its "
            "time, and is kept in the store."
        ),
    ] = "pca"
    clips: Annotated[
        int, Option("Clips that are drawn; of more as many are drawn by lot, and it is said.", least=3)
    ] = 50_000
    seed: Annotated[int, Option("Seed of the layout of umap, and of the lot.", least=0, most=2**32 - 1)] = 0
    export: Annotated[
        Path | None,
        Option("Write the map as Parquet: coordinates, all columns of the clips, and their sound if asked."),
    ] = None
    with_audio: Annotated[
        bool, Option("Put the sound of every clip into the exported file, as WAV of 16 bits.")
    ] = False
    roots: Roots = ()
    keep: bool = True
    """Whether a map of umap is written to the store; of Python alone."""

    def __post_init__(self) -> None:
        check_values(self)
