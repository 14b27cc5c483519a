"""The library says nothing by itself: no function of it writes to standard output or standard error."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import undertone as ut

LABELS = "SELECT clip_id, label FROM clips"
SWEEP = """
seconds = 1.0
random_states = [0]

[[concepts]]
name = "label"
pairs = ["rock:jazz"]
texts = ["{class} music", "slow {class}"]

[grid]
methods = ["diffmean"]
sites = ["resid"]
layers = [[3]]
alphas = [0.5]
schedules = ["constant"]
"""
Call = Callable[[ut.Store, Path, Any], object]
X = np.random.default_rng(0).normal(size=(40, 4))
Y = np.repeat(["jazz", "rock"], 20)


def _swept(store: ut.Store, genres: Path, _: Any) -> ut.Sweep:
    path = Path(store.url).parent / "mine.toml"
    path.write_text(SWEEP, encoding="utf-8")
    found = ut.sweep(store, path, scorers=["descriptors"], roots={"songs": genres})
    assert found.complete
    assert found.generations == len(store.sql("FROM generations")) > 0
    assert ut.sweep(store, path, scorers=["descriptors"], dry_run=True).complete
    return found


def _evaluated(store: ut.Store, genres: Path, _: Any) -> ut.Evaluation:
    found = ut.evaluate(store, dataset="songs", prompts={"label": ["rock", "jazz"]}, roots={"songs": genres})
    assert (found.items, found.failed) == (16, 0)
    assert sum(found.mean_probability["label"].values()) == pytest.approx(1, abs=0.01)
    return found


def _reported(store: ut.Store, *_: Any) -> ut.Report:
    ut.probe(store.run("songs"), labels=LABELS, handcrafted=False, engine="inline", controls=1)
    page = ut.report(store)
    assert page.save(Path(store.url).parent / "report.html").stat().st_size == len(page.html.encode())
    assert "srcdoc" in page._repr_html_()
    return page


def _seen(_: ut.Store, __: Path, model: Any) -> ut.Seen:
    with ut.capture(model, layers=[3]) as seen:
        ut.forward(model, np.zeros(16_000, np.float32))
    return seen


def _steered(_: ut.Store, __: Path, model: Any) -> ut.Sound:
    direction = ut.Direction(np.eye(128, dtype=np.float32)[0], "a", None, "drawn").at("resid", 3)
    with ut.steer(model, direction):
        return ut.generate(model, "rock", seconds=1)


def _stored(store: ut.Store, *_: Any) -> ut.Directions:
    found = ut.directions(store.run("songs"), labels=LABELS, engine="inline")
    assert len(ut.stored_directions(store)) == len(found) == 4
    return found


CALLS: dict[str, Call] = {
    "add_dataset": lambda store, genres, _: ut.add_dataset(store, "again", genres, clip_seconds=1.0),
    "capture": _seen,
    "directions": lambda *_: ut.directions(X, Y, groups=np.arange(40) % 10),
    "evaluate": _evaluated,
    "extract": lambda store, genres, _: ut.extract(
        store, "songs", model="pocket-random", sites="resid", layers=1, roots={"songs": genres}
    ),
    "forward": lambda _, genres, model: ut.forward(model, genres / "jazz" / "0.wav"),
    "generate": lambda _, __, model: ut.generate(model, "rock", seconds=1),
    "kmeans": lambda store, *_: ut.kmeans(store.run("songs"), labels=LABELS, starts=1, engine="inline"),
    "load_model": lambda *_: ut.load_model("pocket-random", device="cpu"),
    "open_store": lambda store, *_: ut.open_store(store.url),
    "probe": lambda *_: ut.probe(X, Y, groups=np.arange(40) % 10),
    "report": _reported,
    "steer": _steered,
    "stored_directions": _stored,
    "sweep": _swept,
    "synthesize_dataset": lambda store, *_: ut.synthesize_dataset(
        store, "made", concepts=["tempos"], clips=2
    ),
    "verify": lambda store, *_: ut.verify(store),
}


def test_every_function_is_called_here() -> None:
    functions = {name for name in ut.__all__ if inspect.isfunction(getattr(ut, name))}
    assert functions == set(CALLS)


@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_function_prints_nothing_and_its_value_shows_itself(
    name: str, music: ut.Store, genres: Path, model: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    value = CALLS[name](music, genres, model)
    assert repr(value)
    assert "object at 0x" not in repr(value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
def test_progress_is_shown_where_it_is_asked_for(
    music: ut.Store, genres: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[ut.Progress] = []
    ut.add_dataset(music, "one", genres, clip_seconds=0.5, progress=said.append)
    assert (said[-1].job, said[-1].done, said[-1].total, said[-1].unit) == ("add one", 16, None, "recordings")
    assert capfd.readouterr() == ("", "")
    ut.add_dataset(music, "two", genres, clip_seconds=0.5, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert json.loads(err.splitlines()[-1]).items() >= {"job": "add two", "recordings": 16}.items()


def test_what_a_reader_must_know_is_a_warning_and_torch_keeps_its_threads(
    music: ut.Store, genres: Path
) -> None:
    import torch

    before = torch.get_num_threads()
    with pytest.warns(ut.UndertoneWarning, match="pocket-random has random weights"):
        ut.extract(
            music, "songs", model="pocket-random", sites="resid", layers=0, threads=2, roots={"songs": genres}
        )
    assert torch.get_num_threads() == before
