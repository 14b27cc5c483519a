"""Debiased CKA against its definition by Gram matrices, known rotations, and chance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.representation_similarity import (
    PairMoments,
    Similarity,
    debiased_hsic,
    pair_moments,
    parts_of,
    similarity,
)
from store.errors import InvalidInput

Floats = NDArray[np.float64]


def _compared(x: Floats, y: Floats, groups: NDArray[np.int64] | None = None) -> Similarity:
    parts = parts_of(np.arange(len(x)) if groups is None else groups)

    def moments(a: Floats, b: Floats) -> list[PairMoments]:
        return [pair_moments(a[parts == part], b[parts == part]) for part in np.unique(parts)]

    return similarity(moments(x, y), moments(x, x), moments(y, y))


def _by_gram_matrices(x: Floats, y: Floats) -> float:
    """Song et al. 2012, equation 5, word for word, times n (n − 3)."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    ones = np.ones(n)
    return float(
        np.trace(k @ m)
        + (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (ones @ k @ m @ ones)
    )


def test_moments_give_what_gram_matrices_do() -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((40, 7)), random.standard_normal((40, 5)) + 0.3
    whole = pair_moments(x[:11], y[:11]) + pair_moments(x[11:], y[11:])
    assert debiased_hsic(whole) == pytest.approx(_by_gram_matrices(x, y), rel=1e-9)
    rest = whole - pair_moments(x[:11], y[:11])
    assert debiased_hsic(rest) == pytest.approx(_by_gram_matrices(x[11:], y[11:]), rel=1e-9)


def test_a_rotation_a_shift_and_a_scale_change_nothing() -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal((60, 8))
    rotation = np.linalg.qr(random.standard_normal((8, 8)))[0]
    found = _compared(x, 3.0 * x @ rotation + 0.5)
    assert found.cka == pytest.approx(1.0, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((1.0, 1.0), abs=1e-6)


def test_what_shares_nothing_gives_zero_on_average_where_the_plain_form_is_near_one() -> None:
    random = np.random.default_rng(2)
    values, plain = [], []
    for _ in range(40):
        x, y = random.standard_normal((2, 50, 200))
        values.append(_compared(x, y).cka)
        a, b = x - x.mean(axis=0), y - y.mean(axis=0)
        norms = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
        plain.append(np.linalg.norm(a.T @ b) ** 2 / norms)
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert np.mean(plain) > 0.7


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of rows that share half of their features, against CKA of very many such rows."""
    random = np.random.default_rng(3)

    def drawn(clips: int) -> tuple[Floats, Floats]:
        shared = random.standard_normal((clips, 4))
        return tuple(np.hstack([shared, random.standard_normal((clips, 4))]) for _ in range(2))  # type: ignore[return-value]

    truth = _compared(*drawn(20_000)).cka
    found = [_compared(*drawn(80)) for _ in range(60)]
    held = np.mean([one.low <= truth <= one.high for one in found])
    assert truth == pytest.approx(0.5, abs=0.02)
    assert 0.85 <= held <= 1.0


def test_parts_hold_whole_groups_and_too_few_are_refused() -> None:
    groups = np.repeat(np.arange(30), 3)
    parts = parts_of(groups)
    assert len(np.unique(parts)) == 20
    assert all(len(np.unique(parts[groups == group])) == 1 for group in range(30))
    x = np.random.default_rng(0).standard_normal((6, 3))
    with pytest.raises(InvalidInput, match="too few to compare"):
        _compared(x, x)
    with pytest.raises(InvalidInput, match="at least two groups"):
        _compared(np.vstack([x] * 9), np.vstack([x] * 9), np.zeros(54, np.int64))


def test_a_layer_that_never_changes_is_alike_to_nothing_measurable_and_has_no_interval() -> None:
    x = np.random.default_rng(0).normal(size=(60, 5))
    found = _compared(np.ones((60, 4)), x, np.arange(60))
    assert np.isnan([found.cka, found.low, found.high]).all()
