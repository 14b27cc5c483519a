"""Shares of hits over groups: what their intervals hold."""

import numpy as np
import pytest
from scipy.stats import binomtest

from analysis.group_shares import share_of_hits


def test_of_rows_that_are_groups_of_their_own_the_interval_is_wilsons() -> None:
    hits = np.arange(40) < 29
    found = share_of_hits(hits, [str(row) for row in range(40)])
    wanted = binomtest(29, 40).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=5e-3)


def test_rows_that_repeat_their_group_say_no_more_than_one_of_each() -> None:
    hits = np.arange(40) < 29
    groups = np.arange(40).astype(str)
    one, five = share_of_hits(hits, groups), share_of_hits(np.repeat(hits, 5), np.repeat(groups, 5))
    assert (five.low, five.high) == pytest.approx((one.low, one.high), abs=5e-3)


def test_where_every_row_is_hit_the_interval_still_has_a_width() -> None:
    found = share_of_hits(np.ones(60, bool), np.repeat(np.arange(30), 2))
    wanted = binomtest(30, 30).proportion_ci(method="wilson")
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wanted.low, abs=1e-6)


def test_the_interval_holds_the_true_share_of_alike_rows() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        of_group = random.beta(4, 2, size=40)
        found = share_of_hits(
            (random.random((40, 4)) < of_group[:, None]).ravel(), np.repeat(np.arange(40), 4)
        )
        held += found.low <= 4 / 6 <= found.high
    assert held / 400 >= 0.92
