"""Directions on rows whose answers are known: planted shifts, and labels without meaning."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score

from analysis.directions.fitting import METHODS, Direction, Method, fit_directions

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]


def planted(count: int, width: int, shift: float, *, seed: int = 0) -> tuple[Floats, Masks, Floats]:
    """Rows about a large common mean, of two balanced classes `shift` apart along a unit vector."""
    random = np.random.default_rng(seed)
    axis = random.standard_normal(width)
    axis /= np.linalg.norm(axis)
    positive = np.arange(count) % 2 == 0
    noise = random.standard_normal((count, width))
    return noise + np.where(positive, shift / 2, -shift / 2)[:, np.newaxis] * axis + 5.0, positive, axis


def fitted(rows: Floats, positive: Masks, *methods: Method, **options: Any) -> dict[Method, Direction]:
    """With groups of two rows, one of each class, in five folds."""
    groups = np.arange(len(rows)) // 2
    folds = (groups % 5).astype(np.int8)
    targets = positive[:, np.newaxis]
    return fit_directions(rows, targets, folds=folds, groups=groups, methods=methods or METHODS, **options)[0]


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_the_mean_difference_finds_a_planted_direction_as_closely_as_theory_says(shift: float) -> None:
    """cos = δ / √(δ² + 4 d / n) for n balanced rows with unit noise in d dimensions."""
    rows, positive, axis = planted(4096, 256, shift)
    found = fitted(rows, positive, "diffmean")["diffmean"]
    assert found.vector @ axis == pytest.approx(shift / np.sqrt(shift**2 + 4 * 256 / 4096), abs=0.02)
    assert np.linalg.norm(found.vector) == pytest.approx(1.0)
    assert found.norm == pytest.approx(np.sqrt(shift**2 + 4 * 256 / 4096), rel=0.05)


def test_every_method_points_to_the_positives_and_says_how_far_apart_held_out_rows_are() -> None:
    rows, positive, axis = planted(600, 40, 3.0)
    for method, found in fitted(rows, positive).items():
        if method == "random":
            continue
        assert found.vector @ axis > 0.9, method
        assert found.held_out is not None
        assert found.held_out.mean_positive > found.held_out.mean_negative, method
        assert found.held_out.separability == pytest.approx(3.0, abs=0.4), method
        assert found.held_out.mean_positive == pytest.approx((rows[positive] @ found.vector).mean(), abs=0.1)


def test_a_direction_that_the_labels_turn_round_is_turned_round() -> None:
    rows, positive, _ = planted(400, 30, 2.0)
    there, back = fitted(rows, positive), fitted(rows, ~positive)
    for method in METHODS:
        expected = 1.0 if method == "random" else -1.0
        assert there[method].vector @ back[method].vector == pytest.approx(expected, abs=1e-5), method


@pytest.mark.parametrize("width", [20, 400])
def test_labels_without_meaning_score_one_half_however_many_features_there_are(width: int) -> None:
    """With 400 features every fit separates its own 120 rows; on held-out rows none may claim to."""
    scores: dict[str, list[float]] = {}
    within = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        rows, positive = random.standard_normal((120, width)), random.random(120) < 0.4
        own = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.01).fit(rows, positive).coef_[0]
        assert width < len(rows) or roc_auc_score(positive, rows @ own) == 1.0
        for method, found in fitted(rows, positive, "mse", "diffmean", "mass_mean", "pca").items():
            assert found.held_out is not None
            scores.setdefault(method, []).append(found.held_out.score)
            within += found.held_out.score_low <= 0.5 <= found.held_out.score_high
    assert {method: np.mean(own) for method, own in scores.items()} == pytest.approx(
        dict.fromkeys(scores, 0.5), abs=0.06
    )
    assert within >= 43  # of 48, where 45.6 are expected


def test_scores_are_those_of_rows_the_direction_has_not_seen() -> None:
    """Checked for diffmean by hand, fold by fold."""
    rows, positive, _ = planted(100, 300, 1.0)
    folds = (np.arange(100) // 2) % 5
    projections = np.empty(100)
    for fold in range(5):
        training = folds != fold
        difference = rows[training & positive].mean(axis=0) - rows[training & ~positive].mean(axis=0)
        projections[~training] = (
            (rows - rows.mean(axis=0))[~training] @ difference / np.linalg.norm(difference)
        )
    found = fitted(rows, positive, "diffmean")["diffmean"].held_out
    assert found is not None
    assert found.score == pytest.approx(roc_auc_score(positive, projections))
    spread = np.sqrt((projections[positive].var() + projections[~positive].var()) / 2)
    difference = projections[positive].mean() - projections[~positive].mean()
    assert found.separability == pytest.approx(difference / spread)


def test_more_features_than_rows_change_nothing_but_the_route() -> None:
    """Features that are all zero add columns, not information."""
    rows, positive, _ = planted(90, 60, 2.0)
    padded = np.concatenate([rows, np.zeros((90, 60))], axis=1)
    for method in ("mse", "logistic", "diffmean", "pca", "leace"):
        narrow, wide = fitted(rows, positive, method)[method], fitted(padded, positive, method)[method]
        np.testing.assert_allclose(wide.vector[:60], narrow.vector, atol=1e-4, err_msg=method)
        np.testing.assert_allclose(wide.vector[60:], 0, atol=1e-9)


def test_a_class_within_one_group_is_fitted_but_not_scored() -> None:
    rows, _, _ = planted(60, 10, 1.0)
    groups = np.arange(60) // 6
    positive = groups == 3
    folds = (groups % 5).astype(np.int8)
    found = fit_directions(rows, positive[:, np.newaxis], folds=folds, groups=groups)[0]
    for method, direction in found.items():
        assert np.isfinite(direction.vector).all(), method
        assert direction.held_out is None or method == "random"


@pytest.mark.parametrize("fold", [0, 3])
@pytest.mark.parametrize("width", [6, 60])
def test_rows_of_one_fold_alone_give_directions_that_nothing_was_measured_of(fold: int, width: int) -> None:
    rows, positive, _ = planted(40, width, 3.0)
    folds = np.full(len(rows), fold, np.int8)
    targets = positive[:, np.newaxis]
    alone = fit_directions(rows, targets, folds=folds, groups=np.arange(len(rows)) // 2)[0]
    difference = rows[positive].mean(axis=0) - rows[~positive].mean(axis=0)
    for method, found in alone.items():
        assert found.held_out is None, method
        assert np.linalg.norm(found.vector) == pytest.approx(1.0), method
        assert method == "random" or found.vector @ difference > 0, method


def test_random_directions_depend_on_their_seed_alone_and_are_nobodys_difference() -> None:
    rows, positive, _ = planted(200, 1024, 4.0)
    one = fitted(rows, positive, "random", seeds=[7])["random"]
    other = fitted(rows[:100], ~positive[:100], "random", seeds=[7])["random"]
    np.testing.assert_array_equal(one.vector, other.vector)
    assert abs(one.cosine_to_mean_difference) < 5 / np.sqrt(1024)
    assert not np.array_equal(fitted(rows, positive, "random", seeds=[8])["random"].vector, one.vector)


def test_contrasts_side_by_side_are_those_fitted_alone() -> None:
    rows, positive, _ = planted(120, 30, 1.5)
    other = np.random.default_rng(5).random(120) < 0.3
    groups = np.arange(120) // 2
    folds = (groups % 5).astype(np.int8)
    both = fit_directions(rows, np.stack([positive, other], axis=1), folds=folds, groups=groups, seeds=[1, 2])
    alone = fit_directions(rows, other[:, np.newaxis], folds=folds, groups=groups, seeds=[2])
    for method in METHODS:
        np.testing.assert_allclose(both[1][method].vector, alone[0][method].vector, atol=1e-5, err_msg=method)


def test_a_penalty_is_chosen_that_is_not_the_weakest_where_rows_are_few() -> None:
    """A nearly unregularised ridge classifies its rows and points elsewhere."""
    rows, positive, axis = planted(100, 600, 4.0)
    found = fitted(rows, positive, "mse")["mse"]
    assert found.penalty is not None
    assert found.penalty >= 0.1
    assert found.vector @ axis > 0.6


@pytest.mark.parametrize("seed", range(4))
def test_of_penalties_that_do_equally_well_the_strongest_is_taken(seed: int) -> None:
    """Where features are alike and independent, all of them find the mean difference, up to noise."""
    rows, positive, _ = planted(400, 10, 2.0, seed=seed)
    assert fitted(rows, positive, "mse")["mse"].penalty == 1e4


@pytest.mark.parametrize("wide", [False, True], ids=["more rows than features", "more features than rows"])
@pytest.mark.parametrize("kind", ["identical", "zeros", "equal means", "one class empty"])
def test_where_the_means_are_the_same_there_is_no_direction_and_no_crash(kind: str, *, wide: bool) -> None:
    width = 50 if wide else 6
    rows = np.random.default_rng(0).normal(size=(20, width)).astype(np.float32)
    positive = np.arange(20) % 2 == 0
    if kind == "identical":
        rows[:] = rows[0]
    elif kind == "zeros":
        rows[:] = 0
    elif kind == "equal means":
        rows[1::2] = rows[::2]
    else:
        positive[:] = False
    other = np.arange(20) < 10
    targets = np.stack([positive, other], axis=1)
    none, some = fit_directions(
        rows, targets, folds=(np.arange(20) % 4).astype(np.int8), groups=np.arange(20)
    )
    assert none == {}
    assert set(some) == (set() if kind in ("identical", "zeros") else set(METHODS))


def test_a_fold_without_any_difference_does_not_spoil_the_others() -> None:
    rows = np.tile(np.arange(1.0, 7.0, dtype=np.float32), (20, 1))
    rows[0] += 1
    found = fit_directions(
        rows,
        (np.arange(20) < 10)[:, np.newaxis],
        folds=(np.arange(20) % 4).astype(np.int8),
        groups=np.arange(20),
    )[0]
    assert set(found) == set(METHODS)
    assert all(np.linalg.norm(one.vector) == pytest.approx(1) for one in found.values())
