"""Options of probes."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from analysis.concepts import Loss, check_loss
from jobs.execution import FitExecution, Roots
from jobs.fitting.options import Folds, Heads, Labels, Layers, Sites, Tables
from jobs.option import Option
from store.errors import InvalidInput
from store.extensions import PROBES


@dataclass(frozen=True, slots=True)
class ProbeOptions(FitExecution):
    """Arguments of `undertone probe`, as given."""

    store: str
    run: str
    labels: Labels
    tables: Tables = ()
    loss: Annotated[
        str,
        Option(
            "Losses, separated by commas: mse (ridge), logistic, logistic_ovr (one class "
            "against the rest) and those of plug-ins, on the same splits.",
            names=PROBES,
            others=("mse",),
            free=True,
        ),
    ] = "mse"
    split: Annotated[
        Literal["groups", "official"],
        Option(
            "Split of the clips: groups is cross-validation by group, official scores on the "
            "dataset's test rows."
        ),
    ] = "groups"
    folds: Folds = 5
    sites: Sites = "all"
    layers: Layers = "all"
    heads: Heads = ""
    reduce: Annotated[str, Option("Reductions of the run to read, of mean, std, last, segments, frames.")] = (
        "mean,std,last"
    )
    penalties: Annotated[
        str, Option("Penalties to choose from, like 0.01,1,100; auto is ten from 0.0001 to 100000.")
    ] = "auto"
    controls: Annotated[int, Option("Shuffled labellings to compare with.", least=0)] = 5
    handcrafted: Annotated[
        bool,
        Option(
            "Probe mel, MFCC and chroma statistics of the audio too; they are computed once and kept.",
            flag="--handcrafted/--no-handcrafted",
        ),
    ] = True
    keep_factors: Annotated[
        bool,
        Option(
            "Keep factorisations for later concepts on the same clips: about 8 · D² · folds · (folds + 1) / "
            "2 bytes a layer, 126 MB for 1,024 features and 5 folds.",
            flag="--keep-factors/--no-keep-factors",
        ),
    ] = False
    seed: Annotated[int, Option("Random seed of the shuffled labels.")] = 0
    _: KW_ONLY
    roots: Roots = ()


def parse_losses(text: str) -> tuple[Loss, ...]:
    """Read "mse,logistic"; raises `InvalidInput`."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [text]:
        check_loss(name)
    return tuple(loss for loss in ("mse", *PROBES.names()) if loss in names)


def parse_penalties(text: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """Read "auto" or numbers like "0.01,1,100"; raises `InvalidInput`."""
    if text == "auto":
        return default
    try:
        penalties = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        penalties = ()
    if not penalties or not all(0 < penalty < float("inf") for penalty in penalties):
        raise InvalidInput(f"--penalties {text!r}: write auto, or positive numbers like 0.01,1,100.")
    return penalties
