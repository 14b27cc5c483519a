"""Tests that every figure of a report must pass: the author of one subclasses them."""

from collections import Counter
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from jobs.directions.fitting import run_directions
from jobs.directions.options import DirectionOptions
from jobs.report.answers import open_answers
from jobs.report.building import build_page
from jobs.report.drawing import About, Withheld, drawn_figures
from jobs.report.page import Figure
from jobs.report.protocol import ReportFigure
from jobs.report.rendering import render
from jobs.report.subjects import ReportedRun, subjects
from jobs.report.sweeps import sweeps_of
from store.extensions import FIGURES
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

CLIPS, GROUPS, LAYERS, WIDTH = 48, 12, 2, 6
STYLES = ("rock", "jazz")
RUN = "example"


def write_example_store(folder: Path) -> Store:
    """Make the store in a folder that does not exist yet."""
    store = open_store(folder, create=True)
    styles = [STYLES[number % GROUPS % len(STYLES)] for number in range(CLIPS)]
    clips = [
        Clip(
            clip_id=f"clip{number:02d}",
            uri=f"{number}.wav",
            start_seconds=0.0,
            duration_seconds=4.0,
            group=f"artist {number % GROUPS}",
            split=None,
            sha256=f"{number:064x}",
            tail_seconds=0.0,
            labels={"style": style},
        )
        for number, style in enumerate(styles)
    ]
    info = {
        "format": "folder",
        "clip_seconds": 4.0,
        "hop_seconds": 4.0,
        "root": {"kind": "local"},
        "notes": "",
    }
    store.add_dataset("songs", info, clips, [])
    _write_run(store, clips)
    options = DirectionOptions(
        store.url, RUN, "SELECT clip_id, style FROM clips", methods="diffmean,random", engine="inline"
    )
    run_directions(options)
    return store


def _write_run(store: Store, clips: list[Clip]) -> None:
    """Activations in which the style shifts the first feature, by more in the second layer."""
    jazz = np.array([clip.labels["style"] == "jazz" for clip in clips])
    rows = np.random.default_rng(0).standard_normal((CLIPS, LAYERS, WIDTH)).astype(np.float32)
    rows[jazz, :, 0] += np.array([1.0, 4.0], np.float32)
    model = {"name": "toy", "fingerprint": "f00d", "random_weights": True, "layers": LAYERS, "width": WIDTH}
    attributes = {"layers": list(range(LAYERS))}
    spec = ArraySpec("resid.mean", ("layer", "feature"), (LAYERS, WIDTH), "float32", attributes)
    run = store.create_run(
        RUN,
        document={"dataset": {"name": "songs"}, "model": model},
        arrays=[spec],
        clips=[PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips],
        unit_clips=CLIPS,
    )
    for unit in run.units():
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, rows[unit.first_row : unit.first_row + len(unit.clips)])
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()


DATA = ("values", "datasets")
FETCHING = frozenset({"url", "href"})


def fetching(part: Any) -> list[str]:
    """What a specification would fetch or lead to; data inside it are only shown."""
    if isinstance(part, list):
        return [found for one in part for found in fetching(one)]
    if not isinstance(part, dict):
        return []
    own = [f"{name}: {value}" for name, value in part.items() if name in FETCHING]
    return own + [found for name, one in part.items() if name not in DATA for found in fetching(one)]


class FigureConformance:
    """Subclass it as `class TestMine(FigureConformance)`, give `name`, and run pytest."""

    name: str
    """Of the entry point in the group undertone.figures."""

    def store(self, folder: Path) -> Store:
        """A store with something to draw: by default one with a run and directions, but without sweeps."""
        return write_example_store(folder / "example.store")

    def own(self, store: Store) -> list[Figure]:
        """What the plug-in draws about every run, concept and sweep of the store."""
        answers, figures = open_answers(store), {self.name: FIGURES.load(self.name, ReportFigure)}
        found: list[Figure] = []
        for run_id in store.runs():
            run, withheld = ReportedRun(run_id), Withheld()
            abouts: list[About] = [run, *subjects(answers, run_id), *sweeps_of(answers, run_id)]
            for about in abouts:
                found += drawn_figures(figures, answers, about, withheld)
        assert found, "Nothing is drawn: give a store() in which there is something to draw."
        return found

    def test_it_is_among_the_figures(self) -> None:
        assert self.name in FIGURES.names(), f"{self.name} is not installed: {FIGURES.names()}"

    def test_charts_are_altair_s_and_fetch_nothing(self, tmp_path: Path) -> None:
        for figure in self.own(self.store(tmp_path)):
            for panel in figure.panels:
                assert isinstance(panel.chart, alt.TopLevelMixin), (
                    f"{figure.name} has a panel without a chart."
                )
                found = fetching(panel.chart.to_dict())
                assert not found, f"{figure.name} fetches {found}"

    def test_figures_have_titles_and_captions(self, tmp_path: Path) -> None:
        for figure in self.own(self.store(tmp_path)):
            assert figure.title, f"{figure.name} has no title."
            assert figure.caption, f"{figure.name} has no caption that says what is drawn, and in what unit."

    def test_tables_are_the_answers_to_the_statements_below_them(self, tmp_path: Path) -> None:
        store = self.store(tmp_path)
        answers = open_answers(store)
        for figure in self.own(store):
            if figure.sql and figure.table is not None:
                assert answers.ask(figure.sql).num_rows == len(figure.table.rows), figure.name

    def test_the_page_has_it_once_beside_what_is_built_in(self, tmp_path: Path) -> None:
        store = self.store(tmp_path)
        own = {figure.name for figure in self.own(store)}
        page = build_page(store, figures=[self.name])
        names = Counter(figure.name for section in page.sections for figure in section.figures)
        assert own <= set(names), f"Not on the page: {own - set(names)}"
        assert max(names.values()) == 1, f"Names twice: {names.most_common(1)}"
        html = render(page, generator="conformance")
        assert all(f'id="{name}"' in html for name in own)
