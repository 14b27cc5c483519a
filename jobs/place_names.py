"""Names of sites and reductions as options write them: "resid,attn", "mean,std"."""

from collections.abc import Sequence
from typing import TypeVar

from store.errors import InvalidInput
from store.records import REDUCTIONS, SITES, Reduction, Site

_Name = TypeVar("_Name", bound=str)


def parse_sites(text: str) -> tuple[Site, ...]:
    """The sites that a text names, each once and in the order of a block.

    Raises:
        InvalidInput: it names something else, or nothing.
    """
    return _parsed(text, SITES, "site")


def parse_reductions(text: str) -> tuple[Reduction, ...]:
    """The reductions that a text names, each once and in their own order.

    Raises:
        InvalidInput: it names something else, or nothing.
    """
    return _parsed(text, REDUCTIONS, "reduction")


def _parsed(text: str, known: Sequence[_Name], what: str) -> tuple[_Name, ...]:
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(known))
    if unknown or not names:
        raise InvalidInput(
            f"{', '.join(map(repr, unknown)) or 'Nothing'} is no {what}; choose from {', '.join(known)}."
        )
    return tuple(name for name in known if name in names)
