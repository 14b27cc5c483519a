"""Whoever looks at a column in SQL reads there what its values mean."""

import pytest

from analysis.effects.metrics import METRICS
from pipelines.scorers.descriptors import DESCRIPTORS
from store.catalog.catalog import refresh_catalog
from store.catalog.query import describe_views
from store.opening import open_store
from store.results.sounds import EVALUATIONS


@pytest.fixture(scope="module")
def comments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By view and column, of an empty store."""
    store = open_store(tmp_path_factory.mktemp("told") / "music.store", create=True)
    views = describe_views(refresh_catalog(store))
    return {f"{view.name}.{one.name}": one.comment for view in views for one in view.columns}


def test_every_metric_is_defined(comments: dict[str, str]) -> None:
    told = comments["effects.metric"]
    assert [name for name in METRICS if f"{name}: " not in told] == []


def test_every_measure_of_an_evaluation_and_who_takes_it_is_told() -> None:
    measure, scorer = (EVALUATIONS.columns[name].comment for name in ("measure", "scorer"))
    assert [name for name in ("probability", "cosine", *DESCRIPTORS) if f"{name}: " not in measure] == []
    assert [
        name for name in ("clap", "judge", "features", "probe", "descriptors") if name not in scorer
    ] == []
