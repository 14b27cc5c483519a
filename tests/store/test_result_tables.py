"""Tables of results are declared once: what writers, the catalog and the documentation make of it agrees."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from docs.generators.store_pages import store_format_page
from store.catalog.catalog import refresh_catalog
from store.catalog.query import View, describe_views, run_query
from store.opening import open_store
from store.results.fits import ASSIGNMENTS, ConfusionRow, LabelRow
from store.results.parts import read_results, write_results
from store.results.schemas import TABLES, declarations
from store.results.sweeps import EFFECTS, EffectRow
from store.results.table import Table, now
from store.results.views import RESULT_VIEWS

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, View]:
    """Of an empty store, by name."""
    store = open_store(tmp_path_factory.mktemp("declared") / "music.store", create=True)
    return {view.name: view for view in describe_views(refresh_catalog(store))}


@every_table
def test_types_in_sql_are_those_that_duckdb_gives_the_arrow_columns(table: Table[Any]) -> None:
    with duckdb.connect() as connection:
        seen = connection.from_arrow(table.schema().empty_table())
        assert table.sql_columns() == dict(zip(seen.columns, map(str, seen.types), strict=True))


@every_table
def test_every_column_says_what_it_holds_where_it_is_written(table: Table[Any]) -> None:
    comments = {field.name: field.metadata[b"comment"].decode() for field in table.schema()}
    assert comments == {name: one.comment for name, one in table.columns.items()}
    assert all(comment == comment.strip() != "" for comment in comments.values())


def test_the_catalog_has_an_empty_table_of_each_kind_that_views_read() -> None:
    with duckdb.connect() as connection:
        connection.execute(declarations("_part"))
        query = "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'declared' AND table_name = ?"
        for table in TABLES.values():
            found = [name for (name,) in connection.execute(query, [table.kind]).fetchall()]
            assert found == (["_part", *table.columns] if table.read_by_views else []), table.kind


@pytest.mark.parametrize("kind", ["clusterings", "effects"])
def test_a_view_says_of_a_column_what_its_table_says(views: dict[str, View], kind: str) -> None:
    said = {column.name: column.comment for column in views[kind].columns}
    declared = {name: one.comment for name, one in TABLES[kind].columns.items()}
    own = {"silhouette"} if kind == "clusterings" else set()  # of one start, and of the best of them
    assert {name: said[name] for name in declared if name not in own} == {
        name: comment for name, comment in declared.items() if name not in own
    }


def test_every_kind_of_result_is_shown_by_a_view_of_its_name(views: dict[str, View]) -> None:
    shown = {name.removeprefix("results_") for name in {*views, *RESULT_VIEWS}}
    assert set(TABLES) <= shown


def test_the_page_of_the_store_format_lists_every_column() -> None:
    page = store_format_page()
    for table in TABLES.values():
        section = page.partition(f"### results/{table.kind}\n")[2].partition("\n#")[0]
        listed = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
        assert listed == list(table.columns)


def test_a_writer_that_lacks_a_column_is_told_at_once() -> None:
    with pytest.raises(KeyError, match="histogram"):
        ASSIGNMENTS.of_columns({"clustering_id": ["a"], "clip_id": ["b"], "cluster": [0], "share": [1.0]})


def test_what_a_row_leaves_out_is_null() -> None:
    rows = [ConfusionRow(probe_id="a", clips=3)]
    assert TABLES["confusions"].of(rows).to_pylist() == [
        {"probe_id": "a", "actual": None, "predicted": None, "clips": 3}
    ]


def test_a_row_of_the_dataclass_is_written_under_the_names_of_the_columns() -> None:
    row = LabelRow(clip_id="a", class_="jazz")
    (written,) = TABLES["labels"].of([row]).to_pylist()
    assert {name: value for name, value in written.items() if value is not None} == {
        "clip_id": "a", "class": "jazz",
    }  # fmt: skip
    with pytest.raises(TypeError, match="A row of probes is a ProbeRow, not a LabelRow"):
        TABLES["probes"].of([row])


@pytest.mark.parametrize(
    ("kind", "id_"), [("probes", "probe_id"), ("vectors", "vector_id"), ("effects", "sweep_id")]
)
def test_a_part_in_which_the_penalty_is_called_strength_is_read_as_one_of_today(
    tmp_path: Path, kind: str, id_: str
) -> None:
    store, table = open_store(tmp_path / "music.store", create=True), TABLES[kind]
    new = table.row(**{id_: "new", "run_id": "r", "penalty": 2.0})
    today = table.of([table.row(**{id_: "old", "run_id": "r", "penalty": 0.5})])
    older = today.rename_columns(["strength" if name == "penalty" else name for name in today.column_names])
    write_results(store, kind, {"older": 1}, older)
    write_results(store, kind, {"today": 1}, table.of([new]))
    found = run_query(refresh_catalog(store), f"SELECT {id_}, penalty FROM typed.{kind} ORDER BY 1")
    assert found.to_pylist() == [{id_: "new", "penalty": 2.0}, {id_: "old", "penalty": 0.5}]
    read = read_results(store, kind, {"older": 1})
    assert read is not None
    assert read.column_names == today.column_names


def test_splits_of_a_sweep_that_an_older_part_calls_otherwise_are_read_as_those_of_today(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path / "music.store", create=True)
    of_both = EffectRow(sweep_id="s", conditions=3, created_at=now())
    today = EFFECTS.of(replace(of_both, split=name) for name in ("selection", "all"))
    names = {"split": "part", "conditions": "cells"}
    older = today.rename_columns([names.get(name, name) for name in today.column_names])
    older = older.set_column(older.column_names.index("part"), "part", pa.array(["choose", "all"]))
    write_results(store, "effects", {}, older)
    found = run_query(refresh_catalog(store), "SELECT split, conditions FROM effects ORDER BY 1").to_pylist()
    assert found == [{"split": "all", "conditions": 3}, {"split": "selection", "conditions": 3}]
    read = read_results(store, "effects", {})
    assert read is not None
    assert read["split"].to_pylist() == ["selection", "all"]
