"""Scores of predictions: of classes, per class, and of numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import Floats


@dataclass(frozen=True, slots=True)
class ClassScores:
    """How well classes were told apart; arrays are per class, NaN where a class has no rows."""

    confusion: NDArray[np.int64]
    """Rows by true and predicted class, (C, C)."""
    recall: Floats
    f1: Floats
    roc_auc: Floats
    """Of the class against all others."""
    specificity: Floats

    @property
    def accuracy(self) -> float:
        """Share of rows whose class was named."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes: 1 / C by chance, however unequal they are."""
        return float(np.nanmean(self.recall))

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes."""
        return float(np.nanmean(self.f1))

    @property
    def macro_roc_auc(self) -> float:
        """Mean ROC-AUC of the classes, each against the others; NaN where no class has one."""
        known = self.roc_auc[~np.isnan(self.roc_auc)]
        return float(known.mean()) if len(known) else float("nan")


def class_scores(
    codes: NDArray[np.integer[Any]],
    said: NDArray[np.integer[Any]],
    scores_of: Callable[[int], Floats],
    classes: int,
) -> ClassScores:
    """Score the classes that were named (N,) against codes (N,).

    `scores_of` gives what every row got for one class, (N,): of many rows and classes one is held at a time.
    """
    confusion = confusion_counts(codes, said, classes)
    true, named, right = confusion.sum(axis=1), confusion.sum(axis=0), np.diagonal(confusion)
    total = confusion.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(true > 0, right / true, np.nan)
        f1 = np.where(true > 0, 2 * right / (true + named), np.nan)
        specificity = np.where(total > true, 1 - (named - right) / (total - true), np.nan)
    auc = np.array([roc_auc(codes == place, scores_of(place)) for place in range(classes)])
    return ClassScores(confusion, recall, f1, auc, specificity)


def confusion_counts(
    codes: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]], classes: int
) -> NDArray[np.int64]:
    """Rows by true and predicted class, (C, C)."""
    flat = np.bincount(codes * classes + predicted, minlength=classes * classes)
    return np.asarray(flat.reshape(classes, classes), dtype=np.int64)


def roc_auc(positive: NDArray[np.bool_], scores: Floats) -> float:
    """Probability that a positive row scores above a negative one, ties half; NaN where one is absent."""
    count = int(positive.sum())
    if not 0 < count < len(positive):
        return float("nan")
    _, place, repeats = np.unique(scores, return_inverse=True, return_counts=True)
    middle_rank = (np.cumsum(repeats) - (repeats - 1) / 2)[place]
    above = middle_rank[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def r2_statistics(values: Floats, predictions: Floats) -> Floats:
    """Per row what `r2_of_sums` needs the sums of, (N, 4)."""
    return np.stack(
        [np.square(values - predictions), np.square(values), values, np.ones(len(values))], axis=1
    )


def r2_of_sums(sums: Floats) -> Floats:
    """R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)² from sums (4, …); NaN where the numbers do not vary."""
    error, squares, total, count = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = squares - total**2 / count
        return np.asarray(np.where(spread > 1e-12 * np.maximum(squares, 1e-300), 1 - error / spread, np.nan))


def root_mean_squared_error(values: Floats, predictions: Floats) -> float:
    """In the unit of the numbers."""
    return float(np.sqrt(np.square(values - predictions).mean()))
