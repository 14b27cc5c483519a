"""Cross effects of a sweep: how fast every class that is scored changes with the strength of a direction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.cross_effects import dose_slopes, interference_index
from analysis.paired_intervals import Estimate, crossed_interval
from jobs.results import digest_of
from jobs.sweeping.designs import Design, designs_of
from jobs.sweeping.newest import write_newest
from jobs.sweeping.planning import SweepPlan
from jobs.sweeping.scores import ScoreKey, Scores
from jobs.sweeping.settings import Role, Setting
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
    "low": (_NUMBER, "lower end of its 95 % interval over prompts and random states"),
    "high": (_NUMBER, "upper end"),
    "random": (_NUMBER, "control: the same with random directions"),
    "random_low": (_NUMBER, "lower end of its interval"),
    "random_high": (_NUMBER, "upper end"),
    "created_at": (pa.timestamp("us"), "when it was computed (UTC)"),
}  # fmt: skip
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"comment": comment}) for name, (kind, comment) in _COLUMNS.items()]
)


def write_cross_effects(store: Store, plan: SweepPlan, scores: Scores) -> int:
    """Compute and write the cross effects of a sweep; returns the number of rows."""
    keys = sorted(key for key in scores.numbers if key[3] == "probability")
    if not keys:
        return 0
    slopes = [row for design in designs_of(plan.members) for row in _of_design(design, scores, keys)]
    totals = list(_totals(slopes))
    common = {
        "sweep": plan.configuration.name,
        "sweep_id": plan.sweep_id,
        "plan_id": plan.plan_id,
        "run_id": plan.run_id,
    }
    rows = [row | common for row in [*slopes, *totals, *_indices(totals)]]
    write_newest(store, KIND, plan.sweep_id, rows, SCHEMA)
    return len(rows)


def _of_design(design: Design, scores: Scores, keys: Sequence[ScoreKey]) -> Iterator[Row]:
    families: dict[Setting, list[Setting]] = {}
    for setting in design.settings:
        if setting.automatic:  # has no strength that an effect could be divided by
            continue
        families.setdefault(replace(setting, alpha=0.0), []).append(setting)
    for family, members in families.items():
        for key in keys:
            slope = _slope(design, members, "steered", scores, key)
            control = _slope(design, members, "random", scores, key)
            yield {
                **_family_columns(family, members),
                "scorer": key[0],
                "measured_concept": key[1],
                "measured_class": key[2],
                **_columns(slope, "slope", ""),
                **(_columns(control, "random", "random_") if control else {}),
            }


def _slope(
    design: Design, settings: Sequence[Setting], role: Role, scores: Scores, key: ScoreKey
) -> Estimate | None:
    twins = scores.of(key, design.ids["unsteered", None])
    ids = [design.of(role, setting, "all") for setting in settings]
    changes = [scores.of(key, each) - twins for each in ids if each is not None]
    if len(changes) < len(settings):
        return None
    slopes = dose_slopes(np.array([setting.alpha for setting in settings]), np.stack(changes))
    return crossed_interval(slopes, units=design.units("all"))


def _totals(slopes: Sequence[Row]) -> Iterator[Row]:
    """What happens to a concept as a whole, a row for each that is measured."""
    together: dict[str, list[Row]] = {}
    for row in slopes:
        together.setdefault(digest_of([row[name] for name in _PLACE]), []).append(row)
    for rows in together.values():
        yield {name: rows[0][name] for name in _PLACE} | {
            "measured_class": None,
            "slope": _half_sum([row["slope"] for row in rows]),
            "random": _half_sum([row.get("random") for row in rows]),
        }


def _indices(totals: Sequence[Row]) -> Iterator[Row]:
    """The index of interference among the steered concepts, a row for each way to steer and scorer."""
    together: dict[str, list[Row]] = {}
    for row in totals:
        together.setdefault(digest_of([row[name] for name in _WAY]), []).append(row)
    for rows in together.values():
        concepts = sorted({row["concept"] for row in rows} & {row["measured_concept"] for row in rows})
        if len(concepts) > 1:
            yield {name: rows[0][name] for name in _WAY} | {
                "slope": _number(interference_index(_matrix(rows, concepts, "slope"))),
                "random": _number(interference_index(_matrix(rows, concepts, "random"))),
            }


def _matrix(rows: Sequence[Row], concepts: Sequence[str], column: str) -> NDArray[np.float64]:
    """Mean over the pairs of a concept, steered by measured."""
    cells = [
        [
            [row[column] for row in rows if (row["concept"], row["measured_concept"]) == (one, other)]
            for other in concepts
        ]
        for one in concepts
    ]
    return np.array(
        [[np.mean([np.nan if v is None else v for v in cell]) for cell in line] for line in cells]
    )


_WAY = ("method", "site", "layers", "kind", "scaling", "schedule", "alphas", "scorer")
_PLACE = ("concept", "source", "target", *_WAY, "measured_concept")


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


def _columns(estimate: Estimate | None, name: str, prefix: str) -> Row:
    if estimate is None:
        return {name: None}
    low, high = _number(estimate.low), _number(estimate.high)
    return {name: _number(estimate.value), f"{prefix}low": low, f"{prefix}high": high}


def _half_sum(slopes: Sequence[float | None]) -> float | None:
    known = [abs(slope) for slope in slopes if slope is not None]
    return sum(known) / 2 if len(known) == len(slopes) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
