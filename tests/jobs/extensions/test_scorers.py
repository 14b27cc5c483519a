"""Scorers of sounds: the plug-in of the documentation, and the judge, by the same tests."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import undertone as ut
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from pipelines.scorers.protocol import Scores, load_scorer
from store.errors import BrokenPlugin, InvalidInput
from undertone_testing.scorers import ScorerConformance

Run = Callable[..., tuple[int, str, str]]
Conform = Callable[[type], list[str]]
LEVELS_DB = {"loud": -6.0, "soft": -40.0}


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A store with two noises of known level, and where it lies."""
    for name, level in LEVELS_DB.items():
        noise = np.random.default_rng(0).standard_normal(16_000)
        noise *= 10 ** (level / 20) / np.sqrt(np.mean(noise**2)) * 0.1
        (tmp_path / "songs").mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"songs/{name}.wav", noise, 16_000, subtype="FLOAT")
    add_dataset(AddRequest(str(tmp_path / "music.store"), "songs", str(tmp_path / "songs"), clip_seconds=1.0))
    return tmp_path


def test_the_plug_in_of_the_documentation_is_short_and_scores_clips(
    install_page: Callable[[str], Any], songs: Path, undertone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = install_page("own-scorer")
    assert page.code.count("\n") < 60
    monkeypatch.chdir(songs)
    (line,) = page.commands
    words = [*shlex.split(line)[1:], "--engine", "inline", "--format", "json"]
    code, out, err = undertone(*words)
    assert code == 0, err
    assert json.loads(out)["scorer_loudness"]["scored"] == 2
    store = ut.open_store("music.store")
    query = """
        SELECT uri, value, scorer_name, class FROM evaluations e JOIN clips c ON c.clip_id = e.item_id
        WHERE scorer = 'loudness' AND concept = $concept ORDER BY uri, class
    """
    levels = store.sql(query, concept="level").arrow().to_pylist()
    expected = [LEVELS_DB["loud"] - 20, LEVELS_DB["soft"] - 20]
    assert [row["value"] for row in levels] == pytest.approx(expected, abs=0.05)
    registers = store.sql(query, concept="register").arrow().to_pylist()
    white = [6000 / 8000, 250 / 8000, 1750 / 8000]  # high, low, middle
    assert [row["value"] for row in registers] == pytest.approx(white * 2, abs=0.03)
    assert json.loads(undertone(*words)[1])["scorer_loudness"]["scored"] == 0


CONSTANT = """
import numpy as np
from pipelines.scorers.protocol import ScorerFactory, Scores

class Constant:
    name, version, sample_rate = "constant", "1", 16_000
    def score(self, audio):
        return [{}]

SCORER = ScorerFactory(lambda device: Constant())
"""


def test_another_version_of_a_plug_in_hears_everything_anew(
    install: Callable[..., Path], songs: Path
) -> None:
    def heard(version: str, value: float) -> list[float]:
        module = f"constant_{version.replace('.', '_')}"
        code = CONSTANT.format(f"Scores('level', 'number', np.full(len(audio), {value}))")
        install("constant", version, {"undertone.scorers": {"constant": f"{module}:SCORER"}}, {module: code})
        ut.evaluate(songs / "music.store", dataset="songs", scorers=["constant"])
        query = "SELECT DISTINCT value FROM evaluations WHERE scorer = 'constant' ORDER BY value"
        return [row["value"] for row in ut.open_store(songs / "music.store").sql(query).arrow().to_pylist()]

    assert heard("1.0", 3.0) == [3.0]
    assert heard("1.1", 5.0) == [3.0, 5.0]


def test_help_and_errors_list_the_plug_in(install_page: Callable[[str], Any], undertone: Run) -> None:
    install_page("own-scorer")
    _, out, _ = undertone("evaluate", "--help")
    assert "[judge|loudness]" in out
    code, _, err = undertone("evaluate", "s", "--dataset", "songs", "--scorer", "loudnes")
    assert code == 2
    assert "no scorer 'loudnes'; it is judge, loudness." in err


@pytest.mark.parametrize("name", ["clap", "probe"])
def test_no_plug_in_takes_the_name_of_what_stands_in_tables_already(
    name: str, install: Callable[..., Path]
) -> None:
    code = CONSTANT.format("Scores('level', 'number', np.zeros(len(audio)))")
    install("thief", "1.0", {"undertone.scorers": {name: "thief:SCORER"}}, {"thief": code})
    with pytest.raises(InvalidInput, match=f"no scorer '{name}'; it is judge"):
        load_scorer(name)


def test_scores_that_fit_neither_sounds_nor_classes_are_refused() -> None:
    with pytest.raises(BrokenPlugin, match=r"'style' have the shape \(2, 3\), not \(2, 2\)"):
        Scores("style", "probability", np.zeros((2, 3)), ("rock", "jazz"))
    with pytest.raises(BrokenPlugin, match=r"'level' have the shape \(2, 1\), not \(2,\)"):
        Scores("level", "db", np.zeros((2, 1)))


def test_the_plug_in_passes_the_tests_that_its_page_shows(
    install_page: Callable[[str], Any], conform: Conform
) -> None:
    assert len(conform(install_page("own-scorer").conformance())) >= 6


def test_the_judge_passes_the_tests_for_plug_ins(conform: Conform) -> None:
    assert len(conform(type("Judge", (ScorerConformance,), {"name": "judge", "tolerance": 1e-3}))) >= 6


FAULTS = {
    "batch": "Scores('level', 'db', audio.mean(axis=1) + len(audio))",
    "short": "Scores('level', 'db', audio.mean(axis=1)[:1])",
    "range": "Scores('style', 'probability', np.full((len(audio), 2), 1.5), ('rock', 'jazz'))",
    "twice": "Scores('style', 'probability', np.full((len(audio), 2), 0.5), ('rock', 'rock'))",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_tests_for_plug_ins_see_a_scorer_that_breaks_a_rule(
    fault: str, install: Callable[..., Path], conform: Conform
) -> None:
    module = f"faulty_scorer_{fault}"
    points = {"undertone.scorers": {"faulty": f"{module}:SCORER"}}
    install(module, "1.0", points, {module: CONSTANT.format(FAULTS[fault])})
    with pytest.raises((AssertionError, IndexError)):
        conform(type("Faulty", (ScorerConformance,), {"name": "faulty"}))
