"""The grid of a sweep: lists of ways to steer; every combination of theirs is a setting."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.directions.fitting import split_method
from analysis.effects.settings import AUTO, NONE, Pair, Setting, Strength
from pipelines.steering.edits import (
    KINDS,
    SCALINGS,
    STEERED_ROWS,
    check_automatic,
    check_strength,
    parse_monitor,
)
from pipelines.steering.schedules import parse_schedule
from store.errors import InvalidInput
from store.records import check_site
from store.results.parts import digest_of

MOST_SETTINGS = 1_000_000
LONGEST_WORD = 200

_LEGAL: Mapping[str, tuple[str, ...]] = {
    "methods": (),
    "sites": (),
    "alphas": (),
    "kinds": KINDS,
    "scalings": SCALINGS,
    "schedules": (),
    "monitors": (),
    "rows": STEERED_ROWS,
}
"""What a grid combines, and what may stand there; nothing: it is checked otherwise."""


@dataclass(frozen=True, slots=True)
class Grid:
    """`[grid]`: the settings, every combination of which is one."""

    methods: tuple[str, ...] = ("diffmean",)
    """As in `undertone directions`: "mse" chooses its penalty on held-out folds, "mse:0.1" names it."""
    sites: tuple[str, ...] = ("resid",)
    """Where in a block the directions lie and are applied: embed, resid, attn, head, xattn or mlp."""
    layers: tuple[tuple[int, ...], ...] = ()
    """Each entry is steered by itself, a list of several layers at all of them. None: every layer."""
    alphas: tuple[Strength, ...] = (0.5,)
    """Numbers; "auto" finds for each prompt and random state what `undertone generate --alpha auto` would."""
    kinds: tuple[str, ...] = ("interpolate",)
    """How a direction is applied: interpolate, add, or ablate, which removes what lies along it."""
    scalings: tuple[str, ...] = ("norm",)
    """What the direction is multiplied with: norm (the activation's length), unit (1), or norm_restored (as
    norm, and the result is brought back to the activation's length)."""
    schedules: tuple[str, ...] = ("constant",)
    """Strength over time, as `undertone generate --schedule` takes it: "constant", "linear-down" …"""
    monitors: tuple[str, ...] = (NONE,)
    """Self-monitors, as `undertone generate --monitor` takes them: "0.8", or "0.8:0.01" with a decay."""
    rows: tuple[str, ...] = ("conditional",)
    """Which rows of classifier-free guidance are steered: conditional, or both."""
    away: bool = False
    """Whether alphas may be negative, which steers away from the target."""

    @property
    def combinations(self) -> int:
        """Settings of one pair of classes, as far as the file tells: "all" layers count as one."""
        lists = (self.methods, self.sites, self.layers or (None,), self.alphas, self.kinds)
        return math.prod(map(len, (*lists, self.scalings, self.schedules, self.monitors, self.rows)))

    def __post_init__(self) -> None:
        refuse_more_than(MOST_SETTINGS, self.combinations, "settings")
        for name, legal in _LEGAL.items():
            _check_list(name, getattr(self, name), legal)
        for site in self.sites:
            check_site(site)
        self._check_strengths()
        refuse_twice("[grid] layers", self.layers)
        for layers in self.layers:
            refuse_twice(f"[grid] layers {list(layers)}", layers)
        for method in self.methods:
            split_method(method)
        for schedule in self.schedules:
            parse_schedule(schedule)
        for monitor in set(self.monitors) - {NONE}:
            parse_monitor(monitor)

    def _check_strengths(self) -> None:
        where, cure = "[grid] alphas:", "write away = true if it shall"
        for kind, alpha in itertools.product(self.kinds, self.alphas):
            if not isinstance(alpha, str):
                check_strength(alpha, kind, away=self.away, where=where, cure=cure)
        if AUTO in self.alphas:
            check_automatic(self.kinds, where=where)


def setting_id_of(setting: Setting) -> str:
    """Stands for a setting in all sweeps of one model."""
    pair = [setting.pair.concept, setting.pair.source, *setting.pair.targets]
    direction = [setting.method, setting.site, *setting.layers]
    manner = [setting.alpha, setting.kind, setting.scaling, setting.course, setting.rows]
    return digest_of([pair, direction, manner])


def read_pairs(concept: str, pairs: Sequence[str], classes: Sequence[str]) -> list[Pair]:
    """The pairs that a concept's entry names, among the classes its labels have.

    Args:
        concept: its name.
        pairs: "SOURCE:TARGET", "SOURCE:TARGET+TARGET", or "all" alone.
        classes: of its labels.

    Raises:
        InvalidInput: a pair that is none; the message names the classes.
    """
    if list(pairs) == ["all"]:
        refuse_more_than(MOST_SETTINGS, len(classes) * (len(classes) - 1), f"pairs of {concept!r}")
        return [Pair(concept, one, (other,)) for one, other in itertools.permutations(classes, 2)]
    return [_read_pair(concept, text, classes) for text in pairs]


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
            site,
            layers,
            alpha,
            kind,
            scaling,
            schedule,
            monitor,
            rows,
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


def refuse_twice(where: str, values: Sequence[Any]) -> None:
    """Refuse values of which one stands there twice: it would count as another, and be none."""
    seen = set()
    for value in values:
        if value in seen:
            said = list(value) if isinstance(value, tuple) else value
            raise InvalidInput(f"{where}: {said!r} stands there twice; take one away.")
        seen.add(value)


def refuse_more_than(most: int, count: int, what: str) -> None:
    """Refuse a grid that nobody could wait for, before any of it is written down."""
    if count > most:
        raise InvalidInput(
            f"That makes {count:,} {what}, more than {most:,}: every list multiplies them. Shorten some, or "
            "write several sweeps."
        )


def _check_list(name: str, chosen: Sequence[Any], legal: Sequence[str]) -> None:
    if not chosen:
        raise InvalidInput(f"[grid] {name} is empty: give at least one, or leave the line out.")
    if long := [one for one in chosen if isinstance(one, str) and len(one) > LONGEST_WORD]:
        raise InvalidInput(f"[grid] {name}: {long[0][:40]!r}… is too long to be one.")
    refuse_twice(f"[grid] {name}", chosen)
    if unknown := [one for one in chosen if legal and one not in legal]:
        raise InvalidInput(f"[grid] {name}: there is no {unknown[0]!r}; choose from {', '.join(legal)}.")
