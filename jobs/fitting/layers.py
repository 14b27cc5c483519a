"""Select the arrays and layers of a run that a job reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.places import first_missing, parse_layer_ranges, parse_sites
from store.arrays.collection import Collection
from store.errors import NotFound
from store.records import REDUCTIONS, sites_in_order

POOLED = ("mean", "std", "last")


@dataclass(frozen=True, slots=True)
class LayerArray:
    """One layer of one array of a run."""

    array: str
    """"<site>.<reduction>"."""
    layer: int

    @property
    def site(self) -> str:
        """Where in a block, for example "resid"."""
        return self.array.split(".")[0]

    @property
    def reduction(self) -> str:
        """What was kept over time, for example "mean"."""
        return self.array.split(".")[1]


def select_layers(
    run: Collection,
    *,
    sites: str = "all",
    layers: str = "all",
    reductions: Sequence[str] = POOLED,
) -> list[LayerArray]:
    """The layers that a user named, of every array with one of the reductions, in order.

    Args:
        run: the run.
        sites: "all", or names like "resid,attn".
        layers: "all", or numbers like "0,5,11" or "4-7".
        reductions: which arrays count.

    Raises:
        InvalidInput: a site or layer cannot be read.
        NotFound: the run lacks a named site or layer.
    """
    wanted_sites = None if sites == "all" else parse_sites(sites)
    ranges = parse_layer_ranges(layers)
    found: list[LayerArray] = []
    for site in sites_in_order(name.split(".")[0] for name in run.arrays):
        for name in (f"{site}.{reduction}" for reduction in REDUCTIONS if reduction in reductions):
            if name in run.arrays and (wanted_sites is None or site in wanted_sites):
                found += [LayerArray(name, layer) for layer in run.layers(name)]
    lacking = sorted(set(wanted_sites or ()) - {layer.site for layer in found})
    if lacking or not found:
        raise NotFound(
            f"{run.prefix} has no {' or '.join(reductions)} of {', '.join(lacking) or 'any site'}; "
            f"it has {', '.join(run.arrays)}."
        )
    if ranges is None:
        return found
    known = sorted({layer.layer for layer in found})
    if (missing := first_missing(ranges, known)) is not None:
        raise NotFound(f"{run.prefix} has no layer {missing}; it has {known}.")
    return [layer for layer in found if any(layer.layer in one for one in ranges)]
