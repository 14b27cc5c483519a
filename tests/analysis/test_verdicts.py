"""A score has to beat both the baseline and shuffled labels before it is called good."""

from math import nan

import pytest

from analysis.probes.scores import verdict


@pytest.mark.parametrize(
    ("score", "low", "baseline", "control_high", "said"),
    [
        (0.8, 0.7, 0.25, 0.3, "better than both"),
        (0.8, 0.7, 0.25, None, "better than the baseline"),
        (0.125, 0.1, 0.25, 0.1, "no better than the baseline"),
        (0.25, 0.2, 0.25, 0.1, "no better than the baseline"),
        (0.3, 0.2, 0.25, 0.1, "interval covers the baseline"),
        (0.004, -0.038, 0.0, -0.008, "interval covers 0"),
        (-0.009, -0.043, 0.0, -0.018, "no better than the baseline"),
        (0.3, 0.28, 0.25, 0.35, "no better than shuffled labels"),
        (0.3, 0.28, 0.25, 0.3, "no better than shuffled labels"),
        (nan, nan, 0.25, 0.3, "not measurable"),
        (0.8, nan, 0.25, 0.3, "not measurable"),
        (0.8, 0.7, 0.25, nan, "better than the baseline"),
    ],
)
def test_the_first_thing_that_a_score_does_not_beat_is_named(
    score: float, low: float, baseline: float, control_high: float | None, said: str
) -> None:
    assert verdict(score, low, baseline=baseline, control_high=control_high) == said
