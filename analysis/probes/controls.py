"""Shuffled-label controls: the score of a probe where there is nothing to learn (arXiv:1909.03368)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW_GROUPS = 5
"""With fewer there are not ten ways to give every group the labels of another: they make no control."""


def shuffled_by_group(
    values: NDArray[Any], groups: Sequence[str] | NDArray[Any], *, random_seed: int
) -> NDArray[Any]:
    """Labels (N,) dealt to other groups: clips of one group keep labels of one group.

    Were single clips shuffled, labels would vary within recordings as true labels never do, and the control
    would be too easy to beat. Each group takes the labels of another, never its own, drawn without
    replacement, over and over where it has more clips. A single group keeps what it has.

    Never its own puts the accuracy of classes below chance: of k groups in each of C balanced classes, one
    gets its own class in (k − 1) / (Ck − 1) of draws. For accuracy the baseline therefore binds first.
    """
    names, codes, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    donors = derangement(len(names), np.random.default_rng(random_seed))
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    shuffled = np.empty_like(values)
    for own, donor in zip(members, donors, strict=True):
        shuffled[own] = values[np.resize(members[donor], len(own))]
    return shuffled


def derangement(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """A permutation that leaves nothing in its place, all of them equally likely; of one thing the identity.

    Drawn until one comes, which takes e draws on average.
    """
    places = np.arange(count)
    drawn = random.permutation(count)
    while count > 1 and (drawn == places).any():
        drawn = random.permutation(count)
    return drawn
