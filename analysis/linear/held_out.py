"""Held-out rows that a fit can be right about: their class occurs in its training rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.splits import Partition


def scored_rows(labels: NDArray[Any], partition: Partition, *, classes: bool) -> NDArray[np.bool_]:
    """Held-out rows (n,) whose fit has seen different labels and, where labels are classes, the row's own.

    Args:
        labels: codes of classes, or numbers, (n,).
        partition: folds of the rows, and which are held out.
        classes: whether labels are codes of classes.
    """
    scored = np.zeros(len(labels), dtype=np.bool_)
    for fold in partition.tested:
        held_out = partition.cells == fold
        learned = np.unique(labels[~held_out])
        if len(learned) > 1:
            scored |= held_out & np.isin(labels, learned) if classes else held_out
    return scored
