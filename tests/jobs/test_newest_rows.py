"""Rows of a sweep that come, go and come again are shown as they were found last, also after a kill."""

from pathlib import Path

import pytest

from jobs.sweep.tables import write_newest
from store import open_store
from store.catalog.asking import Catalog
from store.objects import ledger
from store.results.sweeps import SCORER_ACCURACY, ScorerAccuracyRow
from store.upkeep.inspection import inspect


class Killed(BaseException):
    """Nothing that a command catches."""


def killed(*_: object) -> None:
    raise Killed


@pytest.mark.filterwarnings("ignore::store.errors.CatalogWarning")
def test_rows_are_shown_as_found_last_and_a_killed_command_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", create=True)
    a, b = ([ScorerAccuracyRow(sweep_id="s", scorer=scorer)] for scorer in "ab")
    write_newest(store, SCORER_ACCURACY, "s", a)
    write_newest(store, SCORER_ACCURACY, "s", b)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "write_record", killed)
        with pytest.raises(Killed):
            write_newest(store, SCORER_ACCURACY, "s", a)
    assert [one.problem for one in inspect(store.objects)] == ["unrecorded"]
    write_newest(store, SCORER_ACCURACY, "s", a)
    assert inspect(store.objects) == []
    assert [row["scorer"] for row in Catalog.of(store).ask("FROM scorer_accuracy").to_pylist()] == ["a"]
