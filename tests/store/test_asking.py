"""Questions of the code itself to a catalog: values are parameters, and `has` tells whether a view exists."""

from pathlib import Path

import pyarrow as pa
import pytest

from store.catalog.asking import Catalog
from store.opening import Store, open_store
from store.results.parts import write_results


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    found = open_store(tmp_path_factory.mktemp("asked") / "music.store", create=True)
    write_results(found, "moods", {"by": "hand"}, pa.table({"word": ["it's", "calm"], "heard": [1, 2]}))
    return found


def test_a_kind_of_results_is_there_once_somebody_has_written_it(store: Store) -> None:
    catalog = Catalog.of(store)
    assert catalog.has("moods")
    assert not catalog.has("ratings")
    assert catalog.has("runs")  # a view of the catalog's own
    assert not catalog.has("state")  # a table that nobody queries
    assert not catalog.has("x' OR 'a' = 'a")


def test_values_go_in_as_parameters_whatever_they_hold(store: Store) -> None:
    catalog = Catalog.of(store)
    assert catalog.rows("FROM moods WHERE word = $word", word="it's") == [{"word": "it's", "heard": 1}]
    assert catalog.rows("FROM moods WHERE word = $word", word="' OR true --") == []
    assert catalog.ask("SELECT $none IS NULL AS yes", none=None)["yes"].to_pylist() == [True]


def test_no_module_of_jobs_asks_which_views_there_are_by_itself() -> None:
    jobs = Path(__file__).parents[2] / "jobs"
    asking = [
        path.name for path in jobs.rglob("*.py") if "duckdb_views()" in path.read_text(encoding="utf-8")
    ]
    assert asking == []
