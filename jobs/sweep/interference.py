"""Cross effects of a sweep as rows of results/cross_effects: what steering one concept does to the others."""

from typing import Any

from analysis.effects.interference import CrossEffect, cross_effects
from analysis.effects.scores import Scores
from analysis.effects.settings import ANYWHERE
from analysis.effects.trials import designs_of
from jobs.sweep.effects import interval_columns
from jobs.sweep.table import plan_columns, write_newest
from jobs.sweep.trials import SweepPlan
from store.opening import Store
from store.results.schemas import TABLES

KIND = "cross_effects"

Row = dict[str, Any]

SCHEMA = TABLES[KIND].schema()


def write_cross_effects(store: Store, plan: SweepPlan, scores: Scores) -> int:
    """Compute and write the cross effects of a sweep; returns the number of rows."""
    common = plan_columns(plan)
    rows = [common | _row(one) for one in cross_effects(designs_of(plan.trials), scores)]
    if rows:
        write_newest(store, KIND, plan.expanded.sweep_id, rows, SCHEMA)
    return len(rows)


def _row(effect: CrossEffect) -> Row:
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
