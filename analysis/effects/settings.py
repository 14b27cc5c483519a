"""Pairs of classes and settings: what a sweep steers from and to, and in which way."""

from dataclasses import dataclass
from typing import Literal

from store.records import Site

AUTO = "auto"
NONE = "none"
MONITORED = " monitor:"
"""Between a schedule and a self-monitor."""

Strength = float | str
"""How strongly is steered (α): a number, or "auto"."""
Role = Literal["steered", "random", "text", "prompt", "unsteered"]
"""What a trial is for: to be measured, or to be compared with."""


@dataclass(frozen=True, slots=True)
class Pair:
    """From a class to one or several others of the same concept."""

    concept: str
    source: str
    targets: tuple[str, ...]

    @property
    def target(self) -> str:
        """The targets as one word of tables: "jazz", or "jazz+rock"."""
        return "+".join(self.targets)


ANYWHERE = Pair("", "", ())
"""Stands for all pairs together."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to steer a pair: all that a trial has beside its condition."""

    pair: Pair
    method: str
    """That found the direction."""
    site: Site
    layers: tuple[int, ...]
    alpha: Strength
    """A number, or "auto": found for each condition."""
    kind: str
    """How the direction is applied: interpolate, add or ablate."""
    scaling: str
    schedule: str
    monitor: str
    """Of the edits: "0.8", "0.8:0.01" or "none"."""
    rows: str
    """Of classifier-free guidance, which are steered: conditional or both."""

    @property
    def automatic(self) -> bool:
        """Whether the strengths are found and not given."""
        return self.alpha == AUTO

    @property
    def course(self) -> str:
        """What decides the strength over time: the schedule, and the self-monitor if there is one."""
        return self.schedule if self.monitor == NONE else f"{self.schedule}{MONITORED}{self.monitor}"
