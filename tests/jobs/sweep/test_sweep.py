"""A sweep on recordings: complete, resumable, only what is new, the same sounds in any batch but for ties."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.cli.sweep import sweep
from jobs.directions.fitting import run_directions
from jobs.directions.options import DirectionOptions
from jobs.sweep.options import SweepOptions
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput

pytestmark = pytest.mark.slow

SWEEP = """
seconds = 0.5
random_states = [0, 1]

[[concepts]]
name = "label"
pairs = ["hum:hiss"]
texts = ["{{class}}", "slow {{class}}"]

[grid]
layers = [1]
alphas = {alphas}
"""
OtherSounds = Callable[[Path, Path], int]
GENERATIONS = 2 * 2 * (2 + 2)  # prompts × states × (unsteered, prompt; steered, random)


@pytest.fixture
def make_store(base: Path, tmp_path: Path) -> Callable[[str], str]:
    def make(name: str) -> str:
        subprocess.run(["cp", "-r", base, tmp_path / name], check=True)
        return str(tmp_path / name)

    return make


@pytest.fixture
def write_sweep(tmp_path: Path) -> Callable[[list[float]], str]:
    def write(alphas: list[float]) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(SWEEP.format(alphas=alphas))
        return str(path)

    return write


def run(store: str, toml: str, **options: Any) -> dict[str, Any]:
    return run_sweep(
        SweepOptions(store, toml, **{"engine": "inline", "scorers": "descriptors,similarity", **options})
    )


def ask(store: str, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(open_store(store)), query).to_pylist()
    return rows


def test_a_sweep_makes_every_generation_with_its_controls_and_a_changed_one_only_what_is_new(
    make_store: Callable[[str], str], write_sweep: Callable[[list[float]], str]
) -> None:
    store = make_store("a")
    first = run(store, write_sweep([0.5]))
    assert (first["generations"], first["generated"], first["complete"]) == (GENERATIONS, GENERATIONS, True)
    again = run(store, write_sweep([0.5]), batch=3)
    assert (again["generated"], again["described"], again["compared"]) == (0, 0, 0)
    assert again["effects"] == first["effects"] > 0

    more = run(store, write_sweep([0.5, 1.0]))
    assert (more["stored_before"], more["generated"]) == (GENERATIONS, 2 * 2 * 2)
    roles = "SELECT role, count(DISTINCT generation_id) AS n FROM sweep_generations GROUP BY ALL ORDER BY ALL"
    assert {row["role"]: row["n"] for row in ask(store, roles)} == {
        "prompt": 4, "random": 8, "steered": 8, "unsteered": 4
    }  # fmt: skip
    assert len(ask(store, "SELECT * FROM generations")) == GENERATIONS + 8
    _check_effects(store)


def _check_effects(store: str) -> None:
    """Numbers of the view effects against the rows that they are made of."""
    twins = """
        SELECT avg(s.value - u.value) AS change
        FROM sweep_generations g
        JOIN evaluations s ON s.item_id = g.generation_id JOIN evaluations u ON u.item_id = g.unsteered_id
        WHERE s.measure = 'onset_rate' AND u.measure = 'onset_rate' AND g.role = '{role}' AND g.alpha = 1.0
    """
    (effect,) = ask(
        store,
        "FROM effects WHERE measured_class = 'onset_rate' AND alpha = 1.0 AND split = 'all' "
        "AND sweep_id = (SELECT arg_max(sweep_id, created_at) FROM effects)",
    )
    for role, column in (("steered", "value"), ("random", "random")):
        (expected,) = ask(store, twins.format(role=role))
        assert effect[column] == pytest.approx(expected["change"])
    assert effect["unsteered"] == 0.0
    assert effect["over_random"] == pytest.approx(effect["value"] - effect["random"])
    halves = ask(store, "SELECT DISTINCT split, conditions + missing AS conditions FROM effects ORDER BY ALL")
    assert halves == [
        {"split": "all", "conditions": 4},
        {"split": "evaluation", "conditions": 2},
        {"split": "selection", "conditions": 2},
    ]


def test_a_sound_does_not_depend_on_the_batch_it_is_made_in_but_for_ties(
    make_store: Callable[[str], str], write_sweep: Callable[[list[float]], str], other_sounds: OtherSounds
) -> None:
    one, other = make_store("one"), make_store("other")
    run(one, write_sweep([1.0]), batch=32, unit=64, scorers="descriptors")
    run(other, write_sweep([1.0]), batch=2, unit=5, scorers="descriptors")
    assert other_sounds(Path(one), Path(other)) <= 1


@pytest.fixture
def killed(make_store: Callable[[str], str], write_sweep: Callable[[list[float]], str]) -> str:
    """A store whose sweep was killed without warning after its first commit."""
    store = make_store("killed")
    command = [sys.executable, "-m", "jobs.cli", "sweep", store, write_sweep([0.5]), "--engine", "inline"]
    command += ["--unit", "3", "--scorers", "descriptors"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        commits = Path(store) / "records" / "results" / "generations"
        deadline = time.monotonic() + 300
        while not any(commits.glob("*.json")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    return store


def test_a_killed_sweep_goes_on_where_it_was(
    killed: str,
    make_store: Callable[[str], str],
    write_sweep: Callable[[list[float]], str],
    other_sounds: OtherSounds,
) -> None:
    resumed = run(killed, write_sweep([0.5]), unit=3, scorers="descriptors")
    assert resumed["complete"]
    assert 0 < resumed["stored_before"] < GENERATIONS
    assert resumed["stored_before"] + resumed["generated"] == GENERATIONS
    whole = make_store("whole")
    run(whole, write_sweep([0.5]), scorers="descriptors")
    assert other_sounds(Path(killed), Path(whole)) <= 1
    assert len(ask(killed, "SELECT DISTINCT generation_id FROM generations")) == GENERATIONS


def test_a_dry_run_counts_and_touches_nothing(
    make_store: Callable[[str], str], write_sweep: Callable[[list[float]], str]
) -> None:
    store = make_store("dry")
    before = sorted(path for path in Path(store).rglob("*") if "catalog" not in path.name)
    result = CliRunner().invoke(sweep, [store, write_sweep([0.5, 1.0]), "--dry-run", "--format", "json"])
    found = json.loads(result.stdout)
    assert (found["settings"], found["generations"], found["missing"]) == (
        2,
        GENERATIONS + 8,
        GENERATIONS + 8,
    )
    assert found["generating_seconds"] > 0
    assert "scoring" in found["not_estimated"]
    assert sorted(path for path in Path(store).rglob("*") if "catalog" not in path.name) == before


def test_a_direction_that_was_fitted_by_hand_steers_whatever_words_asked_for_its_labels(
    make_store: Callable[[str], str], write_sweep: Callable[[list[float]], str]
) -> None:
    store = make_store("by hand")
    (run_id,) = open_store(store).runs()
    words = "SELECT clip_id, label FROM clips ORDER BY label"
    run_directions(DirectionOptions(store, run_id, words, pairs=("hum:hiss",), methods="diffmean,random"))
    (by_hand,) = ask(
        store, "SELECT vector_id FROM vectors WHERE method = 'diffmean' AND layer = 1 AND positive = 'hiss'"
    )
    assert run(store, write_sweep([0.5]), scorers="descriptors")["complete"]
    steered = ask(
        store,
        "SELECT DISTINCT vector_ids FROM generations JOIN sweep_generations USING (generation_id) "
        "WHERE role = 'steered'",
    )
    assert steered == [{"vector_ids": [by_hand["vector_id"]]}]


def test_another_model_than_the_runs_is_refused(
    make_store: Callable[[str], str], write_sweep: Callable[[list[float]], str], planted_model: Path
) -> None:
    with pytest.raises(InvalidInput, match="is not the model that the run was made with"):
        run(make_store("other"), write_sweep([0.5]), model=str(planted_model))


def test_show_prints_a_shipped_sweep_as_it_is() -> None:
    result = CliRunner().invoke(sweep, ["nowhere", "layer-ablation", "--show"])
    assert result.exit_code == 0
    assert result.stdout.startswith("# At which layer")
