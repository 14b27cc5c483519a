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


def _exchanged(store: ut.Store, *_: Any) -> tuple[Path, ...]:
    found = ut.directions(store.run("songs"), labels=LABELS, engine="inline")
    assert len(ut.stored_directions(store)) == len(found) == 4
    assert ut.superposition(store, "layer = $layer", layer=3)["layer"] == [3]
    files = ut.export_directions(store, Path(store.url).parent / "exported", "layer = 3")
    assert ut.import_directions(store, files[0]) == 0
    foreign = Path(store.url).parent / "other.npy"
    np.save(foreign, np.eye(128, dtype=np.float32)[:2])
    assert ut.import_directions(store, foreign, run=store.run("songs"), positive="happy") == 2
    return files


def _heard(store: ut.Store, genres: Path, model: Any) -> ut.Ratings:
    """A page is written, and a file that holds no answers is refused in a sentence."""
    _swept(store, genres, model)
    test = ut.export_listening_test(store, "mine", Path(store.url).parent / "listening")
    assert test.page.is_file()
    assert test.trials > 0
    answers = Path(store.url).parent / "answers.json"
    answers.write_text("{}", encoding="utf-8")
    with pytest.raises(ut.InvalidInput, match=r"answers\.json"):
        ut.import_ratings(store, [answers])
    return ut.Ratings(0, 0, {})


def _kept(store: ut.Store, *_: Any) -> ut.Generation:
    """Steered along a stored direction it has a twin; made again, the store has it."""
    found = ut.directions(store.run("songs"), labels=LABELS, engine="inline")["jazz", 3]
    kept = ut.generate_into(store, "rock", directions=found, alpha=0.4, seconds=1, device="cpu")
    again = ut.generate_into(store, "rock", directions=found, alpha=0.4, seconds=1, device="cpu")
    assert (again.id, again.twin_id) == (kept.id, kept.twin_id)
    assert again.notes == ("the store had this sound already; nothing was computed",)
    assert np.array_equal(ut.stored_sound(store, kept.id).samples, kept.sound.samples)
    return kept


def _page(store: ut.Store, *_: Any) -> Path:
    """Two seeds of a steered sound, each beside its twin, are played by one page."""
    found = ut.directions(store.run("songs"), labels=LABELS, engine="inline")["jazz", 3]
    folder = Path(store.url).parent / "page"
    options: dict[str, Any] = {"directions": found, "alpha": 0.4, "seconds": 1, "device": "cpu"}
    page = ut.generate_page(store, folder, "rock", seeds=[0, 1], with_twin=True, **options)
    assert page.read_text(encoding="utf-8").count("<audio") == len(list(folder.glob("*.flac"))) == 4
    kept = ut.generate_into(store, "rock", **options)
    assert kept.notes == ("the store had this sound already; nothing was computed",)
    return page


def _not_opened(store: ut.Store, *_: Any) -> Path:
    """What is no Python file cannot be a notebook; no server is started."""
    file = Path(store.url).parent / "notebook.txt"
    with pytest.raises(ut.InvalidInput, match=r"must end in \.py"):
        ut.explore(store, edit=file)
    return file


def _refused(store: ut.Store, *_: Any) -> Path:
    """The built-in model's codec is of a kind that transformers does not have; nothing is left behind."""
    target = Path(store.url).parent / "other"
    with pytest.raises(ut.ModelError, match="stays in audiocraft's format"):
        ut.convert("pocket-random", target)
    assert not list(target.parent.glob("*other*"))
    return target


def _in_a_store(store: ut.Store, *_: Any) -> ut.Store:
    """The demo writes a folder of its own, never into a store."""
    inside = Path(store.url) / "inside"
    with pytest.raises(ut.InvalidInput, match="lies in the store"):
        ut.demo(inside)
    return store


CALLS: dict[tuple[str, ...], Call] = {
    ("add_dataset",): lambda store, genres, _: ut.add_dataset(store, "again", genres, clip_seconds=1.0),
    ("bill",): lambda store, *_: ut.bill(store, "songs", model="pocket-random", sites="resid", months=1),
    ("capture", "forward"): _seen,
    ("demo",): _in_a_store,
    ("convert",): _refused,
    ("directions",): lambda *_: ut.directions(X, Y, groups=np.arange(40) % 10),
    ("evaluate",): _evaluated,
    ("export_directions", "import_directions", "stored_directions", "superposition"): _exchanged,
    ("export_listening_test", "import_ratings", "sweep"): _heard,
    ("extract",): lambda store, genres, _: ut.extract(
        store, "songs", model="pocket-random", sites="resid", layers=1, roots={"songs": genres}
    ),
    ("generate_into", "stored_sound"): _kept,
    ("generate_page",): _page,
    ("kmeans",): lambda store, *_: ut.kmeans(store.run("songs"), labels=LABELS, starts=1, engine="inline"),
    ("load_model",): lambda *_: ut.load_model("pocket-random", device="cpu"),
    ("open_store",): lambda store, *_: ut.open_store(store.url),
    ("probe", "report"): _reported,
    ("repair", "upgrade", "verify"): lambda store, *_: (
        ut.repair(store),
        ut.upgrade(store.url),
        ut.verify(store),
    ),
    ("shipped_sweeps",): lambda *_: ut.shipped_sweeps(),
    ("clip_map",): lambda store, *_: ut.clip_map(store.run("songs"), layer=3),
    ("clip_sound",): lambda store, genres, _: ut.clip_sound(
        store, store.run("songs").clip_ids[0], roots={"songs": genres}
    ),
    ("save_selection",): lambda store, *_: ut.save_selection(
        store, "first", {"yes": store.run("songs").clip_ids[:1]}
    ),
    ("explore",): _not_opened,
    ("compare",): lambda store, *_: ut.compare(store.run("songs"), layers="3"),
    ("similar",): lambda store, *_: ut.similar(store.run("songs"), np.ones(128), layer=3, count=2),
    ("steer", "generate"): _steered,
    ("synthesize_dataset",): lambda store, *_: ut.synthesize_dataset(
        store, "made", concepts=["tempos"], clips=2
    ),
}
SLOW = ("export_listening_test", "import_ratings", "sweep")


def test_every_function_is_called_here() -> None:
    functions = {name for name in ut.__all__ if inspect.isfunction(getattr(ut, name))}
    assert functions == {name for names in CALLS for name in names}


@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
@pytest.mark.parametrize(
    "names",
    [pytest.param(names, marks=[pytest.mark.slow] * (names == SLOW), id="-".join(names)) for names in CALLS],
)
def test_a_function_prints_nothing_and_its_value_shows_itself(
    names: tuple[str, ...], music: ut.Store, genres: Path, model: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    value = CALLS[names](music, genres, model)
    assert repr(value)
    assert "object at 0x" not in repr(value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
def test_progress_is_shown_where_it_is_asked_for(
    music: ut.Store, genres: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[ut.Progress] = []
    ut.add_dataset(music, "one", genres, clip_seconds=0.5, progress=said.append)
    assert (said[-1].job, said[-1].done, said[-1].total, said[-1].unit) == ("add one", 16, 16, "recordings")
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
