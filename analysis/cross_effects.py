"""Interference: what steering one concept does to the others, per unit of strength.

X_ij = ∂ score_j / ∂ α_i, the slope of the change of score j against the strength of direction i. A concept is
moved by half the sum of |slope| over its classes, and the index is how much the others are moved, over how
much the steered ones are: 0 where directions leave each other alone.

A sum of sizes is never 0: noise has a size, too. So signs are taken from one half of the sounds and slopes
from the other: what is noise has the wrong sign as often as the right one, and adds nothing on average.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.paired_intervals import UNKNOWN, Contributions, Estimate, Mask, crossed_spread, interval_of

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """How much the concepts are moved when one of them is steered, along one pair of its classes."""

    steered: str
    by_concept: Mapping[str, Contributions]
    """Of the cells (P, S) of that pair."""
    units: Sequence[str]
    """Of its prompts, (P,)."""

    def others(self, concepts: Sequence[str]) -> Floats:
        """How much all but the steered one of these are moved, (P, S)."""
        found = [self.by_concept[one].cells for one in concepts if one != self.steered]
        return np.asarray(np.sum(found, axis=0))

    def own(self) -> Floats:
        """How much the steered one is moved, (P, S)."""
        return self.by_concept[self.steered].cells


def dose_slopes(alphas: Floats, changes: Floats) -> Contributions:
    """Slope of changes against strength in every cell, through the origin: without steering nothing changes.

    Args:
        alphas: (A,).
        changes: of the score against the unsteered twin, (A, P, S); NaN where it is unknown.
    """
    squares = float(alphas @ alphas)
    if squares == 0:
        return Contributions(np.full(changes.shape[1:], np.nan))
    return Contributions(np.einsum("a,aps->ps", alphas, changes) / squares)


def moved_by(slopes: Sequence[Contributions], choosing: Mask) -> Contributions:
    """Half the sum of |slope| over the classes of a concept: signs from some cells, slopes from the others.

    Args:
        slopes: of each class, in cells (P, S).
        choosing: the cells that signs are taken from, (P, S); the others are NaN where a class is unknown.
    """
    cells = np.stack([one.cells for one in slopes])
    known = np.isfinite(cells).all(axis=0)
    if not (known & choosing).any():
        return Contributions(np.full(choosing.shape, np.nan))
    signs = np.sign(cells[:, known & choosing].mean(axis=1))
    return Contributions(np.where(known & ~choosing, np.einsum("c,cps->ps", signs, cells) / 2, np.nan))


def interference_index(
    moved: Sequence[Moved], concepts: Sequence[str], *, steered: Sequence[Moved] | None = None
) -> Estimate:
    """How much the other concepts are moved, over how much the steered are, with its interval.

    Every steered concept counts alike, whatever its pairs; pairs are taken for independent.

    Args:
        moved: of each pair that is steered.
        concepts: those that are both steered and measured.
        steered: the same pairs, steered along what moves their own concepts; by default `moved` itself. For
            a control: what random directions do to the others, over what steering does.
    """
    pairs = [one.steered for one in moved]
    shares = [1 / pairs.count(one.steered) if one.steered in concepts else 0.0 for one in moved]
    others = [share * one.others(concepts) for one, share in zip(moved, shares, strict=True) if share]
    own = [share * one.own() for one, share in zip(steered or moved, shares, strict=True) if share]
    units = [one.units for one in moved if one.steered in concepts]
    if not others or any(np.isnan(cells).all() for cells in (*others, *own)):
        return UNKNOWN
    top, bottom = (float(sum(np.nanmean(cells) for cells in side)) for side in (others, own))
    if bottom <= 0:
        return UNKNOWN
    index = top / bottom
    errors = [(one - index * two) / bottom for one, two in zip(others, own, strict=True)]
    spreads = [crossed_spread(cells, units=each) for cells, each in zip(errors, units, strict=True)]
    return interval_of(index, spreads)
