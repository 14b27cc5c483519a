"""Indices of agreement and silhouettes: scikit-learn's, and what their definitions say of simple cases."""

import numpy as np
import pytest
from sklearn import metrics

from analysis.clustering.scores import SILHOUETTE_ROWS, agreement, majority, silhouette_sample


def test_the_indices_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    classes = random.integers(0, 4, 300)
    clusters = np.where(random.random(300) < 0.6, classes, random.integers(0, 6, 300))
    found = agreement(classes, clusters)
    assert found.ari == pytest.approx(metrics.adjusted_rand_score(classes, clusters))
    assert found.nmi == pytest.approx(metrics.normalized_mutual_info_score(classes, clusters))
    assert found.ami == pytest.approx(metrics.adjusted_mutual_info_score(classes, clusters))
    assert found.homogeneity == pytest.approx(metrics.homogeneity_score(classes, clusters))
    assert found.completeness == pytest.approx(metrics.completeness_score(classes, clusters))


def test_ari_by_its_definition_on_a_table_one_can_count() -> None:
    """Pairs together in both: 1 + 3; together in one: 4 and 6; of 15 pairs: (4 − 6·4/15) / (5 − 6·4/15)."""
    classes, clusters = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 2, 2, 2])
    expected = (4 - 6 * 4 / 15) / (0.5 * (6 + 4) - 6 * 4 / 15)
    assert agreement(classes, clusters).ari == pytest.approx(expected)


def test_names_of_clusters_do_not_matter() -> None:
    classes = np.array([0, 1, 2, 0, 1, 2])
    assert agreement(classes, (classes + 1) % 3) == agreement(classes, classes)
    assert agreement(classes, classes).nmi == pytest.approx(1.0)


def test_silhouettes_are_those_of_scikit_learn_on_the_rows_that_were_drawn() -> None:
    random = np.random.default_rng(1)
    rows = random.standard_normal((SILHOUETTE_ROWS + 500, 5)).astype(np.float32)
    labels = (rows[:, 0] > 0).astype(np.int64)
    sample = silhouette_sample(rows, seed=3)
    assert len(np.unique(sample.places)) == SILHOUETTE_ROWS
    expected = metrics.silhouette_score(rows[sample.places].astype(np.float64), labels[sample.places])
    assert sample.of(labels) == pytest.approx(expected, abs=1e-6)


def test_rows_without_a_label_have_no_silhouette() -> None:
    rows = np.random.default_rng(2).standard_normal((40, 3))
    labels = np.where(np.arange(40) < 20, np.arange(40) % 2, -1)
    assert silhouette_sample(rows).of(labels) == pytest.approx(
        metrics.silhouette_score(rows[:20], labels[:20]), abs=1e-6
    )
    assert silhouette_sample(rows).of(np.zeros(40, np.int64)) is None


def test_the_majority_is_the_most_frequent_cluster_and_of_equals_the_first() -> None:
    np.testing.assert_array_equal(majority(np.array([[1, 3, 0], [2, 0, 2]])), [1, 0])
