"""Reductions against NumPy in double precision."""

import numpy as np
import pytest
import torch

from pipelines.reductions import reduce_rows, segment_bounds


@pytest.fixture
def rows() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(3, 2, (3, 23, 5)).astype(np.float32))


def test_mean_and_population_deviation_are_numpys(rows: torch.Tensor) -> None:
    exact = rows.double().numpy()
    np.testing.assert_allclose(reduce_rows(rows, "mean", segments=1), exact.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(reduce_rows(rows, "std", segments=1), exact.std(axis=1), rtol=1e-5)


def test_the_deviation_is_accurate_where_the_mean_is_ten_thousand_times_larger(rows: torch.Tensor) -> None:
    shifted = rows + 20_000
    exact = shifted.double().numpy().std(axis=1)
    np.testing.assert_allclose(reduce_rows(shifted, "std", segments=1), exact, rtol=1e-4)


def test_segments_are_the_means_of_the_bins_and_bins_cover_every_row_once(rows: torch.Tensor) -> None:
    bounds = segment_bounds(23, 4)
    lengths = np.diff(bounds)
    assert bounds[0] == 0
    assert bounds[-1] == 23
    assert lengths.max() - lengths.min() <= 1
    segments = reduce_rows(rows, "segments", segments=4)
    assert segments.shape == (3, 4, 5)
    for index in range(4):
        expected = rows.double().numpy()[:, bounds[index] : bounds[index + 1]].mean(axis=1)
        np.testing.assert_allclose(segments[:, index], expected, rtol=1e-6)


def test_last_and_frames_are_the_rows_themselves(rows: torch.Tensor) -> None:
    np.testing.assert_array_equal(reduce_rows(rows, "last", segments=1), rows[:, 22])
    np.testing.assert_array_equal(reduce_rows(rows, "frames", segments=1), rows)


@pytest.mark.parametrize("reduction", ["mean", "std", "segments"])
def test_arithmetic_on_bfloat16_is_done_in_float32(reduction: str) -> None:
    # 300 rows of 1.0: a bfloat16 accumulator would stop growing at 256.
    rows = torch.ones(1, 300, 2, dtype=torch.bfloat16)
    rows[:, ::2] = 3.0
    reduced = reduce_rows(rows, reduction, segments=2)  # type: ignore[arg-type]
    assert reduced.dtype == torch.float32
    torch.testing.assert_close(reduced, torch.full_like(reduced, 1.0 if reduction == "std" else 2.0))


@pytest.mark.parametrize("reduction", ["mean", "std", "last", "segments", "frames"])
def test_a_reduction_leaves_its_input_alone(rows: torch.Tensor, reduction: str) -> None:
    before = rows.clone()
    reduce_rows(rows, reduction, segments=3)  # type: ignore[arg-type]
    torch.testing.assert_close(rows, before, rtol=0, atol=0)
