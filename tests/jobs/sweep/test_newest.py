"""A sweep shows what its last command found, whatever was found before; what was found twice is one row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.sweep.options import SweepOptions
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.objects.ledger import commit
from store.objects.parquet import is_parquet

pytestmark = pytest.mark.slow

SWEEP = """
seconds = 0.5
random_states = [0]
[[concepts]]
name = "label"
pairs = ["hum:hiss"]
texts = ["{class}", "slow {class}"]
[grid]
layers = [1]
alphas = [0.5]
"""


@pytest.fixture
def sweep(store: str, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP)

    def run(**options: Any) -> dict[str, Any]:
        return run_sweep(SweepOptions(store, str(path), engine="inline", **options))

    return run


def ask(store: str, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(open_store(store)), query).to_pylist()
    return rows


def shown(store: str, view: str) -> list[dict[str, Any]]:
    return ask(store, f"SELECT * EXCLUDE (created_at) FROM {view} ORDER BY ALL")


def test_what_was_found_replaced_and_found_again_is_shown_again(
    store: str, sweep: Callable[..., dict[str, Any]]
) -> None:
    views = ("effects", "cross_effects")
    sweep(scorers="clap")
    first = {view: shown(store, view) for view in views}
    sweep(scorers="clap", dtype="bf16")
    other = {view: shown(store, view) for view in views}
    sweep(scorers="clap")
    again = {view: shown(store, view) for view in views}
    for view in views:
        assert len(first[view]) == len(other[view]) > 0
        assert first[view] != other[view]
        assert first[view] == again[view]
    assert len({row["plan_id"] for found in (first, other) for row in found["effects"]}) == 2

    parts = {path.name for view in views for path in (Path(store) / "results" / view).iterdir()}
    sweep(scorers="clap")
    assert parts == {path.name for view in views for path in (Path(store) / "results" / view).iterdir()}


def test_effects_name_the_generations_that_they_are_of(
    store: str, sweep: Callable[..., dict[str, Any]]
) -> None:
    sweep(scorers="descriptors")
    sweep(scorers="descriptors", dtype="bf16")
    (plan,) = ask(store, "SELECT DISTINCT plan_id FROM effects")
    query = """
        SELECT DISTINCT json_extract_string(specification, '$.dtype') AS dtype, plan_id = '{}' AS shown
        FROM sweep_generations JOIN generations USING (generation_id) ORDER BY shown
    """
    assert ask(store, query.format(plan["plan_id"])) == [
        {"dtype": "float32", "shown": False}, {"dtype": "bfloat16", "shown": True}
    ]  # fmt: skip


def test_sweeps_that_share_generations_leave_a_row_of_each(
    store: str, sweep: Callable[..., dict[str, Any]]
) -> None:
    sweep(scorers="descriptors,similarity,clap")
    kinds = ("generations", "similarities", "embeddings", "evaluations")
    rows = {kind: len(ask(store, f"FROM {kind}")) for kind in kinds}
    for kind in kinds:  # another driver wrote the same in parts of its own
        for path in list((Path(store) / "results" / kind).iterdir()):
            key, data = f"results/{kind}/{path.stem[::-1]}.parquet", path.read_bytes()
            commit(open_store(store).objects, key, data, kind="results", sound=is_parquet)
    assert {kind: len(ask(store, f"FROM {kind}")) for kind in kinds} == rows
    assert all(rows.values())
