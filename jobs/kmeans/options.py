"""Options of k-means."""

import re
from dataclasses import dataclass
from typing import Annotated

from analysis.clustering.scaling_kinds import ScalingKind
from jobs.execution import FitExecution
from jobs.fitting.options import Labels, Layers, Sites, Tables
from jobs.option import Option
from store.errors import InvalidInput
from store.records import Reduction


@dataclass(frozen=True, slots=True)
class KmeansOptions(FitExecution):
    """Arguments of `undertone kmeans`, as given."""

    store: str
    run: str
    labels: Labels
    tables: Tables = ()
    k: Annotated[
        str,
        Option(
            "Number of clusters: as many as the concept has classes, a number, or the best "
            "silhouette of a range.",
            metavar="auto|N|LO:HI",
        ),
    ] = "auto"
    scaling: Annotated[
        ScalingKind,
        Option(
            "Scaling of the activations before they are clustered: each feature to deviation "
            "1, each row to length 1, or whitened."
        ),
    ] = "none"
    starts: Annotated[int, Option("Random starts; all of them are reported.", least=1)] = 10
    seed: Annotated[int, Option("Random seed of the first start; the others count on from it.")] = 0
    batch_size: Annotated[
        int,
        Option(
            "Points of a mini-batch, after which centres move, as in scikit-learn's MiniBatchKMeans; 0 moves "
            "them after all points.",
            least=0,
        ),
    ] = 0
    sites: Sites = "all"
    layers: Layers = "all"
    reduction: Annotated[
        Reduction,
        Option(
            "Reduction that is clustered. Every segment or frame is a point of its own, and a "
            "clip gets the histogram of its points.",
            flag="--reduce",
        ),
    ] = "mean"
    assignments: Annotated[bool, Option("Store each clip's cluster also where a clip is one point.")] = False


def parse_k(text: str) -> range | None:
    """The numbers of clusters to try; None for "auto". Raises `InvalidInput`."""
    if text == "auto":
        return None
    match = re.fullmatch(r"(\d+)(?::(\d+))?", text)
    if match and 2 <= int(match[1]) <= int(match[2] or match[1]):
        return range(int(match[1]), int(match[2] or match[1]) + 1)
    raise InvalidInput(f"--k {text!r}: write auto, a number of 2 or more, or a range like 2:12.")
