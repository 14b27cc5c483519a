"""Says which sections a report leaves out because a file is damaged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from jobs.report.page import Figure
from store.errors import CorruptData

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
