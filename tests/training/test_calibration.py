"""Temperatures undo what was done to logits, and the calibration error is that of its definition."""

import numpy as np
import pytest

from training.pocket.scorer_evaluation import calibration_error, fit_temperature


def test_logits_that_were_made_too_sure_get_their_temperature_back() -> None:
    generator = np.random.default_rng(0)
    logits = 2 * generator.standard_normal((20_000, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    codes = np.array([generator.choice(4, p=row) for row in probabilities])
    assert fit_temperature(3 * logits, codes) == pytest.approx(3, rel=0.05)
    assert fit_temperature(0.5 * logits, codes) == pytest.approx(0.5, rel=0.05)


def test_the_calibration_error_of_a_worked_example() -> None:
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.7, 0.3]] * 4)
    codes = np.array([0, 0, 0, 0, 0, 1, 1, 1])  # 0.9 is right 4 times of 4, 0.7 once
    assert calibration_error(probabilities, codes) == pytest.approx(0.5 * 0.1 + 0.5 * 0.45)


def test_certainty_that_is_always_right_has_no_error() -> None:
    assert calibration_error(np.eye(3), np.arange(3)) == 0
