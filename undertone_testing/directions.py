"""Tests that every method of fitting directions must pass: the author of one subclasses them."""

import numpy as np
from numpy.typing import NDArray

from analysis.directions.fits import DirectionMethod, Fit, problem_of
from analysis.directions.fitting import fit_directions
from analysis.linear.row_space import row_space
from store.extensions import DIRECTIONS

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
ROWS, FOLDS = 120, 4


def planted(width: int, shift: float, *, seed: int = 0) -> tuple[Floats, Masks, Floats]:
    """Rows (n, D) of unit noise, which of them are positive (n,), and the axis (D,) along which those lie."""
    random = np.random.default_rng(seed)
    axis = random.standard_normal(width)
    axis /= np.linalg.norm(axis)
    positive = np.arange(ROWS) // FOLDS % 2 == 0
    return random.standard_normal((ROWS, width)) + shift * np.outer(positive, axis), positive, axis


class DirectionConformance:
    """Subclass it as `class TestMine(DirectionConformance)`, give `name`, and run pytest."""

    name: str
    """Of the entry point in the group undertone.directions."""
    finds = True
    """Whether the method finds differences: controls such as random ones do not."""

    def fitted(self, rows: Floats, targets: Masks) -> Fit:
        """The method on rows (n, D) and targets (n, M), in FOLDS folds."""
        folds = (np.arange(len(rows)) % FOLDS).astype(np.int8)
        problem = problem_of(row_space(rows), targets, folds, range(targets.shape[1]))
        return DIRECTIONS.load(self.name, DirectionMethod).fit(problem, None)

    def vector(self, rows: Floats, positive: Masks) -> Floats:
        """The direction (D,) of one contrast, of length 1."""
        (found,) = self.fitted(rows, positive[:, np.newaxis]).vectors
        length = np.linalg.norm(found)
        assert np.isfinite(length), f"{self.name} gave a vector with NaN or infinity."
        assert length > 0, f"{self.name} gave a vector of length 0 for classes that differ."
        return np.asarray(found / length)

    def test_it_is_among_the_methods(self) -> None:
        assert self.name in DIRECTIONS.names(), f"{self.name} is not installed: {DIRECTIONS.names()}"

    def test_shapes_are_those_of_contrasts_features_and_folds(self) -> None:
        for width in (8, 200):
            rows, positive, _ = planted(width, 3.0)
            fit = self.fitted(rows, np.stack([positive, ~positive], axis=1))
            assert fit.vectors.shape == (2, width)
            assert fit.units.shape == (FOLDS, 2, row_space(rows).coordinates.shape[1])
            lengths = np.linalg.norm(fit.units, axis=-1)
            assert (lengths <= 1 + 1e-6).all(), (
                f"units have length 1, or less where rows span less: {lengths}"
            )

    def test_the_same_rows_give_the_same_direction(self) -> None:
        rows, positive, _ = planted(8, 3.0)
        np.testing.assert_array_equal(self.vector(rows, positive), self.vector(rows, positive))

    def test_it_points_to_the_positives_and_turns_with_them(self) -> None:
        if self.finds:
            rows, positive, axis = planted(8, 4.0)
            assert self.vector(rows, positive) @ axis > 0.5
            assert self.vector(rows, ~positive) @ axis < -0.5

    def test_where_the_rows_lie_does_not_matter(self) -> None:
        rows, positive, _ = planted(8, 3.0)
        moved = self.vector(rows + 100.0, positive)
        np.testing.assert_allclose(moved, self.vector(rows, positive), atol=1e-3)

    def test_one_contrast_knows_nothing_of_another(self) -> None:
        rows, positive, _ = planted(8, 3.0)
        other = np.random.default_rng(1).permutation(positive)
        alone = self.fitted(rows, positive[:, np.newaxis]).vectors[0]
        beside = self.fitted(rows, np.stack([positive, other], axis=1)).vectors[0]
        np.testing.assert_allclose(beside, alone, rtol=1e-6, atol=1e-9)

    def test_no_fold_has_a_say_in_the_direction_that_it_is_measured_on(self) -> None:
        rows, positive, _ = planted(8, 3.0)
        held_out = np.arange(ROWS) % FOLDS == 0
        turned = np.where(held_out, ~positive, positive)
        before = self.fitted(rows, positive[:, np.newaxis]).units[0]
        after = self.fitted(rows, turned[:, np.newaxis]).units[0]
        np.testing.assert_allclose(after, before, atol=1e-9, err_msg="units[0] depends on labels of fold 0")

    def test_held_out_rows_are_told_apart(self) -> None:
        if self.finds:
            rows, positive, _ = planted(8, 4.0)
            targets, numbers = positive[:, np.newaxis], np.arange(ROWS)
            folds = (numbers % FOLDS).astype(np.int8)
            (found,) = fit_directions(rows, targets, folds=folds, groups=numbers, methods=[self.name])
            assert self.name in found, "There is no direction between classes that differ."
            measured = found[self.name].held_out
            assert measured is not None
            assert measured.score > 0.8, f"ROC-AUC of held-out rows {measured.score:.2f}"
