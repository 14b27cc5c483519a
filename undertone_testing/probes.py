"""Tests that every probe of classes must pass: the author of one subclasses them."""

import numpy as np
from numpy.typing import NDArray

from analysis.linear.nested_logistic import NestedLogistic
from analysis.linear.penalties import PENALTIES
from analysis.linear.row_blocks import HeldRows
from analysis.probes.methods import ProbeMethod
from analysis.probes.probe import probe_arrays
from analysis.splits import Partition
from store.extensions import PROBES

ROWS, WIDTH, CLASSES, FOLDS = 90, 6, 3, 3


class ProbeConformance:
    """Subclass it as `class TestMine(ProbeConformance)`, give `name`, and run pytest."""

    name: str
    """Of the entry point in the group undertone.probes."""

    def rows(self, shift: float = 5.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Rows (n, D) of unit noise, of three classes along an axis each, and their codes (n,)."""
        codes = np.arange(ROWS) // FOLDS % CLASSES
        return np.random.default_rng(0).standard_normal((ROWS, WIDTH)) + shift * np.eye(CLASSES, WIDTH)[
            codes
        ], codes

    def predicted(
        self, features: NDArray[np.float64], codes: NDArray[np.int64], *, tested: tuple[int, ...] = (0, 1, 2)
    ) -> NestedLogistic:
        """Out of fold, for features (L, n, D) and codes (Q, n)."""
        partition = Partition((np.arange(ROWS) % FOLDS).astype(np.int8), FOLDS, tested)
        return PROBES.load(self.name, ProbeMethod).predict(
            [HeldRows(one) for one in features], codes, CLASSES, partition, PENALTIES
        )

    def test_it_is_among_the_probes(self) -> None:
        assert self.name in PROBES.names(), f"{self.name} is not installed: {PROBES.names()}"

    def test_shapes_are_those_of_layers_labellings_rows_and_classes(self) -> None:
        rows, codes = self.rows()
        found = self.predicted(np.stack([rows, rows[:, ::-1]]), np.stack([codes, codes[::-1]]))
        assert [one.scores.shape for one in found.guesses] == [(ROWS, CLASSES)] * 2
        assert [one.said.shape for one in found.guesses] == [(2, ROWS)] * 2
        assert all(np.isfinite(one.scores).all() for one in found.guesses), "A held-out row has no score."

    def test_classes_that_lie_apart_are_told_apart(self) -> None:
        rows, codes = self.rows()
        said = self.predicted(rows[np.newaxis], codes[np.newaxis]).guesses[0].said[0]
        assert (said == codes).mean() > 0.9, f"{(said == codes).mean():.2f} of rows are right"

    def test_the_same_rows_give_the_same_scores(self) -> None:
        rows, codes = self.rows(1.0)
        first = self.predicted(rows[np.newaxis], codes[np.newaxis]).guesses[0].scores
        again = self.predicted(rows[np.newaxis], codes[np.newaxis]).guesses[0].scores
        np.testing.assert_array_equal(again, first)

    def test_no_row_has_a_say_in_its_own_score(self) -> None:
        rows, codes = self.rows(1.0)
        held_out = np.arange(ROWS) % FOLDS == 0
        turned = np.where(held_out, (codes + 1) % CLASSES, codes)
        before = self.predicted(rows[np.newaxis], codes[np.newaxis]).guesses[0].scores[held_out]
        after = self.predicted(rows[np.newaxis], turned[np.newaxis]).guesses[0].scores[held_out]
        np.testing.assert_allclose(after, before, atol=1e-6, err_msg="scores depend on held-out labels")

    def test_rows_that_are_not_tested_or_have_no_label_have_no_score(self) -> None:
        rows, codes = self.rows()
        codes = np.where(np.arange(ROWS) < 6, -1, codes)
        found = self.predicted(rows[np.newaxis], codes[np.newaxis], tested=(0,)).guesses[0].scores
        scored = (np.arange(ROWS) % FOLDS == 0) & (codes >= 0)
        assert np.isfinite(found[scored]).all()
        assert np.isnan(found[~scored]).all()

    def test_a_class_that_no_training_row_has_stops_nothing(self) -> None:
        rows, codes = self.rows()
        rare = np.where(np.arange(ROWS) % FOLDS == 0, codes, codes % 2)
        found = self.predicted(rows[np.newaxis], rare[np.newaxis], tested=(0,)).guesses[0].scores
        assert np.isfinite(found[np.arange(ROWS) % FOLDS == 0]).all()

    def test_its_score_stands_beside_its_control(self) -> None:
        rows, codes = self.rows()
        names = np.array(["jazz", "pop", "rock"])[codes]
        found = probe_arrays(rows, names, groups=np.arange(ROWS), loss=self.name, controls=2)
        assert found.score > 0.9
        assert found.control is not None
        assert found.control.score < 0.7, "Labels without meaning are read, too."
