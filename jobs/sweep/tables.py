"""Result tables of a sweep: its trials, their effects, and what steering one concept does to the others."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from analysis.effects.choice import Limits, limit_notes
from analysis.effects.effects import OF_CLASSES, PairEffects, effects_of, interval_notes, pooled_effects
from analysis.effects.interference import CrossEffect, cross_effects
from analysis.effects.paired_intervals import Estimate
from analysis.effects.records import Effect
from analysis.effects.scores import Scores
from analysis.effects.settings import ANYWHERE, Setting
from analysis.effects.trials import Trial, designs_of
from jobs.generate.specification import GenerationSpec
from jobs.sweep.grid import setting_id_of
from jobs.sweep.trials import SweepPlan
from store.catalog.asking import Catalog
from store.opening import Store
from store.results.parts import digest_of, write_results
from store.results.schemas import TABLES
from store.results.table import now

TRIALS = "sweep_generations"

Row = dict[str, Any]


def write_trials(store: Store, plan: SweepPlan) -> str:
    """Write the plan of a sweep as rows; returns the name of the part."""
    table = TABLES[TRIALS].of(_trial_rows(plan))
    return write_results(store, TRIALS, {"plan": plan.plan_id}, table)


def plan_columns(plan: SweepPlan) -> dict[str, Any]:
    """Columns that tell a sweep's rows from others'."""
    return {
        "sweep": plan.expanded.configuration.name,
        "sweep_id": plan.expanded.sweep_id,
        "plan_id": plan.plan_id,
        "run_id": plan.expanded.run_id,
    }


def mean_strength(specs: Sequence[GenerationSpec]) -> float:
    """Strength of steered generations, the mean over them and over their edits."""
    return float(np.mean([edit.alpha for spec in specs for edit in spec.edits]))


def _trial_rows(plan: SweepPlan) -> Iterator[dict[str, Any]]:
    unsteered = {one.condition: one.generation_id for one in plan.trials if one.role == "unsteered"}
    common = plan_columns(plan) | {
        "question": plan.expanded.configuration.question or None,
        "created_at": now(),
    }
    for trial in plan.trials:
        spec = plan.specs[trial.generation_id]
        yield common | _trial_row(trial, spec) | {"unsteered_id": unsteered[trial.condition]}


def _trial_row(trial: Trial, spec: GenerationSpec) -> dict[str, Any]:
    condition, setting = trial.condition, trial.setting
    described = {} if setting is None else _columns_of(setting)
    return described | {
        "generation_id": trial.generation_id,
        "role": trial.role,
        "part": condition.split,
        "concept": condition.pair.concept,
        "source": condition.pair.source,
        "target": condition.pair.target,
        "template": condition.template,
        "text": spec.text,
        "audio_prompt": condition.audio or None,
        "audio_seconds": spec.audio_prompt.seconds if spec.audio_prompt else None,
        "alpha": mean_strength([spec]) if setting else None,
        "random_state": condition.random_state,
    }


def _columns_of(setting: Setting) -> dict[str, Any]:
    return {
        "setting_id": setting_id_of(setting),
        "method": setting.method,
        "site": setting.site,
        "layers": list(setting.layers),
        "automatic": setting.automatic,
        "kind": setting.kind,
        "scaling": setting.scaling,
        "schedule": setting.course,
    }


def write_newest(store: Store, kind: str, sweep_id: str, rows: Sequence[Row]) -> None:
    """Write the rows of a sweep, unless its view shows just these.

    Views show the rows of a sweep that were written last. So the name of a part stands for the time too:
    what was found, replaced (by another type of numbers, another CLAP …) and found again is written again.

    Args:
        store: where to write.
        kind: "effects" or "cross_effects"; the view has the same name.
        sweep_id: of the sweep.
        rows: all that was found, without created_at.
    """
    schema = TABLES[kind].schema()
    found = TABLES[kind].of(rows).to_pylist()
    content = _content(found, schema)
    if content == _content(_shown(store, kind, sweep_id), schema):
        return
    written = now()
    table = TABLES[kind].of(row | {"created_at": written} for row in found)
    specification = {"sweep": sweep_id, "rows": content, "created_at": written.isoformat()}
    write_results(store, kind, specification, table)


def _shown(store: Store, kind: str, sweep_id: str) -> list[dict[str, Any]]:
    catalog = Catalog.of(store)
    return catalog.rows(f"FROM {kind} WHERE sweep_id = $sweep", sweep=sweep_id) if catalog.has(kind) else []


def _content(rows: Iterable[Row], schema: pa.Schema) -> str:
    """Stands for rows in any order, whenever they were written."""
    names = sorted(set(schema.names) - {"created_at"})
    return digest_of(sorted(digest_of([row.get(name) for name in names]) for row in rows))


EFFECTS = "effects"


@dataclass(frozen=True, slots=True)
class WrittenEffects:
    """How many effects were written, and what there is to say of them."""

    count: int
    interval_notes: list[str]
    """A sentence for each reason why effects have no interval."""
    limit_notes: list[str]
    """A phrase for each reason why limits of damage were not applied."""


def write_effects(store: Store, plan: SweepPlan, scores: Scores, choosers: Sequence[str]) -> WrittenEffects:
    """Compute and write the effects of a sweep; the first of the choosers that can tell chooses settings."""
    limits = plan.expanded.configuration.choice
    designs = designs_of(plan.trials)
    pairs = [effects_of(design, scores, choosers, limits) for design in designs]
    pooled = pooled_effects(designs, scores)
    described = _Described(plan)
    rows = [
        described.columns(one.setting) | effect_row(one, scores) | _judged_columns(one, pair, limits)
        for pair in pairs
        for one in pair.effects
    ]
    rows += [described.columns(one.setting) | effect_row(one, scores) for one in pooled]
    write_newest(store, EFFECTS, plan.expanded.sweep_id, rows)
    effects = [*(one for pair in pairs for one in pair.effects), *pooled]
    damages = {place: damage for pair in pairs for place, damage in pair.damages.items()}
    return WrittenEffects(len(rows), interval_notes(effects), limit_notes(damages, limits))


def effect_row(effect: Effect, scores: Scores) -> Row:
    """Columns of what was measured."""
    of_classes = effect.metric in OF_CLASSES
    concept = effect.measured_concept or effect.setting.pair.concept
    return {
        "part": effect.part,
        "scorer": effect.scorer,
        "scorer_version": scores.versions.get(effect.scorer),
        "scorer_accuracy": scores.accuracies.get((effect.scorer, concept)) if of_classes else None,
        "metric": effect.metric,
        "measured_concept": effect.measured_concept,
        "measured_class": effect.measured_class,
        "cells": effect.conditions,
        "missing": effect.missing,
        "prompts": effect.prompts,
        "random_states": effect.random_states,
        "without_interval": effect.without_interval,
        "unsteered": number(effect.unsteered),
        **interval_columns("value", effect.value, prefix=""),
        **{
            name: value
            for role, one in effect.controls.items()
            for name, value in interval_columns(role, one).items()
        },
        **{
            name: value
            for role, one in effect.over.items()
            for name, value in interval_columns(f"over_{role}", one).items()
        },
    }


def interval_columns(name: str, estimate: Estimate, *, prefix: str | None = None) -> Row:
    """Columns NAME, NAME_low and NAME_high, or others before low and high."""
    before = f"{name}_" if prefix is None else prefix
    low, high = number(estimate.low), number(estimate.high)
    return {name: number(estimate.value), f"{before}low": low, f"{before}high": high}


def number(value: float) -> float | None:
    """A number as tables have it: None where nobody knows it."""
    return float(value) if np.isfinite(value) else None


def _judged_columns(effect: Effect, pair: PairEffects, limits: Limits) -> Row:
    """Columns of what its setting costs, and of whether it is chosen."""
    damage, choice = pair.damages[effect.setting, effect.part], pair.choice
    return {
        "damage": damage.distance,
        "damage_limit": damage.limit,
        "without_limit": damage.unlimited(limits),
        "drone": damage.drone,
        "chosen": None if choice is None else effect.setting == choice.setting,
        "chosen_by": None if choice is None else choice.scorer,
    }


class _Described:
    """Columns that describe settings of a plan, each made once."""

    def __init__(self, plan: SweepPlan) -> None:
        self._plan, self._shared = plan, plan_columns(plan)
        self._known: dict[Setting, Row] = {}

    def columns(self, setting: Setting) -> Row:
        if setting not in self._known:
            self._known[setting] = self._shared | _setting_columns(setting, self._plan)
        return self._known[setting]


def _setting_columns(setting: Setting, plan: SweepPlan) -> Row:
    pair = setting.pair
    pooled = pair == ANYWHERE
    vectors = [
        plan.directions.steered(setting, target, layer) for target in pair.targets for layer in setting.layers
    ]
    return {
        "model": plan.expanded.model["name"],
        "setting_id": None if pooled else setting_id_of(setting),
        "concept": None if pooled else pair.concept,
        "source": None if pooled else pair.source,
        "target": None if pooled else pair.target,
        "method": setting.method,
        "penalty": _mean(one.penalty for one in vectors),
        "site": setting.site,
        "layer": setting.layers[0] if len(setting.layers) == 1 else None,
        "layers": list(setting.layers),
        "alpha": None if setting.automatic else setting.alpha,
        "mean_alpha": _mean_alpha(setting, plan),
        "kind": setting.kind,
        "scaling": setting.scaling,
        "schedule": setting.course,
        "rows": setting.rows,
        "cosine_to_mean_difference": _mean(one.cosine_to_mean_difference for one in vectors),
        "separability": _mean(one.separability for one in vectors),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean of the known ones."""
    known = [one for one in values if one is not None]
    return float(np.mean(known)) if known else None


def _mean_alpha(setting: Setting, plan: SweepPlan) -> float:
    """Of an automatic setting what was found, over all conditions; of one of all pairs, over all pairs."""
    if not isinstance(setting.alpha, str):
        return setting.alpha
    found = [
        plan.specs[one.generation_id]
        for one in plan.trials
        if one.role == "steered"
        and one.setting is not None
        and setting == replace(one.setting, pair=setting.pair)
        and setting.pair in (one.setting.pair, ANYWHERE)
    ]
    return mean_strength(found)


CROSS_EFFECTS = "cross_effects"


def write_cross_effects(store: Store, plan: SweepPlan, scores: Scores) -> int:
    """Compute and write the cross effects of a sweep; returns the number of rows."""
    common = plan_columns(plan)
    rows = [common | _cross_row(one) for one in cross_effects(designs_of(plan.trials), scores)]
    if rows:
        write_newest(store, CROSS_EFFECTS, plan.expanded.sweep_id, rows)
    return len(rows)


def _cross_row(effect: CrossEffect) -> Row:
    setting = effect.setting
    pooled = setting.pair == ANYWHERE
    return {
        "concept": None if pooled else setting.pair.concept,
        "source": None if pooled else setting.pair.source,
        "target": None if pooled else setting.pair.target,
        "method": setting.method,
        "site": setting.site,
        "layers": list(setting.layers),
        "kind": setting.kind,
        "scaling": setting.scaling,
        "schedule": setting.course,
        "alphas": list(effect.alphas),
        "scorer": effect.scorer,
        "measured_concept": effect.measured_concept,
        "measured_class": effect.measured_class,
        "without_interval": effect.without_interval,
        **interval_columns("slope", effect.slope, prefix=""),
        **interval_columns("random", effect.random),
    }
