"""LEACE's eraser: the formula of its paper, and what it leaves knows nothing of the label."""

import numpy as np
import pytest

from analysis.directions.fitting import fit_directions
from analysis.directions.methods import eraser_readers
from analysis.linear.contrast_moments import ContrastMoments, moments_of_trainings, sums_by_fold
from analysis.linear.row_space import row_space


def correlated(count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose loudest axes have little to do with the label."""
    random = np.random.default_rng(width)
    mixing = random.standard_normal((width, width)) * np.geomspace(3, 0.3, width)
    positive = np.arange(count) % 3 == 0
    rows = (
        random.standard_normal((count, width)) @ mixing.T
        + 5
        + np.outer(positive, random.standard_normal(width))
    )
    return rows, positive


def whole(coordinates: np.ndarray, positive: np.ndarray) -> ContrastMoments:
    """Moments of all rows, as of a training that leaves none out."""
    folds = (np.arange(len(positive)) % 2).astype(np.int8)
    return list(moments_of_trainings(sums_by_fold(coordinates, positive[:, None], folds)))[-1]


@pytest.mark.parametrize("width", [12, 40])
def test_the_eraser_of_a_concept_is_the_formula_of_the_paper(width: int) -> None:
    """x − W⁺ P W (x − μ), W whitening, P the projection on the whitened covariance with the label."""
    rows, positive = correlated(30 if width == 40 else 200, width)
    space = row_space(rows)
    training = whole(space.coordinates, positive)
    reader = space.embedded(eraser_readers(training, 0.0))[0]
    unit = space.embedded(training.differences)[0]
    unit /= np.linalg.norm(unit)
    centred = rows - rows.mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred / np.sqrt(len(rows)), full_matrices=False)
    kept = lengths > 1e-9 * lengths[0]
    whitening = (axes[kept].T / lengths[kept]) @ axes[kept]
    unwhitening = (axes[kept].T * lengths[kept]) @ axes[kept]
    towards = whitening @ (centred.T @ (positive - positive.mean()))
    projection = np.outer(towards, towards) / (towards @ towards)
    expected = rows - centred @ (unwhitening @ projection @ whitening).T
    assert rows - np.outer(centred @ reader, unit) == pytest.approx(expected, abs=1e-6)


def test_what_an_eraser_leaves_has_no_covariance_with_the_label_and_was_changed_least() -> None:
    rows, positive = correlated(200, 12)
    centred, label = rows - rows.mean(axis=0), positive - positive.mean()
    training = whole(centred, positive)
    difference = training.differences[0] / np.linalg.norm(training.differences)
    changes = {}
    for name, reader in (("oblique", eraser_readers(training, 0.0)[0]), ("orthogonal", difference)):
        erased = centred - np.outer(centred @ reader, difference)
        assert np.abs(label @ erased).max() < 1e-9
        changes[name] = np.square(erased - centred).sum()
    assert changes["oblique"] < 0.6 * changes["orthogonal"]
    probe = np.linalg.solve(np.cov(centred.T), training.differences[0])
    beside = centred - np.outer(centred @ probe, probe) / (probe @ probe)
    assert np.abs(label @ beside).max() > 1.0, "along a probe an orthogonal projection leaves the label"


def test_a_fitted_direction_carries_an_eraser_that_leaves_the_mean_and_no_covariance() -> None:
    rows, positive = correlated(60, 100)
    groups = np.arange(60)
    (found,) = fit_directions(
        rows,
        positive[:, None],
        folds=(groups % 5).astype(np.int8),
        groups=groups,
        methods=["leace", "diffmean"],
    )
    leace = found["leace"]
    assert found["diffmean"].reader is None
    assert leace.vector == pytest.approx(found["diffmean"].vector)
    assert leace.reader is not None
    assert leace.reader_offset is not None
    assert leace.reader @ leace.vector == pytest.approx(1.0)
    erased = rows - np.outer(rows @ leace.reader - leace.reader_offset, leace.vector)
    assert erased.mean(axis=0) == pytest.approx(rows.mean(axis=0))
    assert np.abs((positive - positive.mean()) @ erased).max() < 1e-8
