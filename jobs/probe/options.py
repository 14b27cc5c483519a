"""Options of probes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from analysis.concepts import Loss, check_loss
from jobs.fitting.mapping import Engine
from store.errors import InvalidInput
from store.extensions import PROBES

if TYPE_CHECKING:
    from jobs.fitting.user_tables import GivenTables


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """Arguments of `undertone probe`, as given."""

    store: str
    run: str
    labels: str
    """Query that gives clip_id and labels."""
    tables: "GivenTables" = ()
    """Tables of the user that the query may read."""
    loss: str = "mse"
    split: Literal["groups", "official"] = "groups"
    folds: int = 5
    sites: str = "all"
    layers: str = "all"
    reduce: str = "mean,std,last"
    strengths: str = "auto"
    controls: int = 5
    """Shuffled labellings."""
    handcrafted: bool = True
    """Fit mel, MFCC and chroma statistics too."""
    keep_factors: bool = False
    """Keep factorisations beside the moments."""
    seed: int = 0
    engine: Engine = "auto"
    address: str = "local"
    workers: int | None = None
    roots: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.controls < 0 or self.folds < 2:
            raise InvalidInput(f"--controls {self.controls} and --folds {self.folds}: use 0 and 2 or more.")


def parse_losses(text: str) -> tuple[Loss, ...]:
    """Read "mse,logistic"; raises `InvalidInput`."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [text]:
        check_loss(name)
    return tuple(loss for loss in ("mse", *PROBES.names()) if loss in names)


def parse_strengths(text: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """Read "auto" or numbers like "0.01,1,100"; raises `InvalidInput`."""
    if text == "auto":
        return default
    try:
        strengths = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        strengths = ()
    if not strengths or not all(0 < strength < float("inf") for strength in strengths):
        raise InvalidInput(f"--strengths {text!r}: write auto, or positive numbers like 0.01,1,100.")
    return strengths
