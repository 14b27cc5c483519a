"""Moments that add up."""

import gc
import itertools
import weakref

import numpy as np
import pytest

from analysis.linear.moments import BlockSum, Moments, added, moments_of, scatter_of, training_of
from store.errors import InvalidInput

WIDTH = 6
RANDOM = np.random.default_rng(0)
ROWS = (RANDOM.normal(size=(120, WIDTH)) * 2 + [120, -40, 0, 1, 5, 0]).astype(np.float32)
CELLS = RANDOM.integers(0, 3, 120)
SHIFT = ROWS[:10].mean(axis=0, dtype=np.float64)


def _blocks() -> list[Moments]:
    return [moments_of(ROWS[i : i + 24], CELLS[i : i + 24], 3, SHIFT) for i in range(0, 120, 24)]


def _equal(one: Moments, other: Moments) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("counts", "sums", "grams")
    )


def test_training_moments_are_those_of_the_rows() -> None:
    moments = moments_of(ROWS, CELLS, 3, SHIFT)
    training = training_of(moments, [0, 2])
    scatter = scatter_of(moments, [0, 2], training)
    rows = ROWS[CELLS != 1].astype(np.float64)
    assert training.rows == len(rows)
    np.testing.assert_allclose(training.mean + SHIFT, rows.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(scatter, len(rows) * np.cov(rows.T, bias=True), rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(training.scale, rows.std(axis=0), rtol=1e-12)


def test_sums_are_bit_identical_whatever_the_order_and_with_every_block_twice() -> None:
    blocks = _blocks()
    expected = BlockSum()
    for number, block in enumerate(blocks):
        expected.add(number, block)
    assert expected.total is not None
    for order in itertools.permutations(range(len(blocks))):
        found = BlockSum()
        for number in (*order, *order):
            found.add(number, blocks[number])
        assert found.total is not None
        assert _equal(found.total, expected.total)


def test_a_block_that_comes_twice_is_dropped_and_not_kept_in_memory() -> None:
    total = BlockSum()
    total.add(1, _blocks()[1])
    twice = _blocks()
    held = [weakref.ref(block.grams) for block in twice]
    total.add(1, twice[1])
    total.add(0, twice[0])
    expected = total.total
    for number in (0, 1):
        total.add(number, twice[number])
    assert total.total is expected
    del twice
    gc.collect()
    assert [grams() for grams in held] == [None] * len(held)


def test_a_plain_sum_would_depend_on_the_order() -> None:
    blocks = _blocks()
    assert not _equal(
        added(added(blocks[0], blocks[1]), blocks[2]), added(added(blocks[2], blocks[1]), blocks[0])
    )


def test_a_channel_far_from_zero_keeps_its_digits() -> None:
    far = ROWS + np.float32(1e5)
    shift = far[:10].mean(axis=0, dtype=np.float64)
    moments = moments_of(far, CELLS, 3, shift)
    scatter = scatter_of(moments, [0, 1, 2], training_of(moments, [0, 1, 2]))
    np.testing.assert_allclose(
        scatter, len(far) * np.cov(far.astype(np.float64).T, bias=True), rtol=1e-9, atol=1e-8
    )


def test_a_constant_feature_has_no_weight_rather_than_an_infinite_one() -> None:
    rows = ROWS.copy()
    rows[:, 2] = 0.1
    training = training_of(moments_of(rows, CELLS, 3, rows[:10].mean(axis=0, dtype=np.float64)), [0, 1, 2])
    assert np.isinf(training.scale[2])
    assert np.isfinite(np.delete(training.scale, 2)).all()


def test_a_negative_cell_leaves_a_row_out() -> None:
    left_out = np.where(CELLS == 1, -1, CELLS)
    assert moments_of(ROWS, left_out, 3, SHIFT).counts[1] == 0


def test_blocks_with_different_shifts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="same shift"):
        added(moments_of(ROWS, CELLS, 3, SHIFT), moments_of(ROWS, CELLS, 3, SHIFT + 1))
