"""Interface of a report's figure: a function of the catalog and of the subject of its section."""

from collections.abc import Callable
from dataclasses import dataclass

from jobs.report.answers import Answers
from jobs.report.page import Figure
from jobs.report.subjects import ReportedRun, Subject
from jobs.report.sweeps import Sweep


class ReportFigure:
    """What an entry point of undertone.figures names, one of the kinds below.

    `draw` asks the catalog by SQL and gives a figure whose name is unique in the page (see `anchor`), with
    the statement and its answer as a table below the drawings; None where there is nothing to show, as where
    a view that it asks is not among `answers.views`. Panels hold Altair charts; nothing is fetched.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RunFigure(ReportFigure):
    """A figure of the section of every run."""

    draw: Callable[[Answers, ReportedRun], Figure | None]


@dataclass(frozen=True, slots=True)
class ConceptFigure(ReportFigure):
    """A figure of the section of every concept, at its best layer or the one that was asked for."""

    draw: Callable[[Answers, Subject], Figure | None]


@dataclass(frozen=True, slots=True)
class SweepFigure(ReportFigure):
    """A figure of the section of every sweep."""

    draw: Callable[[Answers, Sweep], Figure | None]
