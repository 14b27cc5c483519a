"""A classifier on handcrafted features: a judge of classes that has never seen an activation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

VERSION = 1
"""Of the classifier: raise it with its numbers."""
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
"""Penalties on squared weights, of features scaled to unit variance."""
ITERATIONS = 500


@dataclass(frozen=True, slots=True, eq=False)
class FeatureClassifier:
    """Multinomial logistic regression on scaled features."""

    classes: tuple[str, ...]
    mean: Floats
    """Of the training rows, (F,)."""
    scale: Floats
    """Their standard deviation, (F,); 1 where a feature does not vary."""
    weights: Floats
    """(C, F)"""
    intercepts: Floats
    """(C,)"""
    penalty: float
    accuracy: float
    """Balanced accuracy on folds that were held out."""
    hits: NDArray[np.bool_]
    """Whether each training row was recognised while it was held out, (N,)."""

    def probabilities(self, features: Floats) -> Floats:
        """Probabilities (N, C) for features (N, F)."""
        return _softmax(((features - self.mean) / self.scale) @ self.weights.T + self.intercepts)


def fit_feature_classifier(
    features: Floats, codes: NDArray[np.integer[Any]], folds: NDArray[np.integer[Any]], classes: Sequence[str]
) -> FeatureClassifier:
    """Fit a classifier; the penalty is the one with the least log loss on held-out folds.

    Args:
        features: (N, F).
        codes: class of each row as a place in `classes`, (N,).
        folds: fold of each row, (N,); no group is in two.
        classes: their names.
    """
    held_out = [_held_out(features, codes, folds, len(classes), penalty) for penalty in PENALTIES]
    rows = np.arange(len(codes))
    losses = [float(-np.log(np.maximum(each[rows, codes], 1e-12)).mean()) for each in held_out]
    best = int(np.argmin(losses))
    named = held_out[best].argmax(axis=1)
    fitted = _fit(features, codes, classes, PENALTIES[best])
    return replace(fitted, accuracy=_balanced_accuracy(named, codes), hits=named == codes)


def _held_out(
    features: Floats, codes: NDArray[Any], folds: NDArray[Any], classes: int, penalty: float
) -> Floats:
    """Probabilities (N, C) of every row by a classifier that has not seen its fold."""
    found = np.full((len(codes), classes), 1 / classes)
    names = [str(place) for place in range(classes)]
    for fold in np.unique(folds):
        test = folds == fold
        if len(np.unique(codes[~test])) > 1:
            found[test] = _fit(features[~test], codes[~test], names, penalty).probabilities(features[test])
    return found


def _fit(features: Floats, codes: NDArray[Any], classes: Sequence[str], penalty: float) -> FeatureClassifier:
    """A class without rows gets probability 0; nothing is held out yet."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features.mean(axis=0), features.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    model = LogisticRegression(C=1 / penalty, max_iter=ITERATIONS).fit((features - mean) / scale, codes)
    weights, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes
        weights, intercepts = (
            np.concatenate([-weights, weights]) / 2,
            np.concatenate([-intercepts, intercepts]) / 2,
        )
    every = np.zeros((len(classes), features.shape[1]))
    start = np.full(len(classes), -np.inf)
    every[model.classes_], start[model.classes_] = weights, intercepts
    return FeatureClassifier(tuple(classes), mean, scale, every, start, penalty, np.nan, np.zeros(0, bool))


def _balanced_accuracy(named: NDArray[Any], codes: NDArray[Any]) -> float:
    return float(np.mean([np.mean(named[codes == code] == code) for code in np.unique(codes)]))


def _softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
