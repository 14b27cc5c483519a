"""Folds that never cut through a group: a function of the groups alone, blind to labels."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.errors import InvalidInput, counted

Texts = Sequence[str] | NDArray[Any]
HELD_OUT = ("test", "validation")
"""Names of official splits that are scored, the first that is there; all other rows train."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Rows cut into cells. A model is scored on a tested cell after training on all other cells.

    To choose its strength, each of those other cells is left out in its turn.
    """

    cells: NDArray[np.int8]
    """Cell of each row, (N,)."""
    count: int
    tested: tuple[int, ...]


def group_folds(groups: Texts, folds: int, *, among: Collection[str] = ()) -> NDArray[np.int8]:
    """Fold of each row, (N,): groups in the order of their hashes, dealt out in turn.

    Folds hold equally many groups, or differ by one. Which fold a group gets depends on the set of groups
    that is dealt; name it in `among` to give subsets of the rows the same folds.

    Args:
        groups: what a fold must not cut through, per row.
        folds: how many folds.
        among: all groups, where `groups` are only some of them.

    Raises:
        InvalidInput: fewer than two folds, or fewer groups than folds.
    """
    names = sorted({*map(str, among), *map(str, groups)}, key=_hash)
    if folds < 2:
        raise InvalidInput(f"{folds} folds hold nothing out of the fit: choose 2 or more.")
    most = min(len(names), np.iinfo(np.int8).max)
    if folds > most:
        raise InvalidInput(
            f"{folds} folds cannot be made of {counted(len(names), 'group')}: choose 2 to "
            f"{max(2, most)} folds, and label clips of more groups where there are too few."
        )
    fold = {name: place % folds for place, name in enumerate(names)}
    return np.array([fold[str(group)] for group in groups], dtype=np.int8)


def fold_partition(groups: Texts, folds: int, *, among: Collection[str] = ()) -> Partition:
    """Cross-validation by group: every fold is a cell, and every cell is tested."""
    return Partition(group_folds(groups, folds, among=among), folds, tuple(range(folds)))


def official_partition(groups: Texts, splits: Texts, folds: int, *, among: Collection[str] = ()) -> Partition:
    """The dataset's own split: its test rows are cell 0, the others are cut by group into `folds` cells.

    Raises:
        InvalidInput: no row is held out, or none is left to train on.
    """
    splits = np.asarray(splits).astype(str)
    held_out = next((name for name in HELD_OUT if (splits == name).any()), None)
    if held_out is None or (splits == held_out).all():
        counts = ", ".join(f"{name or 'none'} {(splits == name).sum()}" for name in np.unique(splits))
        raise InvalidInput(
            f"The official split needs rows of 'test' (or 'validation') and others; labelled are: {counts}. "
            "Use --split groups."
        )
    cells = group_folds(groups, folds, among=among) + 1
    return Partition(np.where(splits == held_out, 0, cells).astype(np.int8), folds + 1, (0,))


def _hash(group: str) -> bytes:
    return sha256(group.encode()).digest()
