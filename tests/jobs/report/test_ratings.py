"""Where nobody who listened can be counted, the report says so."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from jobs.report.answers import open_answers
from jobs.report.figures.ratings import ratings_figure
from jobs.report.sweeps import Sweep
from store import open_store
from store.results.parts import write_results
from store.results.schemas import TABLES

NOW = datetime(2026, 11, 22, tzinfo=UTC).replace(tzinfo=None)


def test_a_test_in_which_all_missed_the_reference_shows_who_and_why(tmp_path: Path) -> None:
    store = open_store(tmp_path / "music.store", create=True)
    rated = {
        "test_id": "7e57", "sweep": "strength", "sweep_id": "5eed", "trial_id": "one", "kind": "rating",
        "role": "reference", "value": 40.0, "created_at": NOW,
    }  # fmt: skip
    table = pa.Table.from_pylist(
        [rated | {"listener": name} for name in ("Ada", "Bo")], schema=TABLES["ratings"].schema()
    )
    write_results(store, "ratings", {}, table)
    answers = open_answers(store)
    figure = ratings_figure(answers, Sweep("strength", "5eed", "clap"))
    assert figure is not None
    assert figure.caption.startswith("Nobody is kept of Ada, Bo: who rates the hidden reference")
    assert figure.table is not None
    assert figure.table.rows == (("Ada", "1", "1.000", "no"), ("Bo", "1", "1.000", "no"))
    assert ratings_figure(answers, Sweep("other", "beef", "clap")) is None
