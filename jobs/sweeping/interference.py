"""Cross effects of a sweep: how fast every class that is scored changes with the strength of a direction.

Sums over classes, and the index that is made of them, take their signs from the choosing half of the cells
and their sizes from the reporting half.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.cross_effects import Moved, dose_slopes, interference_index, moved_by
from analysis.paired_intervals import Contributions, Estimate, crossed_interval, why_no_interval, witnesses
from jobs.results import digest_of
from jobs.sweeping.designs import Design, designs_of
from jobs.sweeping.newest import write_newest
from jobs.sweeping.planning import SweepPlan
from jobs.sweeping.scores import ScoreKey, Scores
from jobs.sweeping.settings import Role, Setting
from store.opening import Store
from store.results.schemas import TABLES

KIND = "cross_effects"

Row = dict[str, Any]

SCHEMA = TABLES[KIND].schema()


def write_cross_effects(store: Store, plan: SweepPlan, scores: Scores) -> int:
    """Compute and write the cross effects of a sweep; returns the number of rows."""
    keys = sorted(key for key in scores.numbers if key[3] == "probability")
    if not keys:
        return 0
    families = [one for design in designs_of(plan.members) for one in _families(design, scores, keys)]
    slopes = [row for family in families for row in _slope_rows(family)]
    totals = [row for family in families for row in _total_rows(family)]
    common = {
        "sweep": plan.configuration.name,
        "sweep_id": plan.sweep_id,
        "plan_id": plan.plan_id,
        "run_id": plan.run_id,
    }
    rows = [row | common for row in [*slopes, *totals, *_indices(families)]]
    write_newest(store, KIND, plan.sweep_id, rows, SCHEMA)
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Family:
    """The settings of a pair that differ in strength alone."""

    design: Design
    columns: Row
    slopes: Mapping[ScoreKey, Contributions]
    random: Mapping[ScoreKey, Contributions]
    """The same with random directions; empty: there are none."""

    @property
    def scorers(self) -> list[str]:
        return sorted({scorer for scorer, *_ in self.slopes})

    def moved(self, scorer: str, role: Role) -> Moved:
        """How much every concept is moved, as a scorer hears it."""
        slopes = self.slopes if role == "steered" else self.random
        concepts = sorted({key[1] for key in slopes if key[0] == scorer})
        choosing = self.design.halves == "choose"
        by_concept = {
            concept: moved_by(
                [found for key, found in slopes.items() if key[:2] == (scorer, concept)], choosing
            )
            for concept in concepts
        }
        return Moved(self.design.pair.concept, by_concept, self.design.units("all"))


def _families(design: Design, scores: Scores, keys: Sequence[ScoreKey]) -> Iterator[_Family]:
    together: dict[Setting, list[Setting]] = {}
    for setting in design.settings:
        if setting.automatic:  # has no strength that an effect could be divided by
            continue
        together.setdefault(replace(setting, alpha=0.0), []).append(setting)
    for family, members in together.items():
        steered, random = (
            {key: found for key in keys if (found := _slopes(design, members, role, scores, key)) is not None}
            for role in _ROLES
        )
        yield _Family(design, _family_columns(family, members), steered, random)


def _slopes(
    design: Design, settings: Sequence[Setting], role: Role, scores: Scores, key: ScoreKey
) -> Contributions | None:
    twins = scores.of(key, design.ids["unsteered", None])
    ids = [design.of(role, setting, "all") for setting in settings]
    changes = [scores.of(key, each) - twins for each in ids if each is not None]
    if len(changes) < len(settings):
        return None
    return dose_slopes(np.array([setting.alpha for setting in settings]), np.stack(changes))


def _slope_rows(family: _Family) -> Iterator[Row]:
    """How fast every class changes."""
    units = family.design.units("all")
    for key, slopes in family.slopes.items():
        control = family.random.get(key)
        yield {
            **family.columns,
            "scorer": key[0],
            "measured_concept": key[1],
            "measured_class": key[2],
            **_columns(crossed_interval(slopes, units=units), "slope", ""),
            "without_interval": _why_no_interval(slopes, units),
            **(_columns(crossed_interval(control, units=units), "random", "random_") if control else {}),
        }


def _total_rows(family: _Family) -> Iterator[Row]:
    """What happens to a concept as a whole, a row for each that is measured."""
    for scorer in family.scorers:
        moved, random = (family.moved(scorer, role) for role in _ROLES)
        for concept, slopes in moved.by_concept.items():
            control = random.by_concept.get(concept)
            yield {
                **family.columns,
                "scorer": scorer,
                "measured_concept": concept,
                "measured_class": None,
                **_columns(crossed_interval(slopes, units=moved.units), "slope", ""),
                "without_interval": _why_no_interval(slopes, moved.units),
                **(
                    _columns(crossed_interval(control, units=moved.units), "random", "random_")
                    if control
                    else {}
                ),
            }


def _why_no_interval(slopes: Contributions, units: Sequence[str]) -> str | None:
    return why_no_interval(*witnesses(~np.isnan(slopes.cells), units))


def _indices(families: Sequence[_Family]) -> Iterator[Row]:
    """The index of interference among the steered concepts, a row for each way to steer and scorer."""
    together: dict[str, list[tuple[_Family, str]]] = {}
    for family in families:
        way = [family.columns[name] for name in _WAY]
        for scorer in family.scorers:
            together.setdefault(digest_of([way, scorer]), []).append((family, scorer))
    for members in together.values():
        first, scorer = members[0]
        steered, random = ([family.moved(scorer, role) for family, _ in members] for role in _ROLES)
        concepts = sorted({one.steered for one in steered} & set(steered[0].by_concept))
        if len(concepts) < 2:
            continue
        yield {name: first.columns[name] for name in _WAY} | {
            "scorer": scorer,
            **_columns(interference_index(steered, concepts), "slope", ""),
            **(_random_index(random, steered, concepts) if first.random else {}),
        }


def _random_index(random: Sequence[Moved], steered: Sequence[Moved], concepts: Sequence[str]) -> Row:
    return _columns(interference_index(random, concepts, steered=steered), "random", "random_")


_ROLES: tuple[Role, Role] = ("steered", "random")
_WAY = ("method", "site", "layers", "kind", "scaling", "schedule", "alphas")


def _family_columns(family: Setting, members: Sequence[Setting]) -> Row:
    return {
        "concept": family.pair.concept,
        "source": family.pair.source,
        "target": family.pair.target,
        "method": family.method,
        "site": family.site,
        "layers": list(family.layers),
        "kind": family.kind,
        "scaling": family.scaling,
        "schedule": family.course,
        "alphas": [setting.alpha for setting in members],
    }


def _columns(estimate: Estimate, name: str, prefix: str) -> Row:
    low, high = _number(estimate.low), _number(estimate.high)
    return {name: _number(estimate.value), f"{prefix}low": low, f"{prefix}high": high}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
