"""What a grid stands for: pairs of classes, and every combination of ways to steer from one to the other."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from jobs.results import digest_of
from jobs.sweeping.configuration import CLASS, SteeredConcept
from jobs.sweeping.grid import AUTO, MOST_SETTINGS, NONE, Grid, Strength, refuse_more_than
from pipelines.edits import Kind, Scaling, SteeredRows
from store.errors import InvalidInput
from store.records import Site

MONITORED = " monitor:"
"""Between a schedule and a self-monitor."""
Role = Literal["steered", "random", "text", "prompt", "unsteered"]


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

    def source_text(self, template: str) -> str:
        """The prompt of the source, which is steered."""
        return template.replace(CLASS, self.source)

    def target_text(self, template: str) -> str:
        """The prompt that asks for the target in words; without one for the source, the plainest."""
        return (template or f"{CLASS} music").replace(CLASS, " and ".join(self.targets))


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to steer a pair: all that a generation has beside its prompt and its random state."""

    pair: Pair
    method: str
    site: Site
    layers: tuple[int, ...]
    alpha: Strength
    """A number, or "auto": found for each generation."""
    kind: Kind
    scaling: Scaling
    schedule: str
    monitor: str
    """Of the edits: "0.8", "0.8:0.01" or "none"."""
    rows: SteeredRows

    @property
    def automatic(self) -> bool:
        """Whether the strengths are found and not given."""
        return self.alpha == AUTO

    @property
    def course(self) -> str:
        """What decides the strength over time: the schedule, and the self-monitor if there is one."""
        return self.schedule if self.monitor == NONE else f"{self.schedule}{MONITORED}{self.monitor}"

    @property
    def setting_id(self) -> str:
        """Stands for the setting in all sweeps of one model."""
        pair = [self.pair.concept, self.pair.source, *self.pair.targets]
        direction = [self.method, self.site, *self.layers]
        return digest_of([pair, direction, [self.alpha, self.kind, self.scaling, self.course, self.rows]])


def read_pairs(concept: SteeredConcept, classes: Sequence[str]) -> list[Pair]:
    """The pairs a concept names, among the classes its labels have.

    Raises:
        InvalidInput: a pair that is none; the message names the classes.
    """
    if concept.pairs == ("all",):
        refuse_more_than(MOST_SETTINGS, len(classes) * (len(classes) - 1), f"pairs of {concept.name!r}")
        return [Pair(concept.name, one, (other,)) for one, other in itertools.permutations(classes, 2)]
    return [_read_pair(concept.name, text, classes) for text in concept.pairs]


def _read_pair(concept: str, text: str, classes: Sequence[str]) -> Pair:
    for place in (place for place, letter in enumerate(text) if letter == ":"):
        source, rest = text[:place], text[place + 1 :]
        targets = (rest,) if rest in classes else tuple(rest.split("+"))
        if source in classes and all(one in classes and one != source for one in targets):
            return Pair(concept, source, targets)
    raise InvalidInput(
        f"The pair {text!r} of {concept!r} is not SOURCE:TARGET (or SOURCE:TARGET+TARGET) with different "
        f"classes of {', '.join(classes)}."
    )


def expand(grid: Grid, pairs: Sequence[Pair], layers_of_site: Mapping[str, Sequence[int]]) -> list[Setting]:
    """Every setting of a grid, in a fixed order.

    Args:
        grid: what is combined.
        pairs: what is steered.
        layers_of_site: layers that directions can be had for, by site.

    Raises:
        InvalidInput: a layer that no direction can be had for.
    """
    chosen = {site: _layers(grid, site, layers_of_site) for site in grid.sites}
    layered = sum(map(len, chosen.values()))
    lists = (grid.methods, grid.alphas, grid.kinds, grid.scalings, grid.schedules, grid.monitors, grid.rows)
    refuse_more_than(MOST_SETTINGS, len(pairs) * layered * math.prod(map(len, lists)), "settings")
    settings = [
        Setting(
            pair,
            method,
            cast("Site", site),
            layers,
            alpha,
            cast("Kind", kind),
            cast("Scaling", scaling),
            schedule,
            monitor,
            cast("SteeredRows", rows),
        )
        for pair, site in itertools.product(pairs, grid.sites)
        for layers in chosen[site]
        for method in grid.methods
        for alpha, kind, scaling, schedule, monitor, rows in itertools.product(
            grid.alphas, grid.kinds, grid.scalings, grid.schedules, grid.monitors, grid.rows
        )
    ]
    return list(dict.fromkeys(settings))


def _layers(grid: Grid, site: str, layers_of_site: Mapping[str, Sequence[int]]) -> list[tuple[int, ...]]:
    present = layers_of_site.get(site, ())
    if not present:
        raise InvalidInput(f"The run has no means of site {site!r}; it has {', '.join(layers_of_site)}.")
    chosen = list(grid.layers) or [(layer,) for layer in present]
    if missing := sorted({layer for one in chosen for layer in one} - set(present)):
        raise InvalidInput(
            f"[grid] layers: the run has no {site!r} of layer {missing[0]}; it has {list(present)}."
        )
    return chosen
