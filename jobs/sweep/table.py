"""Tables of a sweep: its generations in their places, and the rows that were found last."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from analysis.effects.settings import Setting
from analysis.effects.trials import Trial
from jobs.evaluate.records import now
from jobs.generate.specification import GenerationSpec
from jobs.sweep.grid import setting_id_of
from jobs.sweep.trials import SweepPlan
from store.catalog.asking import Catalog
from store.opening import Store
from store.results.parts import digest_of, write_results
from store.results.schemas import TABLES

KIND = "sweep_generations"

SCHEMA = TABLES[KIND].schema()
Row = Mapping[str, Any]


def write_trials(store: Store, plan: SweepPlan) -> str:
    """Write the plan of a sweep as rows; returns the name of the part."""
    table = pa.Table.from_pylist(list(_rows(plan)), schema=SCHEMA)
    return write_results(store, KIND, {"plan": plan.plan_id}, table)


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


def _rows(plan: SweepPlan) -> Iterator[dict[str, Any]]:
    unsteered = {one.condition: one.generation_id for one in plan.trials if one.role == "unsteered"}
    common = plan_columns(plan) | {
        "question": plan.expanded.configuration.question or None,
        "created_at": now(),
    }
    for trial in plan.trials:
        spec = plan.specs[trial.generation_id]
        yield common | _row(trial, spec) | {"unsteered_id": unsteered[trial.condition]}


def _row(trial: Trial, spec: GenerationSpec) -> dict[str, Any]:
    condition, setting = trial.condition, trial.setting
    described = {} if setting is None else _setting_columns(setting)
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


def _setting_columns(setting: Setting) -> dict[str, Any]:
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


def write_newest(store: Store, kind: str, sweep_id: str, rows: Sequence[Row], schema: pa.Schema) -> None:
    """Write the rows of a sweep, unless its view shows just these.

    Views show the rows of a sweep that were written last. So the name of a part stands for the time too:
    what was found, replaced (by another type of numbers, another CLAP …) and found again is written again.

    Args:
        store: where to write.
        kind: "effects" or "cross_effects"; the view has the same name.
        sweep_id: of the sweep.
        rows: all that was found, without created_at.
        schema: of the rows.
    """
    found = pa.Table.from_pylist(list(rows), schema=schema).to_pylist()
    content = _content(found, schema)
    if content == _content(_shown(store, kind, sweep_id), schema):
        return
    written = now()
    table = pa.Table.from_pylist([row | {"created_at": written} for row in found], schema=schema)
    specification = {"sweep": sweep_id, "rows": content, "created_at": written.isoformat()}
    write_results(store, kind, specification, table)


def _shown(store: Store, kind: str, sweep_id: str) -> list[dict[str, Any]]:
    catalog = Catalog.of(store)
    return catalog.rows(f"FROM {kind} WHERE sweep_id = $sweep", sweep=sweep_id) if catalog.has(kind) else []


def _content(rows: Iterable[Row], schema: pa.Schema) -> str:
    """Stands for rows in any order, whenever they were written."""
    names = sorted(set(schema.names) - {"created_at"})
    return digest_of(sorted(digest_of([row.get(name) for name in names]) for row in rows))
