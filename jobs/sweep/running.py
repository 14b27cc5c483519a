"""Make the generations that a sweep lacks: units through a pool of workers, committed whole."""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from jobs.engine.dispatch import Dispatcher, GivenUp
from jobs.engine.inline_pool import InlinePool
from jobs.engine.progress import Tally, at_work_on
from jobs.engine.ray_pool import RayPool
from jobs.engine.ray_session import node_hosts, ray_session
from jobs.engine.tasks import Pool, WorkerFactory
from jobs.extract.placement import local_workers, refuse_missing_gpu, worker_resources
from jobs.extract.planning import DTYPES
from jobs.extract.report import count
from jobs.generate.records import KIND, part_specification, stored_generations
from jobs.generate.specification import EditSpec, GenerationSpec
from jobs.sweep.directions import SweepDirections
from jobs.sweep.expansion import ExpandedSweep
from jobs.sweep.options import SweepOptions
from jobs.sweep.trials import SweepPlan, WantedStrengths, read_strengths, wanted_strengths
from jobs.sweep.worker import GenerationPlan, GenerationWorker, StrengthWorker
from pipelines.models.musicgen import describe_model
from store.errors import InvalidInput, JobFailed
from store.opening import Store
from store.records import PlannedClip, Unit
from store.results.parts import has_results


def cut_units(seconds: Mapping[str, float], unit: int, stored: Container[str]) -> list[Unit]:
    """Units of what is still to be made, given the length of each generation by id.

    They are cut from the whole sweep, so that two drivers at once cut the same ones.
    """
    every = list(seconds)
    units = []
    for first in range(0, len(every), unit):
        missing = [one for one in every[first : first + unit] if one not in stored]
        if missing:
            clips = tuple(PlannedClip(one, "", 0.0, seconds[one]) for one in missing)
            units.append(Unit(f"unit-{first // unit:06d}", first, clips))
    return units


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
) -> list[GivenUp]:
    ordered = sorted(wanted.values(), key=lambda one: (one.unsteered.generation_id, one.strength_id))
    units = cut_units({one.strength_id: one.unsteered.seconds for one in ordered}, options.unit, ())
    work = GenerationPlan(
        specs={one.unsteered.generation_id: one.unsteered for one in ordered},
        strengths=wanted,
        **_shared_work(store, expanded, directions, options, [edit for one in ordered for edit in one.edits]),
    )
    name, seconds = expanded.configuration.name, expanded.configuration.seconds
    tally = Tally(len(wanted), 0, seconds, what="strengths")
    with _pool(store, expanded.model_name, options, partial(StrengthWorker, work), len(units)) as pool:
        return _dispatch(pool, units, tally, title=f"sweep {name}, strengths")


def generate_missing(store: Store, plan: SweepPlan, options: SweepOptions) -> dict[str, Any]:
    """Make and commit every generation of the plan that the store lacks; returns counts.

    Raises:
        UndertoneError: no worker can be had; what is committed stays.
    """
    specs = plan.specs
    stored = stored_generations(store)
    units = cut_units({one: spec.seconds for one, spec in specs.items()}, options.unit, stored)
    missing = sum(len(unit.clips) for unit in units)
    tally = Tally(
        clips_total=len(specs),
        clips_before=len(specs) - missing,
        clip_seconds=plan.expanded.configuration.seconds,
        what="generations",
    )
    given_up: list[GivenUp] = []
    if units:
        work = partial(GenerationWorker, _worker_plan(store, plan, options, units))
        with _pool(store, plan.expanded.model_name, options, work, len(units)) as pool:
            committed = partial(_is_committed, store)
            title = f"sweep {plan.expanded.configuration.name}"
            given_up = _dispatch(pool, units, tally, title=title, is_committed=committed)
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
        counts["given_up"] = f"{len(given_up)} units, first {first.unit.unit_id}: {first.problem.message}"
    return counts


def _dispatch(
    pool: Pool,
    units: Sequence[Unit],
    tally: Tally,
    *,
    title: str,
    is_committed: Callable[[Unit], bool] = lambda _: False,
) -> list[GivenUp]:
    """Run units to their end; returns those that raised in every attempt."""
    given_up = []
    with at_work_on(tally, title=title) as report:
        for outcome in Dispatcher(pool, units, is_committed=is_committed).run():
            tally.see_workers(pool.workers())
            count(outcome, tally, report)
            if isinstance(outcome, GivenUp):
                given_up.append(outcome)
        tally.ended = time.monotonic()
    return given_up


def _is_committed(store: Store, unit: Unit) -> bool:
    """Whether another driver has written the part of this unit."""
    return has_results(store, KIND, part_specification(clip.clip_id for clip in unit.clips))


@contextmanager
def _pool(
    store: Store, model: str, options: SweepOptions, factory: WorkerFactory, units: int
) -> Iterator[Pool]:
    with ExitStack() as stack:
        if options.engine == "inline":
            pool: Pool = InlinePool(factory)
        else:
            stack.enter_context(ray_session(options.address))
            _refuse_private_folder(store, options)
            refuse_missing_gpu(options)
            resources, wanted = worker_resources(options, describe_model(model))
            pool = RayPool(factory, resources=resources, wanted=wanted, units=units)
        stack.callback(pool.close)
        yield pool


def _worker_plan(
    store: Store, plan: SweepPlan, options: SweepOptions, units: Sequence[Unit]
) -> GenerationPlan:
    wanted = {clip.clip_id: plan.specs[clip.clip_id] for unit in units for clip in unit.clips}
    edits = [edit for spec in wanted.values() for edit in spec.edits]
    return GenerationPlan(
        specs=wanted, strengths={}, **_shared_work(store, plan.expanded, plan.directions, options, edits)
    )


def _shared_work(
    store: Store,
    expanded: ExpandedSweep,
    directions: SweepDirections,
    options: SweepOptions,
    edits: Iterable[EditSpec],
) -> dict[str, Any]:
    named = {edit.vector_id for edit in edits}
    return {
        "store_url": store.url,
        "model": expanded.model_name,
        "vectors": {one: vector for one, vector in directions.vectors().items() if one in named},
        "sounds": {sound.prompt: sound.samples for sound in expanded.sounds.values()},
        "batch": options.batch,
        "device": options.device,
        "dtype": DTYPES[options.dtype],
        "threads": options.threads,
    }


def _refuse_private_folder(store: Store, options: SweepOptions) -> None:
    if store.objects.is_local and not options.shared_filesystem and len(node_hosts()) > 1:
        raise InvalidInput(
            f"{store.url!r} is a folder of this machine, but the Ray cluster has {len(node_hosts())} nodes. "
            "Use an object store (s3://…), or say --shared-filesystem if every node sees the same folder."
        )


MEASURED_SECONDS = 1.0
"""Length of the generations that are timed; time grows about with the length."""


def generating_time(
    plan: SweepPlan, missing: Sequence[GenerationSpec], options: SweepOptions
) -> dict[str, Any]:
    """Workers, and seconds that generating will take; fitting directions and scoring are not among them."""
    if not missing:
        return {"workers": 0, "generating_seconds": 0.0}
    from pipelines.models.musicgen import describe_model

    info = describe_model(plan.expanded.model_name)
    each = _seconds_per_second(plan.expanded.model_name, missing, options)
    workers = local_workers(options, info)
    total = each * sum(spec.seconds for spec in missing) / workers
    return {
        "workers": workers,
        "generating_seconds": round(total, 1),
        "estimated_from": f"a batch of {min(options.batch, len(missing))} generations of "
        f"{MEASURED_SECONDS:g} s on this machine, unsteered",
        "not_estimated": "starting workers, fitting directions, automatic strengths, and scoring: for short "
        "sounds these take longer than generating",
    }


def _seconds_per_second(model_name: str, missing: Sequence[GenerationSpec], options: SweepOptions) -> float:
    """Working time per second of audio, of one worker with a full batch."""
    import torch

    from jobs.generate.requests import request_of
    from pipelines.generation.generate import generate
    from pipelines.models.musicgen import load_musicgen

    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        model = load_musicgen(model_name, device=device, dtype=DTYPES[options.dtype])
        specs = [
            replace(spec.twin(), seconds=MEASURED_SECONDS, text="", audio_prompt=None)
            for spec in missing[: options.batch]
        ]
        requests = [request_of(spec, {}) for spec in specs]
        started = time.perf_counter()
        generate(model, requests, batch_size=options.batch)
        return (time.perf_counter() - started) / (len(requests) * MEASURED_SECONDS)
    finally:
        torch.set_num_threads(threads)
