"""The explorer: what it refuses, how it is started, and a store of a stranger in a real browser."""

import csv
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

import undertone as ut
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.explore import serving
from jobs.explore.options import ExploreOptions
from jobs.explore.serving import notebook, start_explorer
from store.errors import InvalidInput, NotFound
from store.opening import open_store
from store.records import ArraySpec, ClipStatus, PlannedClip

HOSTILE = (
    "<img src=x onerror=\"window.ran='label'\"><script>window.ran='script'</script> [x](javascript:ran=1)"
)
CLIPS = 10


@pytest.fixture(scope="module")
def strange_store(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ten sounds, whose labels are markup, at the corners of a rectangle of activations."""
    folder = tmp_path_factory.mktemp("strange")
    files = sorted(recordings.rglob("*.wav"))[:CLIPS]
    with (folder / "songs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "kind"])
        rows.writerows(
            [path.relative_to(recordings), HOSTILE if i % 2 else "plain"] for i, path in enumerate(files)
        )
    shutil.copytree(recordings, folder, dirs_exist_ok=True)
    url = str(folder / "music.store")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(folder / "state"))
        add_dataset(AddRequest(url, "songs", str(folder / "songs.csv"), clip_seconds=1.0))
        _add_run(url)
        yield url


def _add_run(url: str) -> None:
    store = open_store(url)
    clips = [PlannedClip(one.clip_id, one.uri, 0.0, 1.0) for one in store.dataset("songs").clips()]
    spec = ArraySpec("resid.mean", ("layer", "feature"), (2, 3), "float32", {"layers": [0, 1]})
    model = {"name": "pocket-random", "fingerprint": "f00d", "random_weights": True}
    document = {"dataset": {"name": "songs"}, "model": model}
    run = store.create_run("toy", document=document, arrays=[spec], clips=clips)
    values = np.zeros((len(clips), 2, 3), np.float32)
    values[:, :, 0] = np.arange(len(clips))[:, np.newaxis]
    values[:, :, 1] = (np.arange(len(clips)) % 2)[:, np.newaxis]
    for unit in run.units():
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, values[unit.first_row : unit.first_row + len(unit.clips)])
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()


def test_what_cannot_be_shown_is_refused_before_a_server_starts(
    strange_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound):
        start_explorer(ExploreOptions(str(tmp_path / "nothing.store")))
    with pytest.raises(InvalidInput, match=r"must end in \.py"):
        start_explorer(ExploreOptions(strange_store, edit=tmp_path / "notebook.txt"))
    with pytest.raises(InvalidInput, match="--port is 70000"):
        ExploreOptions(strange_store, port=70_000)
    monkeypatch.setattr(serving, "NEEDED", ("marimo_that_nobody_has", "anywidget_either"))
    with pytest.raises(InvalidInput, match="needs marimo_that_nobody_has and anywidget_either: pip install"):
        start_explorer(ExploreOptions(strange_store))


def test_a_copy_to_edit_is_made_once_and_keeps_its_changes(tmp_path: Path) -> None:
    copy = tmp_path / "mine.py"
    shipped = notebook(ExploreOptions("any"))
    assert notebook(ExploreOptions("any", edit=copy)) == copy
    assert copy.read_text(encoding="utf-8") == shipped.read_text(encoding="utf-8")
    copy.write_text("# mine", encoding="utf-8")
    notebook(ExploreOptions("any", edit=copy))
    assert copy.read_text(encoding="utf-8") == "# mine"


def test_neither_the_token_nor_leave_to_write_is_an_argument_that_was_not_asked_for() -> None:
    reading = serving._command(ExploreOptions("music.store"), Path("app.py"), 8000)
    writing = serving._command(ExploreOptions("music.store", write=True), Path("app.py"), 8000)
    assert reading[reading.index("--host") + 1] == "127.0.0.1"
    assert reading[reading.index("--token-password-file") + 1] == "-"
    assert "--token" in reading
    assert writing == [*reading, "--write"]


def test_classes_and_numbers_have_codes_and_the_rare_share_one() -> None:
    scatter = pytest.importorskip("undertone_explore.scatter")
    codes, legend = scatter.coloured(["b", None, "a", "b"])
    assert ([*codes], legend) == ([1, 255, 0, 1], {"classes": ["a", "b"], "others": 0})
    codes, legend = scatter.coloured([*map(str, range(10)), *"01234567"])
    assert ([*codes[:10]], legend["others"]) == ([0, 1, 2, 3, 4, 5, 6, 7, 254, 254], 2)
    codes, legend = scatter.coloured([None, *np.arange(11.0).tolist()])
    assert ([codes[0], codes[1], codes[-1]], legend) == ([255, 0, 253], {"low": 0.0, "high": 10.0})


def test_clicks_play_and_a_lasso_picks_what_sql_counts_and_no_label_runs(
    browser_path: str, strange_store: str
) -> None:
    pytest.importorskip("marimo")
    pytest.importorskip("anywidget")
    before = _files(Path(strange_store))
    complaints: list[str] = []
    options = ExploreOptions(strange_store, roots=(f"songs={Path(strange_store).parent}",))
    with start_explorer(options) as explorer, sync_playwright() as playwright:
        with pytest.raises(HTTPError, match="401"):
            urlopen(explorer.url.split("?")[0] + "api/status", timeout=10)
        browser = playwright.chromium.launch(executable_path=browser_path)
        page = browser.new_page(viewport={"width": 1200, "height": 1400}, reduced_motion="reduce")
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend([said.text] * (said.type == "error")))
        page.goto(explorer.url)
        page.wait_for_selector(".clip-scatter .legend span", timeout=60_000)
        canvas = page.locator(".clip-scatter canvas")
        canvas.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        audio = page.locator(".clip-scatter audio").element_handle()
        page.wait_for_function("player => player.currentTime > 0.05", arg=audio, timeout=20_000)
        assert page.locator(".clip-scatter audio").evaluate("player => player.duration") == pytest.approx(1.0)
        box = canvas.bounding_box()
        assert box is not None
        _drag_round_the_right_half(page, box)
        page.wait_for_selector("text=/ clips picked/", timeout=20_000)
        plane = ut.clip_map(ut.open_store(strange_store).run("toy"), layer=1)
        (right,) = ut.open_store(strange_store).sql(
            "SELECT count(*) AS n FROM map WHERE x > 0", tables={"map": plane.table().arrow().select(["x"])}
        )["n"]
        assert 0 < right < CLIPS
        assert page.get_by_text(f"{right} clips picked").is_visible()
        assert page.get_by_text(HOSTILE[:20]).first.is_visible(), "labels are shown as they are"
        assert page.evaluate("window.ran") is None
        browser.close()
    assert complaints == []
    assert _files(Path(strange_store)) == before, "nothing is written without leave"


def _drag_round_the_right_half(page: Page, box: Any) -> None:
    corners = [(0.5, 0.02), (0.98, 0.02), (0.98, 0.98), (0.5, 0.98)]
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def _files(folder: Path) -> dict[str, int]:
    """Files of the truth; the catalog beside it is a cache."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if stat.S_ISREG(path.stat().st_mode) and not path.name.startswith("catalog")
    }
