"""Result tables of a sweep: its trials, their effects, and what steering one concept does to the others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

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
from store.results.sweeps import (
    CROSS_EFFECTS,
    EFFECTS,
    SWEEP_GENERATIONS,
    CrossEffectRow,
    EffectRow,
    ScorerAccuracyRow,
    SweepGenerationRow,
)
from store.results.table import Table, now


def write_trials(store: Store, plan: SweepPlan) -> str:
    """Write the plan of a sweep as rows; returns the name of the part."""
    table = SWEEP_GENERATIONS.of(_trial_rows(plan))
    return write_results(store, SWEEP_GENERATIONS.kind, {"plan": plan.plan_id}, table)


def mean_strength(specs: Sequence[GenerationSpec]) -> float:
    """Strength of steered generations, the mean over them and over their edits."""
    return float(np.mean([edit.alpha for spec in specs for edit in spec.edits]))


def _trial_rows(plan: SweepPlan) -> Iterator[SweepGenerationRow]:
    unsteered = {one.condition: one.generation_id for one in plan.trials if one.role == "unsteered"}
    of_plan = SweepGenerationRow(
        sweep=plan.expanded.configuration.name,
        sweep_id=plan.expanded.sweep_id,
        plan_id=plan.plan_id,
        question=plan.expanded.configuration.question or None,
        run_id=plan.expanded.run_id,
        created_at=now(),
    )
    for trial in plan.trials:
        row = _trial_row(of_plan, trial, plan.specs[trial.generation_id], unsteered[trial.condition])
        yield row if trial.setting is None else _with_setting(row, trial.setting)


def _trial_row(
    of_plan: SweepGenerationRow, trial: Trial, spec: GenerationSpec, unsteered_id: str
) -> SweepGenerationRow:
    condition = trial.condition
    return replace(
        of_plan,
        generation_id=trial.generation_id,
        unsteered_id=unsteered_id,
        role=trial.role,
        split=condition.split,
        concept=condition.pair.concept,
        source=condition.pair.source,
        target=condition.pair.target,
        template=condition.template,
        text=spec.text,
        audio_prompt=condition.audio or None,
        audio_seconds=spec.audio_prompt.seconds if spec.audio_prompt else None,
        alpha=mean_strength([spec]) if trial.setting else None,
        random_state=condition.random_state,
    )


def _with_setting(row: SweepGenerationRow, setting: Setting) -> SweepGenerationRow:
    return replace(
        row,
        setting_id=setting_id_of(setting),
        method=setting.method,
        site=setting.site,
        layers=setting.layers,
        automatic=setting.automatic,
        kind=setting.kind,
        scaling=setting.scaling,
        schedule=setting.course,
    )


Newest = TypeVar("Newest", EffectRow, CrossEffectRow, ScorerAccuracyRow)


def write_newest(store: Store, table: Table[Newest], sweep_id: str, rows: Sequence[Newest]) -> None:
    """Write the rows of a sweep, unless its view shows just these.

    Views show the rows of a sweep that were written last. So the name of a part stands for the rows it
    follows, too: what was found, replaced (by another type of numbers, another CLAP …) and found again is
    written again. After a kill before its record the same rows have the same name.

    Args:
        store: where to write.
        table: which results; the view has the same name.
        sweep_id: of the sweep.
        rows: all that was found, without created_at.
    """
    content = _content(table.of(rows).to_pylist(), table.schema())
    shown = _shown(store, table.kind, sweep_id)
    if content == _content(shown, table.schema()):
        return
    written, follows = now(), sorted({str(row["created_at"]) for row in shown})
    part = table.of(replace(row, created_at=written) for row in rows)
    specification = {"sweep": sweep_id, "rows": content, "follows": follows}
    write_results(store, table.kind, specification, part)


def _shown(store: Store, kind: str, sweep_id: str) -> list[dict[str, Any]]:
    catalog = Catalog.of(store)
    return catalog.rows(f"FROM {kind} WHERE sweep_id = $sweep", sweep=sweep_id) if catalog.has(kind) else []


def _content(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> str:
    """Stands for rows in any order, whenever they were written."""
    names = sorted(set(schema.names) - {"created_at"})
    return digest_of(sorted(digest_of([row.get(name) for name in names]) for row in rows))


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
        _with_choice(effect_row(described.row(one.setting), one, scores), one, pair, limits)
        for pair in pairs
        for one in pair.effects
    ]
    rows += [effect_row(described.row(one.setting), one, scores) for one in pooled]
    write_newest(store, EFFECTS, plan.expanded.sweep_id, rows)
    effects = [*(one for pair in pairs for one in pair.effects), *pooled]
    damages = {place: damage for pair in pairs for place, damage in pair.damages.items()}
    return WrittenEffects(len(rows), interval_notes(effects), limit_notes(damages, limits))


def effect_row(of_setting: EffectRow, effect: Effect, scores: Scores) -> EffectRow:
    """A row that describes a setting, with what was measured of it."""
    of_classes = effect.metric in OF_CLASSES
    concept = effect.measured_concept or effect.setting.pair.concept
    controls: dict[str, Any] = {}
    for role, one in effect.controls.items():
        controls |= interval_columns(role, one)
    for role, one in effect.over.items():
        controls |= interval_columns(f"over_{role}", one)
    return replace(
        of_setting,
        split=effect.split,
        scorer=effect.scorer,
        scorer_version=scores.versions.get(effect.scorer),
        scorer_accuracy=scores.accuracies.get((effect.scorer, concept)) if of_classes else None,
        metric=effect.metric,
        measured_concept=effect.measured_concept,
        measured_class=effect.measured_class,
        conditions=effect.conditions,
        missing=effect.missing,
        prompts=effect.prompts,
        random_states=effect.random_states,
        without_interval=effect.without_interval,
        unsteered=number(effect.unsteered),
        **interval_columns("value", effect.value, prefix=""),
        **controls,
    )


def interval_columns(name: str, estimate: Estimate, *, prefix: str | None = None) -> dict[str, Any]:
    """Columns NAME, NAME_low and NAME_high, or others before low and high."""
    before = f"{name}_" if prefix is None else prefix
    low, high = number(estimate.low), number(estimate.high)
    return {name: number(estimate.value), f"{before}low": low, f"{before}high": high}


def number(value: float) -> float | None:
    """A number as tables have it: None where nobody knows it."""
    return float(value) if np.isfinite(value) else None


def _with_choice(row: EffectRow, effect: Effect, pair: PairEffects, limits: Limits) -> EffectRow:
    """The row with what its setting costs, and whether it is chosen."""
    damage, choice = pair.damages[effect.setting, effect.split], pair.choice
    return replace(
        row,
        damage=damage.distance,
        damage_limit=damage.limit,
        without_limit=damage.unlimited(limits),
        drone=damage.drone,
        chosen=None if choice is None else effect.setting == choice.setting,
        chosen_by=None if choice is None else choice.scorer,
    )


class _Described:
    """Rows that describe settings of a plan, each made once."""

    def __init__(self, plan: SweepPlan) -> None:
        self._plan = plan
        self._of_plan = EffectRow(
            sweep=plan.expanded.configuration.name,
            sweep_id=plan.expanded.sweep_id,
            plan_id=plan.plan_id,
            run_id=plan.expanded.run_id,
            model=plan.expanded.model["name"],
        )
        self._known: dict[Setting, EffectRow] = {}

    def row(self, setting: Setting) -> EffectRow:
        if setting not in self._known:
            self._known[setting] = _setting_row(self._of_plan, setting, self._plan)
        return self._known[setting]


def _setting_row(of_plan: EffectRow, setting: Setting, plan: SweepPlan) -> EffectRow:
    pair = None if setting.pair == ANYWHERE else setting.pair
    vectors = [
        plan.directions.steered(setting, target, layer)
        for target in setting.pair.targets
        for layer in setting.layers
    ]
    return replace(
        of_plan,
        setting_id=setting_id_of(setting) if pair else None,
        concept=pair.concept if pair else None,
        source=pair.source if pair else None,
        target=pair.target if pair else None,
        method=setting.method,
        penalty=_mean(one.penalty for one in vectors),
        site=setting.site,
        layer=setting.layers[0] if len(setting.layers) == 1 else None,
        layers=setting.layers,
        alpha=None if isinstance(setting.alpha, str) else setting.alpha,
        mean_alpha=_mean_alpha(setting, plan),
        kind=setting.kind,
        scaling=setting.scaling,
        schedule=setting.course,
        rows=setting.rows,
        cosine_to_mean_difference=_mean(one.cosine_to_mean_difference for one in vectors),
        separability=_mean(one.separability for one in vectors),
    )


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


def write_cross_effects(store: Store, plan: SweepPlan, scores: Scores) -> int:
    """Compute and write the cross effects of a sweep; returns the number of rows."""
    of_plan = CrossEffectRow(
        sweep=plan.expanded.configuration.name,
        sweep_id=plan.expanded.sweep_id,
        plan_id=plan.plan_id,
        run_id=plan.expanded.run_id,
    )
    rows = [_cross_row(of_plan, one) for one in cross_effects(designs_of(plan.trials), scores)]
    if rows:
        write_newest(store, CROSS_EFFECTS, plan.expanded.sweep_id, rows)
    return len(rows)


def _cross_row(of_plan: CrossEffectRow, effect: CrossEffect) -> CrossEffectRow:
    setting = effect.setting
    pair = None if setting.pair == ANYWHERE else setting.pair
    return replace(
        of_plan,
        concept=pair.concept if pair else None,
        source=pair.source if pair else None,
        target=pair.target if pair else None,
        method=setting.method,
        site=setting.site,
        layers=setting.layers,
        kind=setting.kind,
        scaling=setting.scaling,
        schedule=setting.course,
        alphas=effect.alphas,
        scorer=effect.scorer,
        measured_concept=effect.measured_concept,
        measured_class=effect.measured_class,
        without_interval=effect.without_interval,
        **interval_columns("slope", effect.slope, prefix=""),
        **interval_columns("random", effect.random),
    )
