"""Sites, layers and reductions as options write them: "resid,attn", "0,5,11", "4-7", "mean,std"."""

import re
from collections.abc import Sequence
from typing import TypeVar

from store.errors import InvalidInput
from store.records import REDUCTIONS, SITES, Reduction, Site, check_site, sites_in_order

_Name = TypeVar("_Name", bound=str)


def parse_sites(text: str, known: Sequence[Site] = SITES) -> tuple[Site, ...]:
    """The sites that a text names, each once and in order; "all" means the known ones.

    Whether a model or a run has them is another question: `ModelInfo.site` says what there is.

    Raises:
        InvalidInput: it names nothing, or what can be no site.
    """
    if text.strip() == "all":
        return tuple(known)
    names = {check_site(name.strip()) for name in text.split(",") if name.strip()}
    if not names:
        raise InvalidInput(f"Nothing is no site; choose from {', '.join(known)}.")
    return (*(site for site in known if site in names), *sites_in_order(names.difference(known)))


def parse_reductions(text: str) -> tuple[Reduction, ...]:
    """The reductions that a text names, "all" or each once, in their own order.

    Raises:
        InvalidInput: it names something else, or nothing.
    """
    return _parsed(text, REDUCTIONS, "reduction")


def _parsed(text: str, known: Sequence[_Name], what: str) -> tuple[_Name, ...]:
    if text.strip() == "all":
        return tuple(known)
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(known))
    if unknown or not names:
        raise InvalidInput(
            f"{', '.join(map(repr, unknown)) or 'Nothing'} is no {what}; choose from {', '.join(known)}."
        )
    return tuple(name for name in known if name in names)


_PART = re.compile(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?")


def parse_layer_ranges(text: str) -> tuple[range, ...] | None:
    """The ranges that a text names, None for "all"; a number by itself is a range of one.

    Ranges, not numbers: "0-999999999" costs nothing until somebody counts it out.

    Raises:
        InvalidInput: the text says something else, or a range that runs backwards.
    """
    if text.strip() == "all":
        return None
    ranges = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if not match:
            raise InvalidInput(f"Layers {text!r} cannot be read; write all, 0,5,11 or 4-7.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise InvalidInput(f"Layers {text!r}: {first}-{last} runs backwards; write {last}-{first}.")
        ranges.append(range(first, last + 1))
    return tuple(ranges)


def parse_layers(text: str, count: int) -> tuple[int, ...]:
    """The layers that a text names, in order and each once, for a model of `count` layers.

    Raises:
        InvalidInput: not a list of layers of this model.
    """
    ranges = parse_layer_ranges(text)
    if ranges is None:
        return tuple(range(count))
    if any(one[-1] >= count for one in ranges):
        raise InvalidInput(f"Layers {text!r} are not all in this model, whose layers are 0–{count - 1}.")
    return tuple(sorted({layer for one in ranges for layer in one}))


def first_missing(ranges: Sequence[range], known: Sequence[int]) -> int | None:
    """The first number of the ranges that is not among the known ones."""
    there = frozenset(known)
    return next((layer for one in ranges for layer in one if layer not in there), None)
