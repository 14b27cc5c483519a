"""What random directions score: the bar that a direction has to clear."""

import numpy as np
import pytest

from analysis.directions.separation import random_scores
from analysis.linear.row_space import row_space


@pytest.mark.parametrize("width", [8, 300])
def test_the_bar_is_what_nineteen_of_twenty_fresh_random_directions_stay_within(width: int) -> None:
    random = np.random.default_rng(3)
    targets = random.random((120, 3)) < (0.5, 0.2, 0.4)
    rows = random.standard_normal((120, width)) + 2.0 * targets[:, :1]
    bars = random_scores(row_space(rows), targets)
    fresh = rows @ random.standard_normal((width, 2000))
    for positive, bar in zip(targets.T, bars, strict=True):
        scores = (fresh[positive][:, np.newaxis] > fresh[~positive]).mean(axis=(0, 1))
        assert (np.maximum(scores, 1 - scores) <= bar).mean() == pytest.approx(0.95, abs=0.03)


def test_where_one_strong_axis_tells_the_classes_nearly_every_direction_does() -> None:
    random = np.random.default_rng(4)
    positive = np.arange(200) % 2 == 0
    rows = random.standard_normal((200, 50))
    assert random_scores(row_space(rows), positive[:, np.newaxis])[0] < 0.65
    rows[:, 0] += 100.0 * positive
    assert random_scores(row_space(rows), positive[:, np.newaxis])[0] == 1.0


def test_a_class_without_rows_has_no_bar() -> None:
    rows = np.random.default_rng(5).standard_normal((20, 4))
    targets = np.stack([np.ones(20, bool), np.arange(20) < 7], axis=1)
    bars = random_scores(row_space(rows), targets)
    assert np.isnan(bars[0])
    assert 0.5 <= bars[1] <= 1.0
