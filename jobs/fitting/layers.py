"""Select the arrays and layers of a run that a job reads."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.places import first_missing, parse_layer_ranges, parse_sites
from store.arrays.collection import Collection
from store.errors import NotFound, counted
from store.records import REDUCTIONS, sites_in_order

POOLED = ("mean", "std", "last")


@dataclass(frozen=True, slots=True)
class LayerArray:
    """One layer of one array of a run."""

    array: str
    """"<site>.<reduction>"."""
    layer: int
    head: int | None = None
    """Attention head whose columns alone are read; None for all of them."""

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
    heads: str = "",
) -> list[LayerArray]:
    """The layers that a user named, of every array with one of the reductions, in order.

    Args:
        run: the run.
        sites: "all", or names like "resid,attn".
        layers: "all", or numbers like "0,5,11" or "4-7".
        reductions: which arrays count.
        heads: "all", or numbers like "0,3": those of each layer one by one, of arrays that have heads; "" for
            whole layers.

    Raises:
        InvalidInput: a site or layer cannot be read.
        NotFound: the run lacks a named site or layer.
    """
    wanted_sites = None if sites == "all" else parse_sites(sites)
    readable = set(run.arrays) if not heads else {name for name in run.arrays if heads_of(run, name) > 1}
    ranges = parse_layer_ranges(layers)
    found: list[LayerArray] = []
    for site in sites_in_order(name.split(".")[0] for name in run.arrays):
        for name in (f"{site}.{reduction}" for reduction in REDUCTIONS if reduction in reductions):
            if name in readable and (wanted_sites is None or site in wanted_sites):
                found += [LayerArray(name, layer) for layer in run.layers(name)]
    lacking = sorted(set(wanted_sites or ()) - {layer.site for layer in found})
    if lacking or not found:
        what = " with heads" if heads else ""
        raise NotFound(
            f"{run.prefix} has no {' or '.join(reductions)} of {', '.join(lacking) or 'any site'}{what}; "
            f"it has {', '.join(run.arrays)}."
        )
    if heads:
        found = [replace(one, head=head) for one in found for head in _heads(run, one.array, heads)]
    if ranges is None:
        return found
    known = sorted({layer.layer for layer in found})
    if (missing := first_missing(ranges, known)) is not None:
        raise NotFound(f"{run.prefix} has no layer {missing}; it has {known}.")
    return [layer for layer in found if any(layer.layer in one for one in ranges)]


def places_text(selected: Sequence[LayerArray]) -> str:
    """How many layers, and beside them heads and arrays where there are several of them."""
    heads = {one.head for one in selected} - {None}
    arrays = {one.array for one in selected}
    beside = [counted(len(heads), "head")] if heads else []
    beside += [counted(len(arrays), "array")] if len(arrays) > 1 else []
    layers = counted(len({one.layer for one in selected}), "layer")
    return f"{layers} ({', '.join(beside)})" if beside else layers


def heads_of(run: Collection, array: str) -> int:
    """Attention heads that an array has side by side; 1 where it has none."""
    return int(run.arrays[array].attributes.get("heads", 1))


def head_columns(run: Collection, array: str, head: int | None) -> slice:
    """The columns of one head of an array; all of them for None."""
    if head is None:
        return slice(None)
    width = int(run.arrays[array].shape[-1]) // heads_of(run, array)
    return slice(head * width, (head + 1) * width)


def _heads(run: Collection, array: str, text: str) -> list[int]:
    count = heads_of(run, array)
    ranges = parse_layer_ranges(text)
    if ranges is None:
        return list(range(count))
    if (missing := first_missing(ranges, range(count))) is not None:
        raise NotFound(f"{array} of {run.prefix} has no head {missing}; it has 0–{count - 1}.")
    return [head for head in range(count) if any(head in one for one in ranges)]
