"""Which generation stands where in a sweep: rows of results/sweep_generations, for finding sounds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.evaluation.records import now
from jobs.generation.specification import GenerationSpec
from jobs.results import write_results
from jobs.sweeping.members import Cell, Member
from jobs.sweeping.planning import SweepPlan
from store.opening import Store

KIND = "sweep_generations"

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_COLUMNS: Mapping[str, tuple[pa.DataType, str]] = {
    "sweep": (_TEXT, "name of the sweep"),
    "sweep_id": (_TEXT, "hash of its file and run"),
    "plan_id": (_TEXT, "hash of all generations that were planned together; effects names those it is of"),
    "question": (_TEXT, "what the sweep's file asks; NULL: nothing"),
    "run_id": (_TEXT, "run whose directions steer"),
    "generation_id": (_TEXT, "the generation; its sound is audio/<generation_id>.flac"),
    "unsteered_id": (_TEXT, "generation of the same prompt and random state, unsteered"),
    "role": (_TEXT, "steered; random, text, prompt (controls); unsteered"),
    "part": (_TEXT, "half it belongs to: choose or report"),
    "concept": (_TEXT, "label column that is steered"),
    "source": (_TEXT, "class of the prompt"),
    "target": (_TEXT, "class that it is steered to; several joined by +"),
    "template": (_TEXT, "prompt with the class in braces"),
    "text": (_TEXT, "prompt as it was given to the model"),
    "audio_prompt": (_TEXT, "recording that is continued, as the sweep's file names it; NULL: none"),
    "audio_seconds": (_NUMBER, "so much of it, with which the sound begins; NULL: none"),
    "random_state": (_COUNT, "of the sampling noise"),
    "setting_id": (_TEXT, "setting, as in the view effects; NULL for unsteered and prompt"),
    "method": (_TEXT, "of the direction that the setting names"),
    "site": (_TEXT, "where it is steered"),
    "layers": (pa.list_(_COUNT), "the layers that are steered"),
    "alpha": (_NUMBER, "strength of steering; where it was found, the mean over layers"),
    "automatic": (pa.bool_(), "whether the strength was found and not given"),
    "kind": (_TEXT, "interpolate, add or ablate"),
    "scaling": (_TEXT, "norm, unit or norm_restored"),
    "schedule": (_TEXT, "strength over time, and the self-monitor if there is one"),
    "created_at": (pa.timestamp("us"), "when it was planned (UTC)"),
}  # fmt: skip
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"comment": comment}) for name, (kind, comment) in _COLUMNS.items()]
)
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
