"""Shuffled labels: what a probe scores where there is nothing to learn (control tasks, arXiv:1909.03368)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def shuffled_by_group(
    values: NDArray[Any], groups: Sequence[str] | NDArray[Any], *, random_seed: int
) -> NDArray[Any]:
    """Labels (N,) dealt to other groups: clips of one group keep labels of one group.

    Were single clips shuffled, labels would vary within recordings as true labels never do, and the control
    would be too easy to beat. Each group takes the labels of another, drawn without replacement, over and
    over where it has more clips.
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    donors = np.random.default_rng(random_seed).permutation(len(names))
    members = [np.flatnonzero(codes == code) for code in range(len(names))]
    shuffled = np.empty_like(values)
    for own, donor in zip(members, donors, strict=True):
        shuffled[own] = values[np.resize(members[donor], len(own))]
    return shuffled
