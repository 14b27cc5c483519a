"""What every figure of a report must be, as tests that the author of one subclasses."""

import re
from collections import Counter
from pathlib import Path

from jobs.report.answers import open_answers
from jobs.report.building import build_page
from jobs.report.drawing import About, Withheld, drawn_figures
from jobs.report.page import Figure
from jobs.report.protocol import ReportFigure
from jobs.report.rendering import render
from jobs.report.subjects import ReportedRun, subjects
from jobs.report.sweeps import sweeps_of
from store.extensions import FIGURES
from store.opening import Store
from undertone_testing.example_store import write_example_store

FETCHED = re.compile(r"(?:src|href)=[\"']?(?!data:|#)|url\((?!#)|<script|@import", re.IGNORECASE)


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

    def test_drawings_are_svg_that_fetches_nothing(self, tmp_path: Path) -> None:
        for figure in self.own(self.store(tmp_path)):
            for panel in figure.panels:
                assert panel.svg.startswith("<svg"), f"{figure.name} has a panel that is no inline SVG."
                assert not FETCHED.search(panel.svg), f"{figure.name} fetches {FETCHED.findall(panel.svg)}"

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
