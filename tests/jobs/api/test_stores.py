"""A store in Python: what it shows of itself, what SQL answers, and the arrays of a run beside labels."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import undertone as ut
from store.catalog.folder import catalog_path
from store.opening import Store


@pytest.fixture
def store(planted_store: Store) -> ut.Store:
    return ut.open_store(planted_store.url)


def test_a_store_shows_what_is_in_it(store: ut.Store) -> None:
    text = repr(store)
    assert "dataset songs" in text
    assert "120 clips of 4 s" in text
    assert "run toy" in text
    assert "layers 0–2" in text
    assert text.splitlines()[-1].split() == ["results", "none"]
    page = store._repr_html_()
    assert page.startswith("<table>")
    assert "run toy" in page


def test_a_damaged_run_hides_nothing_else(store: ut.Store) -> None:
    store.opened.objects.put("runs/toy/run.json", b"{}")
    assert "dataset songs" in repr(store)
    assert re.search("run toy +cannot be read: .*undertone verify", repr(store))


def test_names_find_datasets_and_runs(store: ut.Store) -> None:
    assert list(store.datasets) == ["songs"]
    assert list(store.runs) == ["toy"]
    assert store.dataset("songs").labels == ("style", "mood", "tempo")
    assert len(store.datasets["songs"]) == 120
    assert store.run("to").id == "toy"
    with pytest.raises(ut.NotFound, match="it has: toy"):
        store.run("other")


def test_sql_answers_in_arrow_and_pandas_with_parameters(store: ut.Store) -> None:
    answer = store.sql(
        "SELECT clip_id, style FROM clips WHERE style = $style ORDER BY clip_id LIMIT $n", style="jazz", n=3
    )
    assert answer["style"] == ["jazz"] * 3
    assert len(answer) == 3
    assert isinstance(answer.df(), pd.DataFrame)
    assert pa.table(answer).equals(answer.arrow())
    assert "(3 rows)" in repr(answer)
    assert "<td>jazz</td>" in answer._repr_html_()


def test_what_a_parameter_holds_is_never_read_as_sql(store: ut.Store) -> None:
    answer = store.sql("SELECT $text AS text", text="'; DROP VIEW clips; --")
    assert answer["text"] == ["'; DROP VIEW clips; --"]
    assert store.sql("SELECT $n + 1 AS n", n=np.int64(2))["n"] == [3]
    assert store.sql("SELECT count(*) AS n FROM clips WHERE list_contains($ids, style)", ids=["jazz"])[
        "n"
    ] == [40]


def test_a_parameter_that_sql_cannot_take_and_one_that_is_missing_are_told(store: ut.Store) -> None:
    with pytest.raises(ut.InvalidInput, match=r"parameter \$x is a set"):
        store.sql("SELECT $x", x={1})
    with pytest.raises(ut.UndertoneError, match="x"):
        store.sql("SELECT $x")


def test_the_catalog_is_made_anew_where_that_is_asked_for(planted_store: Store, store: ut.Store) -> None:
    def made() -> tuple[int, int]:
        found = catalog_path(planted_store.objects).stat()
        return found.st_ino, found.st_mtime_ns

    query = "SELECT count(*) AS n FROM clips"
    assert store.sql(query)["n"] == [120]
    before = made()
    assert store.sql(query)["n"] == [120]
    assert made() == before
    assert store.sql(query, rebuild=True)["n"] == [120]
    assert made() != before


def test_a_query_reads_tables_of_the_caller(store: ut.Store) -> None:
    mine = pd.DataFrame({"clip_id": ["clip0000"], "note": ["first"]})
    query = "SELECT style, note FROM clips JOIN mine USING (clip_id)"
    assert store.sql(query, tables={"mine": mine}).rows() == [{"style": "rock", "note": "first"}]
    assert store.sql(query, tables={"mine": {"clip_id": ["clip0000"], "note": ["n"]}})["note"] == ["n"]
    with pytest.raises(ut.InvalidInput, match="Table 'mine' is a int"):
        store.sql(query, tables={"mine": 3})


def test_the_tables_of_a_store_are_described(store: ut.Store) -> None:
    described = store.describe()
    assert {"clips", "runs"} <= set(described["table"])
    assert set(described.columns) == {"table", "column", "type", "description"}


def test_a_table_holds_a_layer_beside_its_labels(store: ut.Store) -> None:
    run = store.run("toy")
    table = run.table("resid.mean", 2, labels="SELECT clip_id, style FROM clips WHERE style <> 'polka'")
    X, y, groups = table
    assert X.shape == (80, 24)
    assert set(y) == {"rock", "jazz"}
    everything, ids = run.layer("resid.mean", 2)
    for row, clip in enumerate(table.clip_ids):
        assert np.array_equal(X[row], everything[ids.index(clip)])
    assert groups[0] == "artist 0"
    assert "X (80, 24)" in repr(table)


def test_numbers_and_missing_labels_come_as_they_are(store: ut.Store) -> None:
    run = store.run("toy")
    _, tempo, _ = run.table("attn.mean", 0, labels="SELECT clip_id, tempo FROM clips")
    assert tempo.tolist() == [60.0 + number for number in range(120)]
    moods = run.table("attn.mean", 0, labels="SELECT clip_id, mood FROM clips")
    assert len(moods.y) == 60
    assert any("60 of 120 clips have no label" in note for note in moods.notes)


def test_of_several_labels_one_is_chosen(store: ut.Store) -> None:
    run, labels = store.run("toy"), "SELECT clip_id, style, tempo FROM clips"
    with pytest.raises(ut.InvalidInput, match=r"gives 2 labels \(style, tempo\)"):
        run.table("resid.mean", 1, labels=labels)
    assert run.table("resid.mean", 1, labels=labels, label="tempo").y.dtype == np.float64
    with pytest.raises(ut.InvalidInput, match="no label 'mood'"):
        run.table("resid.mean", 1, labels=labels, label="mood")


def test_a_run_shows_what_it_holds(store: ut.Store) -> None:
    run = store.run("toy")
    assert "120 of 120" in repr(run)
    assert "resid.mean" in run._repr_html_()
    assert (run.model, run.dataset, run.layers, run.complete) == ("toy", "songs", (0, 1, 2), True)
    with pytest.raises(ut.NotFound, match=r"has no array 'resid\.std'"):
        run.layer("resid.std", 0)
