"""Options of the demo."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jobs.execution import FitEngine, Inline
from jobs.option import Option, check_values


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Arguments of `undertone demo`, as given."""

    folder: Path
    clips: Annotated[int, Option("How many to render.", least=16)] = 320
    engine: Inline = "ray"

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def store(self) -> Path:
        """The store that it makes."""
        return self.folder / "music.store"

    @property
    def report(self) -> Path:
        """The page that it draws."""
        return self.folder / "report.html"

    @property
    def fit_engine(self) -> FitEngine:
        """Where probes, clusterings and directions are fitted."""
        return "inline" if self.engine == "inline" else "auto"
