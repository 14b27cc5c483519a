"""Predictions of held-out rows, in memory that hardly grows with the number of classes."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analysis.linear.columns import Columns
from analysis.linear.moments import Floats


@dataclass(frozen=True, slots=True)
class Guesses:
    """What probes of one concept said of rows that they were not fitted on.

    Of the true labels every class keeps its score, of shuffled ones the best class alone. Scores of many rows
    lie in a temporary file, from which a class is read at a time.
    """

    said: NDArray[Any]
    """By the probes of true labels and of every control, (1 + controls, n): a class, or a number."""
    _scores: Columns
    """By the probe of true labels, (n, C), C = 1 for numbers; NaN where a row is not tested."""

    @classmethod
    def empty(cls, labellings: int, rows: int, width: int) -> Self:
        """To be put, block by block; `width` is the number of classes, 1 for numbers."""
        said = np.zeros((labellings, rows), np.float64 if width == 1 else np.int16)
        return cls(said, Columns(rows, width))

    @classmethod
    def of(cls, predictions: Floats) -> Self:
        """From all that was predicted, (1 + controls, n, C)."""
        found = cls.empty(*predictions.shape)
        found.put(slice(0, predictions.shape[1]), predictions)
        return found

    def put(self, rows: slice, predictions: Floats) -> None:
        """What was predicted of consecutive rows, (1 + controls, n, C)."""
        self._scores.put(rows, predictions[0])
        self.said[:, rows] = _said(predictions)

    def put_some(self, labelling: int, rows: slice, which: NDArray[np.bool_], predictions: Floats) -> None:
        """What one labelling's probe predicted (m, C) of those of consecutive rows that `which` (n,) says."""
        if labelling == 0:
            self._scores.put_some(rows, which, predictions)
        self.said[labelling, rows.start + np.flatnonzero(which)] = _said(predictions)

    def scores_of(self, place: int) -> Floats:
        """Scores of one class for every row, (n,), by the probe of true labels; NaN where not tested."""
        return self._scores.column(place)

    @property
    def scores(self) -> Floats:
        """Those of all classes, (n, C): all at once in memory."""
        return np.stack([self.scores_of(place) for place in range(self._scores.count)], axis=1)


def _said(predictions: Floats) -> NDArray[Any]:
    return predictions[..., 0] if predictions.shape[-1] == 1 else predictions.argmax(axis=-1)
