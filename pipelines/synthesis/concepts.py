"""A synthetic concept: a grid of factors, how each cell is played, and its labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from pipelines.synthesis.scores import Score
from pipelines.synthesis.streams import permutation
from store.records import Label

Axes = Mapping[str, Sequence[Label]]
Factors = Mapping[str, Label]


@dataclass(frozen=True, slots=True)
class Specimen:
    """One clip of a concept, before it is played."""

    group: str
    """What a split must not cut through."""
    labels: Factors
    caption: str
    score: Callable[[float], Score] = field(repr=False)
    """From the clip's length in seconds to what is played."""


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept that clips can be rendered for."""

    name: str
    description: str
    label: str
    """The column to probe; clips are balanced in it."""
    size: int
    """How many different clips there are."""
    specimen: Callable[[int, int], Specimen] = field(repr=False)
    """From (seed, index) to a clip; index 0 … size−1 lists every clip once, in an order given by the seed."""


def grid_concept(
    name: str,
    description: str,
    axes: Axes,
    specimen: Callable[..., Specimen],
) -> Concept:
    """Builds a concept from a full grid of factors; the first axis is its main label.

    `specimen` turns one cell of the grid, a keyword for every axis, into the clip.
    """

    def at(seed: int, index: int) -> Specimen:
        return specimen(**cell(axes, index, seed, name))

    return Concept(name, description, next(iter(axes)), prod(map(len, axes.values())), at)


def cell(axes: Axes, index: int, *key: str | int) -> Factors:
    """Returns the grid cell at a place of the key's random order, without ever repeating one.

    Every block of C successive places has each of the C main labels once; for each of them, the other factors
    run through a random order of their own.
    """
    label, *others = axes
    block = index // len(axes[label])
    chosen = balanced_choice(axes[label], index, *key, label)
    rest = prod(len(axes[other]) for other in others)
    number = int(permutation(rest, *key, label, str(chosen))[block])
    factors: dict[str, Label] = {label: chosen}
    for other in others:
        number, value = divmod(number, len(axes[other]))
        factors[other] = axes[other][value]
    return factors


def balanced_choice(options: Sequence[Label], index: int, *key: str | int) -> Label:
    """Draws options in random blocks, each of which has every option once."""
    block, place = divmod(index, len(options))
    return options[int(permutation(len(options), *key, block)[place])]
