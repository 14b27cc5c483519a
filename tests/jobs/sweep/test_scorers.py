"""Every scorer of a sweep stands behind one protocol: those that are built in, and one that is added here."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.sweep.options import SweepOptions
from jobs.sweep.scorers import SweepSounds, choosing_scorers, load_sweep_scorer
from jobs.sweep.sweeping import run_sweep
from pipelines.pocket import judge
from store.catalog.asking import Catalog
from store.errors import BrokenPlugin
from store.extensions import SCORERS, SWEEP_SCORERS
from store.opening import open_store
from undertone_testing.scorers import SweepScorerConformance

SWEEP = """
name = "mine"
seconds = 1.0
random_states = [0]
direction_clips = "half"

[[concepts]]
name = "label"
pairs = ["hum:hiss"]
texts = ["{class}", "slow {class}"]

[grid]
layers = [1]
alphas = [0.5]
"""
LOUD = '''
import numpy as np
from store.results.sounds import EVALUATIONS, EvaluationRow
from store.results.table import now
from jobs.sweep.scorers import Scored, Scorer
from jobs.sweep.scoring import read_samples
from pipelines.pocket import judge
from store.catalog.asking import Catalog
from store.results.parts import write_results

def score(sounds):
    """The root mean square of every generation that has none yet."""
    catalog = Catalog.of(sounds.store)
    query = "SELECT item_id FROM evaluations WHERE scorer = 'loud'"
    known = catalog.has("evaluations") and catalog.rows(query)
    missing = sorted(set(sounds.made) - {row["item_id"] for row in known or ()})
    levels = {one: np.square(read_samples(sounds.store, one)[0]).mean() ** 0.5 for one in missing}
    common = {"item_kind": "generation", "scorer": "loud", "scorer_version": "1", "measure": "rms"}
    rows = [EvaluationRow(item_id=one, value=levels[one], created_at=now(), **common) for one in levels]
    if rows:
        write_results(sounds.store, "evaluations", {"loud": missing}, EVALUATIONS.of(rows))
    return Scored({"loud": len(missing)}, "1")

SCORER = Scorer(score)
'''


@pytest.fixture(scope="module")
def unscored(base: Path, sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> SweepSounds:
    """What scorers are given by a sweep of two prompts, whose generations are made and not scored."""
    folder = tmp_path_factory.mktemp("scored")
    shutil.copytree(base, folder / "store")
    (folder / "mine.toml").write_text(SWEEP)
    seen: list[SweepSounds] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobs.sweep.sweeping.score_sweep", _keeping(seen))
        run_sweep(options(folder, sounds))
    return seen[0]


def _keeping(seen: list[SweepSounds]) -> Any:
    from jobs.sweep.scorers import score_sweep

    def keep(sounds: SweepSounds, names: Any) -> Any:
        seen.append(sounds)
        return score_sweep(sounds, ())

    return keep


def options(folder: Path, sounds: Path, scorers: str = "all") -> SweepOptions:
    return SweepOptions(
        str(folder / "store"),
        str(folder / "mine.toml"),
        engine="inline",
        scorers=scorers,
        roots=(f"sounds={sounds}",),
    )


CHECKS = [name for name in dir(SweepScorerConformance) if name.startswith("test_")]


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEP_SCORERS.built_in)
def test_a_built_in_scorer_passes_the_tests_for_scorers_of_sweeps(name: str, unscored: SweepSounds) -> None:
    kind = type("Conforms", (SweepScorerConformance,), {"name": name})
    for check in CHECKS:
        arguments = () if check == "test_it_is_among_the_scorers" else (unscored,)
        getattr(kind(), check)(*arguments)


@pytest.mark.slow
def test_a_scorer_is_added_by_one_file_and_one_line_of_the_table(
    store: str, sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud_scorer.py").write_text(LOUD)
    monkeypatch.syspath_prepend(tmp_path)
    built_in: Any = SWEEP_SCORERS.built_in
    monkeypatch.setitem(built_in, "loud", ("loud_scorer:SCORER", "how loud it is"))
    (tmp_path / "mine.toml").write_text(SWEEP)
    assert run_sweep(options(tmp_path, sounds, scorers="loud"))["loud"] == 8
    assert run_sweep(options(tmp_path, sounds, scorers="loud"))["loud"] == 0
    rows = Catalog.of(open_store(store)).rows("SELECT value FROM evaluations WHERE scorer = 'loud'")
    assert len(rows) == 8
    assert all(row["value"] > 0 for row in rows)
    monkeypatch.delitem(sys.modules, "loud_scorer")


def test_an_entry_that_is_no_scorer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built_in: Any = SWEEP_SCORERS.built_in
    monkeypatch.setitem(built_in, "odd", ("math:pi", "a number"))
    with pytest.raises(BrokenPlugin, match="'odd' is a float: neither"):
        load_sweep_scorer("odd")


def test_who_chooses_is_said_where_a_scorer_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that have scored; who is not installed does not choose."""
    built_in = ("clap", "features", "judge", "probe")
    assert choosing_scorers([*tuple(SWEEP_SCORERS.built_in)[::-1], "gone"]) == built_in
    assert choosing_scorers(["probe", "descriptors", "judge"]) == ("judge", "probe")
    table: Any = SWEEP_SCORERS.built_in
    for name, rank in {"first": 5, "between": 25, "silent": None}.items():
        monkeypatch.setattr(judge, name, replace(judge.SCORER, choice_rank=rank), raising=False)
        monkeypatch.setitem(table, name, (f"{judge.__name__}:{name}", "a scorer"))
    everyone = choosing_scorers(SWEEP_SCORERS.built_in)
    assert everyone == ("first", "clap", "features", "between", "judge", "probe")


def test_scorers_of_sounds_alone_are_among_those_of_sweeps_and_the_others_are_reserved() -> None:
    assert set(SCORERS.built_in) < set(SWEEP_SCORERS.built_in)
    assert SCORERS.group == SWEEP_SCORERS.group
    assert set(SWEEP_SCORERS.built_in) == set(SCORERS.built_in) | set(SCORERS.reserved) - set(
        SWEEP_SCORERS.reserved
    )
