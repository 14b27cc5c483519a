"""A store of rendered clips in two styles, and the built-in CLAP as the listener."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.evaluate.options import EvaluateOptions
from jobs.evaluate.running import run_evaluation
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.opening import open_store

CLIPS = 24


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the rendered dataset "songs", which no test changes."""
    store = tmp_path_factory.mktemp("rendered") / "music.store"
    arguments = ["dataset", "synth", str(store), "songs", "--concepts", "styles", "--clips", str(CLIPS)]
    result = CliRunner().invoke(undertone, [*arguments, "--seed", "77"])
    assert result.exit_code == 0, result.output
    return store


@pytest.fixture
def evaluate() -> Callable[..., dict[str, Any]]:
    """Evaluate inline, in this process."""

    def run(store: str | Path, **options: Any) -> dict[str, Any]:
        return run_evaluation(EvaluateOptions(store=str(store), engine="inline", **options))

    return run


@pytest.fixture
def ask() -> Callable[[str | Path, str], Sequence[dict[str, Any]]]:
    """Rows that a query gives."""

    def rows(store: str | Path, query: str) -> Sequence[dict[str, Any]]:
        found: list[dict[str, Any]] = run_query(refresh_catalog(open_store(store)), query).to_pylist()
        return found

    return rows
