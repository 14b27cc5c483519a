"""A classifier on features, against scikit-learn and planted classes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from analysis.probes.feature_classifier import fit_feature_classifier

NAMES = ("a", "b", "c")


def planted(classes: int, count: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    codes = np.arange(count) % classes
    features = random.standard_normal((count, 5)) * [1, 10, 0.1, 1, 1] + 3
    features[:, 1] += 30 * codes
    features[:, 4] = 7.0  # a feature that never varies
    return features, codes, np.arange(count) // classes % 5


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_those_of_scikit_learn_on_scaled_features(classes: int) -> None:
    features, codes, folds = planted(classes)
    found = fit_feature_classifier(features, codes, folds, NAMES[:classes])
    deviation = np.where(features.std(axis=0) > 0, features.std(axis=0), 1.0)
    scaled = (features - features.mean(axis=0)) / deviation
    reference = LogisticRegression(C=1 / found.penalty, max_iter=500).fit(scaled, codes)
    np.testing.assert_allclose(found.probabilities(features), reference.predict_proba(scaled), atol=1e-6)


def test_accuracy_is_that_of_held_out_rows() -> None:
    features, codes, folds = planted(3)
    assert fit_feature_classifier(features, codes, folds, NAMES).accuracy > 0.8
    shuffled = np.random.default_rng(1).permutation(codes)
    assert abs(fit_feature_classifier(features, shuffled, folds, NAMES).accuracy - 1 / 3) < 0.15


def test_a_class_without_rows_is_never_probable() -> None:
    features, codes, folds = planted(2)
    found = fit_feature_classifier(features, codes, folds, NAMES)
    assert (found.probabilities(features)[:, 2] == 0).all()
