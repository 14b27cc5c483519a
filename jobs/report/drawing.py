"""The figures of a section: those that are built in, then those of plug-ins that were asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from jobs.report.answers import Answers
from jobs.report.page import Figure
from jobs.report.protocol import ConceptFigure, ReportFigure, RunFigure, SweepFigure
from jobs.report.subjects import ReportedRun, Subject
from jobs.report.sweeps import Sweep
from store.errors import BrokenPlugin, CorruptData
from store.extensions import FIGURES

Found = TypeVar("Found")


@dataclass(slots=True)
class Withheld:
    """Reasons why parts of a section are absent, each once."""

    reasons: list[str] = field(default_factory=list)

    def attempt(self, find: Callable[[], Found]) -> Found | None:
        """What `find` finds; where a damaged file forbids it, nothing, and the reason is kept."""
        try:
            return find()
        except CorruptData as error:
            reason = f"Something is left out here, for {error}"
            if reason not in self.reasons:
                self.reasons.append(reason)
            return None

    def figures(self, *draw: Callable[[], Figure | None]) -> tuple[Figure, ...]:
        """The figures that there are and that can be drawn."""
        found = (self.attempt(one) for one in draw)
        return tuple(figure for figure in found if figure is not None)


About = ReportedRun | Subject | Sweep
Draw = Callable[[], Figure | None]


def named_figures(names: Sequence[str]) -> dict[str, ReportFigure]:
    """What is built in, in its order, then the named plug-ins.

    Raises:
        InvalidInput: there is no such figure.
        BrokenPlugin: a plug-in cannot be loaded.
    """
    every = dict.fromkeys([*FIGURES.built_in, *names])
    return {name: FIGURES.load(name, ReportFigure, unasked=name not in names) for name in every}


def drawn_figures(
    figures: Mapping[str, ReportFigure], answers: Answers, about: About, withheld: Withheld
) -> tuple[Figure, ...]:
    """The figures that there are about a run, concept or sweep."""
    draws = _draws(figures, answers, about)
    return withheld.figures(
        *(
            draw if name in FIGURES.built_in else partial(_of_plugin, name, draw)
            for name, draw in draws.items()
        )
    )


def _draws(figures: Mapping[str, ReportFigure], answers: Answers, about: About) -> dict[str, Draw]:
    """By name, those whose kind is that of the section."""
    found: dict[str, Draw] = {}
    for name, one in figures.items():
        if isinstance(about, ReportedRun) and isinstance(one, RunFigure):
            found[name] = partial(one.draw, answers, about)
        if isinstance(about, Subject) and isinstance(one, ConceptFigure):
            found[name] = partial(one.draw, answers, about)
        if isinstance(about, Sweep) and isinstance(one, SweepFigure):
            found[name] = partial(one.draw, answers, about)
    return found


def _of_plugin(name: str, draw: Draw) -> Figure | None:
    try:
        found = draw()
    except CorruptData:
        raise
    except Exception as error:
        owner = FIGURES.recorded(name)["plugin"]
        raise BrokenPlugin(
            f"The figure {name!r} of {owner} cannot be drawn ({type(error).__name__}: {error})."
        ) from error
    if not isinstance(found, Figure | None):
        raise BrokenPlugin(f"The figure {name!r} gave a {type(found).__name__}, which is no Figure.")
    return found
