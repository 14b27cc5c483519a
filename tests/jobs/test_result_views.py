"""Views that come with results: described once they are there, and explained while they are not."""

import io
import re
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.cli.main import undertone
from store.catalog.catalog import refresh_catalog
from store.catalog.query import describe_views, run_query
from store.errors import QueryRefused
from store.objects.ledger import commit, never
from store.opening import Store, open_store
from store.results.schemas import TABLES
from store.results.views import RESULT_VIEWS


@pytest.fixture(name="empty")
def empty_store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "empty.store", create=True)


def views(store: Store) -> dict[str, str]:
    return {view.name: view.comment for view in describe_views(refresh_catalog(store))}


def test_every_kind_of_result_is_described_in_its_own_words(empty: Store) -> None:
    kinds = set(TABLES)
    assert {"probes", "vectors", "assignments", "generations", "evaluations", "embeddings"} <= kinds
    for kind in kinds:
        buffer = io.BytesIO()
        pq.write_table(pa.table({"created_at": ["now"]}), buffer)
        commit(empty.objects, f"results/{kind}/a.parquet", buffer.getvalue(), kind="results", sound=never)
    found = views(empty)
    assert kinds <= found.keys()
    assert not [name for name, comment in found.items() if "results of the kind" in comment]
    assert found["results_labels"].startswith("labels as fits have used them")
    assert found["vectors"].startswith("directions: ")
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("name", sorted(RESULT_VIEWS))
def test_a_view_that_has_no_results_yet_names_the_command_that_makes_them(empty: Store, name: str) -> None:
    assert name not in views(empty)
    for query in (f"SELECT * FROM {name}", f'SELECT count(*) FROM "{name.upper()}" WHERE true'):
        with pytest.raises(QueryRefused) as refusal:
            run_query(refresh_catalog(empty), query)
        assert str(refusal.value).startswith(f"this store has no {name} yet: `undertone ")
        assert "Did you mean" not in str(refusal.value)


def test_the_commands_that_are_named_are_there_with_their_options() -> None:
    for view in RESULT_VIEWS.values():
        _, name, *words = view.command.split()
        command = undertone.get_command(click.Context(undertone), name)
        assert command is not None, view.command
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), words[0])
            assert command is not None, view.command
        known = {text for parameter in command.params for text in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, view.command


def test_no_hint_leads_to_the_tables_that_views_are_made_from(empty: Store) -> None:
    for name in ("vector", "planned_clips", "commits", "probe"):
        with pytest.raises(QueryRefused) as refusal:
            run_query(refresh_catalog(empty), f"SELECT * FROM {name}")
        assert not re.search(r"(declared|typed|parts|results)\.", str(refusal.value)), name
        assert "tables: arrays, clips" in str(refusal.value)
