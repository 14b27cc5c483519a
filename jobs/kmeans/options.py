"""Options of k-means."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.errors import InvalidInput

if TYPE_CHECKING:
    from analysis.clustering.scaling import ScalingKind
    from jobs.fitting.mapping import Engine
    from jobs.fitting.user_tables import GivenTables


@dataclass(frozen=True, slots=True)
class KmeansOptions:
    """Arguments of `undertone kmeans`, as given."""

    store: str
    run: str
    labels: str
    """Query that gives clip_id and labels."""
    tables: "GivenTables" = ()
    """Tables of the user that the query may read."""
    k: str = "auto"
    """"auto" (the number of classes of each concept), a number, or "LO:HI"."""
    scaling: str = "none"
    starts: int = 10
    seed: int = 0
    sites: str = "all"
    layers: str = "all"
    reduction: str = "mean"
    assignments: bool = False
    """Store the cluster of every clip, also where a clip is one point."""
    engine: "Engine" = "auto"
    address: str = "local"
    workers: int | None = None


def parse_k(text: str) -> range | None:
    """The numbers of clusters to try; None for "auto". Raises `InvalidInput`."""
    if text == "auto":
        return None
    match = re.fullmatch(r"(\d+)(?::(\d+))?", text)
    if match and 2 <= int(match[1]) <= int(match[2] or match[1]):
        return range(int(match[1]), int(match[2] or match[1]) + 1)
    raise InvalidInput(f"--k {text!r}: write auto, a number of 2 or more, or a range like 2:12.")


def parse_scaling(text: str) -> "ScalingKind":
    """One of the scalings; raises `InvalidInput`."""
    from analysis.clustering.scaling import SCALINGS

    for kind in SCALINGS:
        if text == kind:
            return kind
    raise InvalidInput(f"--scaling {text!r} is none of {', '.join(SCALINGS)}.")
