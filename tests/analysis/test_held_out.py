"""Which held-out rows count: written out by hand."""

import numpy as np
import pytest

from analysis.linear.held_out import scored_rows
from analysis.splits import Partition

EVERY = (0, 1, 2)


def cut(cells: list[int], tested: tuple[int, ...] = EVERY) -> Partition:
    return Partition(np.array(cells, np.int8), 3, tested)


@pytest.mark.parametrize(
    ("labels", "partition", "scored"),
    [
        ([0, 1, 0, 1, 0, 1], cut([0, 0, 1, 1, 2, 2]), [1, 1, 1, 1, 1, 1]),
        ([0, 0, 0, 1, 1, 2], cut([0, 1, 2, 0, 1, 2]), [1, 1, 1, 1, 1, 0]),  # class 2 is in one cell
        ([0, 1, 0, 1], cut([0, 0, 0, 0]), [0, 0, 0, 0]),  # nothing to learn from
        ([0, 0, 1, 1], cut([0, 0, 1, 1]), [0, 0, 0, 0]),  # one class to learn
        ([0, 1, 0, 1, 2], cut([0, 0, 1, 1, 0], (0,)), [1, 1, 0, 0, 0]),  # an official split
        ([0, 1, 0, 1], cut([1, 1, 2, 2], (0,)), [0, 0, 0, 0]),  # nothing held out
    ],
)
def test_a_row_counts_if_the_other_cells_have_its_class_and_another(
    labels: list[int], partition: Partition, scored: list[int]
) -> None:
    assert scored_rows(np.array(labels), partition, classes=True).tolist() == [bool(one) for one in scored]


def test_a_number_counts_where_the_others_vary() -> None:
    numbers = np.array([1.0, 2.0, 3.0, 3.0])
    assert scored_rows(numbers, cut([0, 1, 2, 2]), classes=False).all()
    assert scored_rows(numbers, cut([0, 0, 1, 1]), classes=False).tolist() == [False, False, True, True]
