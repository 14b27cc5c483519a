"""Which loss finds the direction that was planted? A good classifier need not point where classes differ.

Activations have few strong axes and many weak ones. A shift along u tells the classes apart; noise is strong
along a few axes that u leans on. The discriminant Σ⁻¹u, to which hardly regularised ridge and logistic probes
go, turns away from u to avoid that noise; the mean difference, and probes with a strong penalty, stay with u.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.directions.fitting import Direction, Method, fit_directions

Floats = NDArray[np.float64]
COUNT, WIDTH, STRONG, SHIFT = 1200, 64, 8, 6.0
PENALTIES = ("0.0001", "0.01", "1", "100", "10000")


def planted() -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Rows (N, D) whose classes differ by `SHIFT` along a unit vector, and that vector."""
    random = np.random.default_rng(0)
    deviations = np.where(np.arange(WIDTH) < STRONG, 6.0, 0.4)
    axis = np.where(np.arange(WIDTH) < STRONG, 1.0, 0.12) * random.choice([-1.0, 1.0], WIDTH)
    axis /= np.linalg.norm(axis)
    positive = np.arange(COUNT) % 2 == 0
    noise = random.standard_normal((COUNT, WIDTH)) * deviations
    return noise + np.where(positive, SHIFT / 2, -SHIFT / 2)[:, np.newaxis] * axis, positive, axis


@pytest.fixture(scope="module")
def found() -> dict[Method, tuple[float, Direction]]:
    """By method: the cosine to the planted direction, and the direction."""
    rows, positive, axis = planted()
    groups = np.arange(COUNT) // 2
    methods = [*(f"{loss}:{penalty}" for loss in ("mse", "logistic") for penalty in PENALTIES), "diffmean"]
    (fitted,) = fit_directions(
        rows, positive[:, np.newaxis], folds=(groups % 5).astype(np.int8), groups=groups, methods=methods
    )
    return {method: (float(one.vector @ axis), one) for method, one in fitted.items()}


def accuracy(method: Method, found: dict[Method, tuple[float, Direction]]) -> float:
    """Of the threshold between the class means, on the rows themselves."""
    rows, positive, _ = planted()
    projections = rows @ found[method][1].vector
    middle = (projections[positive].mean() + projections[~positive].mean()) / 2
    return float(((projections > middle) == positive).mean())


@pytest.mark.parametrize("loss", ["mse", "logistic"])
def test_hardly_regularised_probes_classify_almost_perfectly_and_point_elsewhere(
    loss: str, found: dict[Method, tuple[float, Direction]]
) -> None:
    cosine, direction = found[f"{loss}:0.0001"]
    assert accuracy(f"{loss}:0.0001", found) > 0.99
    assert cosine < 0.35
    assert direction.cosine_to_mean_difference < 0.35


def test_the_mean_difference_points_along_it_and_classifies_badly(
    found: dict[Method, tuple[float, Direction]],
) -> None:
    assert found["diffmean"][0] > 0.99
    assert accuracy("diffmean", found) < 0.75


@pytest.mark.parametrize("loss", ["mse", "logistic"])
def test_the_penalty_decides_and_not_the_loss(
    loss: str, found: dict[Method, tuple[float, Direction]]
) -> None:
    """Cosines to the planted direction at penalties 1e-4, 1e-2, 1, 100 and 1e4."""
    measured = [found[f"{loss}:{penalty}"][0] for penalty in PENALTIES]
    table = {"mse": [0.30, 0.31, 0.60, 0.99, 0.99], "logistic": [0.30, 0.34, 0.90, 0.99, 0.99]}
    assert measured == pytest.approx(table[loss], abs=0.03)


def test_the_cosine_to_the_mean_difference_tells_without_knowing_what_was_planted(
    found: dict[Method, tuple[float, Direction]],
) -> None:
    for cosine, direction in found.values():
        assert direction.cosine_to_mean_difference == pytest.approx(cosine, abs=0.03)
