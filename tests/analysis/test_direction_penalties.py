"""Penalties are chosen by nested cross-validation: done again here row by row, with no shared sums."""

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.directions.fitting import fit_directions
from analysis.directions.methods import PENALTIES, ridge_path, ridge_path_without_axes
from analysis.directions.penalties import left_out_pairs
from analysis.linear.contrast_moments import contrast_moments, sums_by_fold

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
ROWS, WIDTH = 80, 30


def noisy(seed: int) -> tuple[Floats, Masks, NDArray[np.int8]]:
    """Few rows about a small shift, so that the choice of a penalty is a close one."""
    random = np.random.default_rng(seed)
    positive = np.arange(ROWS) % 2 == 0
    rows = random.standard_normal((ROWS, WIDTH)) * np.linspace(0.2, 3, WIDTH)
    rows[positive, :6] += 0.5
    return rows, positive, (np.arange(ROWS) // 2 % 5).astype(np.int8)


def directions(rows: Floats, positive: Masks) -> list[Floats]:
    """Ridge for every penalty, by solving."""
    centred = rows - rows.mean(axis=0)
    scatter = centred.T @ centred
    difference = rows[positive].mean(axis=0) - rows[~positive].mean(axis=0)
    unit = np.trace(scatter) / np.linalg.matrix_rank(scatter)
    return [np.linalg.solve(scatter + penalty * unit * np.eye(WIDTH), difference) for penalty in PENALTIES]


def choice(
    rows: Floats, positive: Masks, folds: NDArray[np.int8], seen: Iterable[int], scored: set[int]
) -> int:
    """The strongest penalty within a standard error of the best; each scored fold is left out of `seen`."""
    scores = []
    for fold in sorted(scored):
        training, tested = np.isin(folds, [one for one in seen if one != fold]), folds == fold
        vectors = directions(rows[training], positive[training])
        scores.append([np.corrcoef(rows[tested] @ vector, positive[tested])[0, 1] for vector in vectors])
    mean, error = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1) / np.sqrt(len(scores))
    best = mean.argmax()
    return int(np.flatnonzero(mean >= mean[best] - error[best])[-1])


@pytest.mark.parametrize("seed", [0, 1, 10])
def test_a_fold_has_no_say_in_the_penalty_of_the_direction_that_it_is_projected_on(seed: int) -> None:
    rows, positive, folds = noisy(seed)
    every = set(range(5))
    nested = [choice(rows, positive, folds, every - {fold}, every - {fold}) for fold in range(5)]
    leaking = [choice(rows, positive, folds, every, every - {fold}) for fold in range(5)]
    overall = choice(rows, positive, folds, every, every)
    assert nested not in (leaking, [overall] * 5), "this seed could not tell nested from leaking"
    projections = np.empty(ROWS)
    for fold, place in enumerate(nested):
        tested = folds == fold
        vector = directions(rows[~tested], positive[~tested])[place]
        projections[tested] = (rows[tested] - rows.mean(axis=0)) @ vector / np.linalg.norm(vector)
    groups = np.arange(ROWS) // 2
    found = fit_directions(rows, positive[:, np.newaxis], folds=folds, groups=groups, methods=["mse"])[0][
        "mse"
    ]
    assert found.penalty == PENALTIES[overall]
    assert found.held_out is not None
    assert found.held_out.mean_positive - found.held_out.mean_negative == pytest.approx(
        projections[positive].mean() - projections[~positive].mean(), rel=1e-6
    )


@pytest.mark.parametrize("count", [80, 20])
def test_weights_are_the_same_with_and_without_the_axes(count: int) -> None:
    rows, positive, _ = noisy(0)
    rows, targets = rows[:count] - rows[:count].mean(axis=0), positive[:count, np.newaxis]
    (sums,) = sums_by_fold(rows, targets, np.zeros(count, np.int8))
    moments = contrast_moments(sums)
    np.testing.assert_allclose(ridge_path_without_axes(moments), ridge_path(moments), rtol=1e-7, atol=1e-10)


def test_pairs_are_left_out_only_where_a_third_fold_is_left_to_fit() -> None:
    assert left_out_pairs(np.array([0, 1, 0], np.int8)) == []
    assert left_out_pairs(np.array([4, 1, 0], np.int8)) == [{0, 1}, {0, 4}, {1, 4}]


@pytest.mark.parametrize("method", ["mse", "logistic"])
def test_with_two_folds_the_strongest_penalty_is_measured(method: str) -> None:
    rows, positive, _ = noisy(3)
    folds = (np.arange(ROWS) // 2 % 2).astype(np.int8)
    groups, targets = np.arange(ROWS) // 2, positive[:, np.newaxis]
    strongest = {"mse": "mse:1e4", "logistic": "logistic:100"}[method]
    chosen, named = (
        fit_directions(rows, targets, folds=folds, groups=groups, methods=[one])[0][one].held_out
        for one in (method, strongest)
    )
    assert chosen is not None
    assert named is not None
    # The path of all penalties is another shape of product than that of one: 30 terms, 80 rows, condition ~1.
    assert (chosen.score, chosen.separability) == pytest.approx((named.score, named.separability), rel=1e-11)
