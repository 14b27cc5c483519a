"""Which generation stands where in a sweep: rows of results/sweep_generations, for finding sounds."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.evaluation.records import now
from jobs.generation.specification import GenerationSpec
from jobs.results import write_results
from jobs.sweeping.members import Cell, Member
from jobs.sweeping.planning import SweepPlan
from store.opening import Store
from store.results.schemas import TABLES

KIND = "sweep_generations"

SCHEMA = TABLES[KIND].schema()
_OF_SETTINGS = ("setting_id", "method", "site", "automatic", "kind", "scaling")


def write_members(store: Store, plan: SweepPlan) -> str:
    """Write the plan of a sweep as rows; returns the name of the part."""
    table = pa.Table.from_pylist(list(_rows(plan)), schema=SCHEMA)
    return write_results(store, KIND, {"plan": plan.plan_id}, table)


def _rows(plan: SweepPlan) -> Iterator[dict[str, Any]]:
    unsteered = {_cell(m.cell): m.generation_id for m in plan.members if m.role == "unsteered"}
    common = {
        "sweep": plan.configuration.name,
        "sweep_id": plan.sweep_id,
        "plan_id": plan.plan_id,
        "question": plan.configuration.question or None,
        "run_id": plan.run_id,
        "created_at": now(),
    }
    for member in plan.members:
        yield common | _row(member) | {"unsteered_id": unsteered[_cell(member.cell)]}


def _row(member: Member) -> dict[str, Any]:
    cell, setting = member.cell, member.setting
    named = {name: getattr(setting, name) for name in _OF_SETTINGS} if setting else {}
    return named | {
        "generation_id": member.generation_id,
        "role": member.role,
        "part": cell.half,
        "concept": cell.pair.concept,
        "source": cell.pair.source,
        "target": cell.pair.target,
        "template": cell.template,
        "text": member.spec.text,
        "audio_prompt": cell.audio or None,
        "audio_seconds": member.spec.audio_prompt.seconds if member.spec.audio_prompt else None,
        "alpha": mean_strength([member.spec]) if setting else None,
        "random_state": cell.random_state,
        "layers": list(setting.layers) if setting else None,
        "schedule": setting.course if setting else None,
    }


def _cell(cell: Cell) -> tuple[Any, ...]:
    return cell.pair, cell.prompt, cell.random_state


def mean_strength(specs: Sequence[GenerationSpec]) -> float:
    """Strength of steered generations, the mean over them and over their edits."""
    return float(np.mean([edit.alpha for spec in specs for edit in spec.edits]))
