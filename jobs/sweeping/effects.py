"""Effects of a sweep: every metric of every setting with its interval, beside the same of its controls."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.paired_intervals import Estimate, Mask, crossed_interval, why_no_interval, witnesses
from jobs.sweeping.choice import DEFAULT_LIMITS, Limits, with_choice, with_damage
from jobs.sweeping.designs import PARTS, Design, Ids, Part, designs_of
from jobs.sweeping.metrics import METRICS, Metric, metrics_of
from jobs.sweeping.newest import write_newest
from jobs.sweeping.planning import SweepPlan
from jobs.sweeping.pooled import ANYWHERE, PooledDamage, pooled_damage
from jobs.sweeping.scores import Scores
from jobs.sweeping.settings import Role, Setting
from jobs.sweeping.table import mean_strength
from store.opening import Store
from store.results.schemas import TABLES

KIND = "effects"
OF_CLASSES = frozenset(METRICS) - {"similarity", "fad", "kad", "kad_clips", "level"}
"""Metrics that are what a scorer says of classes, or of physical descriptors."""

CONTROLS: tuple[Role, ...] = ("random", "text")
"""Directions that every setting stands beside."""

Row = dict[str, Any]

SCHEMA = TABLES[KIND].schema()


def write_effects(store: Store, plan: SweepPlan, scores: Scores) -> list[Row]:
    """Compute and write the effects of a sweep; returns the rows."""
    designs = designs_of(plan.members)
    limits = plan.configuration.choice
    rows = [row for design in designs for row in effects_of(design, plan, scores, limits)]
    rows += [_pooled_row(damage, plan, scores) for damage in pooled_damage(designs, scores)]
    write_newest(store, KIND, plan.sweep_id, rows, SCHEMA)
    return rows


def interval_notes(rows: Sequence[Row]) -> list[str]:
    """Sentences about effects that have no interval, a sentence for each reason."""
    reasons = Counter(str(row["without_interval"]) for row in rows if row.get("without_interval"))
    return [
        f"{count} of {len(rows)} effects have no interval: {reason} says nothing of others. Give a concept "
        "more texts, and the sweep more random_states: each half of the prompts needs two."
        for reason, count in reasons.items()
        if reason != "no sound"
    ]


def effects_of(design: Design, plan: SweepPlan, scores: Scores, limits: Limits = DEFAULT_LIMITS) -> list[Row]:
    """Every metric of every setting of a pair, and which setting is chosen."""
    metrics = metrics_of(design.pair, scores)
    shared = {setting: _shared_columns(setting, plan) for setting in design.settings}
    rows = [
        shared[setting] | row for part in PARTS for setting, row in _part_rows(design, metrics, part, scores)
    ]
    return with_choice(with_damage((_with_accuracy(row, scores) for row in rows), limits), limits)


def _with_accuracy(row: Row, scores: Scores) -> Row:
    """How well its scorer knows recordings of what it measured."""
    concept = str(row["measured_concept"] or row.get("concept"))
    of_classes = row["metric"] in OF_CLASSES
    return row | {"scorer_accuracy": scores.accuracies.get((row["scorer"], concept)) if of_classes else None}


def _part_rows(
    design: Design, metrics: Sequence[Metric], part: Part, scores: Scores
) -> Iterator[tuple[Setting, Row]]:
    twins = design.of("unsteered", None, part)
    if twins is None:
        return
    asked, units = design.of("prompt", None, part), design.units(part)
    for metric in metrics:
        shared = {
            "part": part,
            "scorer": metric.scorer,
            "scorer_version": scores.versions.get(metric.scorer),
            "metric": metric.name,
            "measured_concept": metric.measured_concept,
            "measured_class": metric.measured_class,
            **_interval("prompt", metric, asked, twins, units),
        }
        for setting in design.settings:
            steered = design.of("steered", setting, part)
            assert steered is not None
            controls = {role: design.of(role, setting, part) for role in CONTROLS}
            yield setting, shared | _beside_controls(metric, steered, controls, twins, units)


def _beside_controls(
    metric: Metric, steered: Ids, controls: Mapping[Role, Ids | None], twins: Ids, units: Sequence[str]
) -> Row:
    """All over the same cells: those where the sound, its controls and its twin are all measured."""
    known = metric.known(steered, twins) & metric.known(twins, twins)
    for control in controls.values():
        if control is not None:
            known &= metric.known(control, twins)
    prompts, states = witnesses(known, units)
    return {
        "cells": int(known.sum()),
        "missing": int((~known).sum()),
        "prompts": prompts,
        "random_states": states,
        "without_interval": why_no_interval(prompts, states),
        "unsteered": _number(metric.estimate(twins, twins, known).value),
        **_interval("value", metric, steered, twins, units, known),
    } | {
        column: value
        for role, control in controls.items()
        for column, value in {
            **_interval(role, metric, control, twins, units, known),
            **_over(role, metric, steered, control, twins, units, known),
        }.items()
    }


def _interval(
    name: str, metric: Metric, ids: Ids | None, twins: Ids, units: Sequence[str], known: Mask | None = None
) -> Row:
    """Columns NAME, NAME_low, NAME_high; of the value itself value, low, high."""
    prefix = "" if name == "value" else f"{name}_"
    if ids is None:
        return {name: None, f"{prefix}low": None, f"{prefix}high": None}
    return _columns(metric.estimate(ids, twins, known, units), name, prefix)


def _over(
    role: Role,
    metric: Metric,
    steered: Ids,
    control: Ids | None,
    twins: Ids,
    units: Sequence[str],
    known: Mask,
) -> Row:
    """The score of the steered minus that of a control, cell by cell."""
    if control is None:
        return {}
    one, other = (metric.contributions(ids, twins, known) for ids in (steered, control))
    return _columns(crossed_interval(one - other, units=units), f"over_{role}", f"over_{role}_")


def _columns(estimate: Estimate, name: str, prefix: str) -> Row:
    low, high = _number(estimate.low), _number(estimate.high)
    return {name: _number(estimate.value), f"{prefix}low": low, f"{prefix}high": high}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _pooled_row(damage: PooledDamage, plan: SweepPlan, scores: Scores) -> Row:
    return _shared_columns(damage.setting, plan) | {
        "setting_id": None,
        "part": "all",
        "concept": None,
        "source": None,
        "target": None,
        "scorer": "clap",
        "scorer_version": scores.versions.get("clap"),
        "metric": "fad",
        "cells": damage.sounds,
        "prompts": damage.prompts,
        "random_states": damage.states,
        "without_interval": why_no_interval(damage.prompts, damage.states),
        "unsteered": damage.distance.floor,
        **_columns(damage.steered, "value", ""),
        **_columns(damage.random, "random", "random_"),
    }


def _shared_columns(setting: Setting, plan: SweepPlan) -> Row:
    pair = setting.pair
    vectors = [
        plan.directions.steered(setting, target, layer) for target in pair.targets for layer in setting.layers
    ]
    separabilities = [one.separability for one in vectors if one.separability is not None]
    penalties = [one.strength for one in vectors if one.strength is not None]
    cosines = [one.cosine_to_mean_difference for one in vectors if one.cosine_to_mean_difference is not None]
    return {
        "sweep": plan.configuration.name,
        "sweep_id": plan.sweep_id,
        "plan_id": plan.plan_id,
        "run_id": plan.run_id,
        "model": plan.model["name"],
        "setting_id": setting.setting_id,
        "concept": pair.concept,
        "source": pair.source,
        "target": pair.target,
        "method": setting.method,
        "strength": float(np.mean(penalties)) if penalties else None,
        "site": setting.site,
        "layer": setting.layers[0] if len(setting.layers) == 1 else None,
        "layers": list(setting.layers),
        "alpha": None if setting.automatic else setting.alpha,
        "mean_alpha": _mean_alpha(setting, plan),
        "kind": setting.kind,
        "scaling": setting.scaling,
        "schedule": setting.course,
        "rows": setting.rows,
        "cosine_to_mean_difference": float(np.mean(cosines)) if cosines else None,
        "separability": float(np.mean(separabilities)) if separabilities else None,
    }


def _mean_alpha(setting: Setting, plan: SweepPlan) -> float:
    """Of an automatic setting what was found, over all cells; of one of all pairs, over all pairs."""
    if not isinstance(setting.alpha, str):
        return setting.alpha
    found = [
        one.spec
        for one in plan.members
        if one.role == "steered"
        and one.setting is not None
        and setting == replace(one.setting, pair=setting.pair)
        and setting.pair in (one.setting.pair, ANYWHERE)
    ]
    return mean_strength(found)
