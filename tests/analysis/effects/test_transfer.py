"""Our definitions of fusion."""

import numpy as np
import pytest

from analysis.effects.metrics import balance_of, fusion_of


@pytest.mark.parametrize(
    ("first", "second", "fusion", "balance"),
    [(0.5, 0.5, 0.5, 1.0), (0.1, 0.1, 0.5, 0.2), (0.9, 0.0, 0.0, 0.09), (0.6, 0.2, 0.375, 0.48)],
)
def test_fusion_weighs_the_two_and_balance_asks_for_both(
    first: float, second: float, fusion: float, balance: float
) -> None:
    assert fusion_of(np.array(first), np.array(second)) == pytest.approx(fusion)
    assert fusion_of(np.array(second), np.array(first)) == pytest.approx(fusion)
    assert balance_of(np.array(first), np.array(second)) == pytest.approx(balance)


def test_fusion_is_the_harmonic_mean_of_the_shares() -> None:
    first, second = 0.3, 0.1
    shares = first / (first + second), second / (first + second)
    assert fusion_of(np.array(first), np.array(second)) == pytest.approx(2 / (1 / shares[0] + 1 / shares[1]))


def test_what_nobody_hears_has_no_fusion() -> None:
    assert np.isnan(fusion_of(np.array(0.0), np.array(0.0)))
