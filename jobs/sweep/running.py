"""Make the generations that a sweep lacks: units through a pool of workers, committed whole."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from jobs.engine.dispatch import Dispatcher, GivenUp
from jobs.engine.placement import local_workers, worker_pool
from jobs.engine.progress import counted
from jobs.engine.tally import Tally
from jobs.engine.tasks import Batch, batches
from jobs.execution import resolved_device
from jobs.extract.planning import DTYPES
from jobs.generate.records import KIND, part_specification, stored_generations
from jobs.generate.specification import EditSpec, GenerationSpec
from jobs.sweep.directions import SweepDirections
from jobs.sweep.expansion import ExpandedSweep
from jobs.sweep.options import SweepOptions
from jobs.sweep.trials import SweepPlan, WantedStrengths, read_strengths, wanted_strengths
from jobs.sweep.worker import GenerationPlan, GenerationWorker, StrengthWorker
from pipelines.models.named import describe_model
from store.errors import JobFailed
from store.errors import counted as amount
from store.opening import Store
from store.results.parts import has_results


def find_strengths(
    store: Store, expanded: ExpandedSweep, directions: SweepDirections, options: SweepOptions
) -> dict[str, tuple[float, ...]]:
    """The automatic strengths of a sweep by strength_id; those that are not stored are found and committed.

    Raises:
        UndertoneError: no worker can be had, or some strengths cannot be found; what is committed stays.
    """
    wanted = {one.strength_id: one for one in wanted_strengths(expanded, directions)}
    known = read_strengths(store) if wanted else {}
    missing = {name: one for name, one in wanted.items() if name not in known}
    if not missing:
        return known
    given_up = _find_missing(store, expanded, directions, options, missing)
    known = read_strengths(store)
    if missing.keys() - known.keys():
        said = given_up[0].problem.message if given_up else "their workers died"
        raise JobFailed(f"Some automatic strengths cannot be found: {said}")
    return known


def _find_missing(
    store: Store,
    expanded: ExpandedSweep,
    directions: SweepDirections,
    options: SweepOptions,
    wanted: Mapping[str, WantedStrengths],
) -> list[GivenUp[Batch[WantedStrengths]]]:
    ordered = sorted(wanted.values(), key=lambda one: (one.unsteered.generation_id, one.strength_id))
    units = list(batches({one.strength_id: one for one in ordered}, options.unit))
    edits = [edit for one in ordered for edit in one.edits]
    factory = partial(StrengthWorker, _worker_plan(store, expanded, directions, options, edits))
    model = describe_model(expanded.model_name)
    tally = Tally(len(wanted), 0, expanded.configuration.seconds, what="strengths")
    title = f"sweep {expanded.configuration.name}, strengths"
    with worker_pool(options, factory, units=len(units), urls=[store.url], model=model) as pool:
        outcomes = counted(
            Dispatcher(pool, units).run(), pool, tally, title=title, metrics_file=options.metrics_file
        )
        return [one for one in outcomes if isinstance(one, GivenUp)]


def generate_missing(store: Store, plan: SweepPlan, options: SweepOptions) -> dict[str, Any]:
    """Make and commit every generation of the plan that the store lacks; returns counts.

    Raises:
        UndertoneError: no worker can be had; what is committed stays.
    """
    specs = plan.specs
    units = list(batches(specs, options.unit, stored_generations(store)))
    missing = sum(len(unit.items) for unit in units)
    tally = Tally(
        total=len(specs),
        before=len(specs) - missing,
        item_seconds=plan.expanded.configuration.seconds,
        what="generations",
    )
    given_up: list[GivenUp[Batch[GenerationSpec]]] = []
    if units:
        edits = [edit for unit in units for spec in unit.items.values() for edit in spec.edits]
        work = _worker_plan(store, plan.expanded, plan.directions, options, edits)
        factory, model = partial(GenerationWorker, work), describe_model(plan.expanded.model_name)
        with worker_pool(options, factory, units=len(units), urls=[store.url], model=model) as pool:
            dispatcher = Dispatcher(pool, units, is_committed=partial(_is_committed, store))
            title = f"sweep {plan.expanded.configuration.name}"
            outcomes = counted(dispatcher.run(), pool, tally, title=title, metrics_file=options.metrics_file)
            given_up = [one for one in outcomes if isinstance(one, GivenUp)]
    # Counted in the store: a worker may die after it has committed a unit and before it can say so.
    generated = len(specs.keys() & stored_generations(store)) - (len(specs) - missing)
    counts: dict[str, Any] = {
        "generations": len(specs),
        "stored_before": len(specs) - missing,
        "generated": generated,
        "failed": missing - generated,
        "generations_per_second": tally.snapshot()["generations_per_second"],
    }
    if given_up:
        first = given_up[0]
        counts["given_up"] = (
            f"{amount(len(given_up), 'unit')}, first {first.unit.unit_id}: {first.problem.message}"
        )
    return counts


def _is_committed(store: Store, unit: Batch[GenerationSpec]) -> bool:
    """Whether another driver has written the part of this unit."""
    return has_results(store, KIND, part_specification(unit.item_ids))


def _worker_plan(
    store: Store,
    expanded: ExpandedSweep,
    directions: SweepDirections,
    options: SweepOptions,
    edits: Iterable[EditSpec],
) -> GenerationPlan:
    named = {edit.vector_id for edit in edits}
    return GenerationPlan(
        store_url=store.url,
        model=expanded.model_name,
        vectors={one: vector for one, vector in directions.vectors().items() if one in named},
        sounds={sound.prompt: sound.samples for sound in expanded.sounds.values()},
        melodies=expanded.melodies,
        batch=options.batch,
        device=options.device,
        dtype=DTYPES[options.dtype],
        threads=options.threads,
    )


MEASURED_SECONDS = 1.0
"""Length of the generations that are timed; time grows about with the length."""


def generating_time(
    plan: SweepPlan, missing: Sequence[GenerationSpec], options: SweepOptions
) -> dict[str, Any]:
    """Workers, and seconds that generating will take; fitting directions and scoring are not among them."""
    if not missing:
        return {"workers": 0, "generating_seconds": 0.0}
    from pipelines.models.named import describe_model

    info = describe_model(plan.expanded.model_name)
    each = _seconds_per_second(plan.expanded.model_name, missing, options)
    workers = local_workers(options, info)
    total = each * sum(spec.seconds for spec in missing) / workers
    return {
        "workers": workers,
        "generating_seconds": round(total, 1),
        "estimated_from": f"a batch of {amount(min(options.batch, len(missing)), 'generation')} of "
        f"{MEASURED_SECONDS:g} s on this machine, unsteered",
        "not_estimated": "starting workers, fitting directions, automatic strengths, and scoring: for short "
        "sounds these take longer than generating",
    }


def _seconds_per_second(model_name: str, missing: Sequence[GenerationSpec], options: SweepOptions) -> float:
    """Working time per second of audio, of one worker with a full batch."""
    import torch

    from jobs.generate.requests import request_of
    from pipelines.generation.generate import generate
    from pipelines.models.named import load_named_model

    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        model = load_named_model(
            model_name, device=resolved_device(options.device), dtype=DTYPES[options.dtype]
        )
        specs = [
            replace(spec.twin(), seconds=MEASURED_SECONDS, text="", audio_prompt=None, melody_sha256=None)
            for spec in missing[: options.batch]
        ]
        requests = [request_of(spec, {}) for spec in specs]
        started = time.perf_counter()
        generate(model, requests, batch_size=options.batch)
        return (time.perf_counter() - started) / (len(requests) * MEASURED_SECONDS)
    finally:
        torch.set_num_threads(threads)
