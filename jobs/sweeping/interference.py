"""Cross effects of a sweep as rows of results/cross_effects: what steering one concept does to the others."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from analysis.effects.interference import CrossEffect, cross_effects
from analysis.effects.scores import Scores
from analysis.effects.settings import ANYWHERE
from analysis.effects.trials import designs_of
from jobs.sweeping.effects import interval_columns
from jobs.sweeping.table import plan_columns, write_newest
from jobs.sweeping.trials import SweepPlan
from store.opening import Store

KIND = "cross_effects"

Row = dict[str, Any]

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_COLUMNS: Mapping[str, tuple[pa.DataType, str]] = {
    "sweep": (_TEXT, "name of the sweep"),
    "sweep_id": (_TEXT, "hash of its file and run"),
    "plan_id": (_TEXT, "hash of its generations; see the view sweep_generations"),
    "run_id": (_TEXT, "run whose directions steer"),
    "concept": (_TEXT, "concept that is steered; NULL in rows of the index"),
    "source": (_TEXT, "class of the prompt"),
    "target": (_TEXT, "class that it is steered to"),
    "method": (_TEXT, "of the direction"),
    "site": (_TEXT, "where it is steered"),
    "layers": (pa.list_(_COUNT), "the layers that are steered"),
    "kind": (_TEXT, "interpolate, add or ablate"),
    "scaling": (_TEXT, "norm, unit or norm_restored"),
    "schedule": (_TEXT, "strength over time, and the self-monitor if there is one"),
    "alphas": (pa.list_(_NUMBER), "strengths that the slope is over"),
    "scorer": (_TEXT, "who measured: clap, judge or features"),
    "measured_concept": (_TEXT, "concept that is measured; NULL in rows of the index"),
    "measured_class": (_TEXT, "class that is measured; NULL: half the sum of |slope| over all classes"),
    "slope": (_NUMBER, "change of its probability per unit of strength; without concepts: the index"),
    "low": (_NUMBER, "lower end of its 95 % interval over prompts and random states; NULL with one of them"),
    "high": (_NUMBER, "upper end"),
    "without_interval": (_TEXT, "why a slope has no interval: one prompt, one random state, …; NULL: it has"),
    "random": (_NUMBER, "control: the same with random directions; of the index, over what steering moves"),
    "random_low": (_NUMBER, "lower end of its interval"),
    "random_high": (_NUMBER, "upper end"),
    "created_at": (pa.timestamp("us"), "when it was computed (UTC)"),
}  # fmt: skip
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"comment": comment}) for name, (kind, comment) in _COLUMNS.items()]
)


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
