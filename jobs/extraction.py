"""One extraction from plan to committed run: resolve, plan, dispatch, report."""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from jobs.dispatch import Committed, Dispatcher, GivenUp, Lost, Outcome, Quarantined
from jobs.estimate import array_bytes, measure_seconds_per_clip
from jobs.extract import ExtractOptions
from jobs.extraction_spec import (
    ExtractionSpec,
    parse_layers,
    parse_reductions,
    parse_sites,
    planned,
    template_fields,
)
from jobs.extraction_worker import ExtractionPlan, ExtractionWorker
from jobs.heartbeat import heartbeat
from jobs.inline_pool import InlinePool
from jobs.options import readable_bytes
from jobs.placement import local_workers, worker_resources
from jobs.progress import ProgressReport, Tally
from jobs.ray_pool import RayPool
from jobs.ray_session import node_hosts, ray_session
from jobs.roots import resolve_root
from jobs.tasks import Pool
from pipelines.capture import CaptureSpec
from pipelines.files import Root
from pipelines.musicgen import alignment_for, describe_model
from store import Store, open_store
from store.collection import Collection
from store.datasets import Dataset
from store.errors import InvalidInput, JobFailed
from store.records import PlannedClip, Unit

SUSPICIOUS_ATTEMPTS = 2
"""A unit that this many processes began and none ended is run apart from the driver."""
LEAST_FAILURES_TO_STOP = 50
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
FRESH_SECONDS = 30.0
"""A heartbeat younger than this belongs to a driver at work."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """A resolved extraction, ready to run."""

    options: ExtractOptions
    store: Store
    dataset: Dataset
    spec: ExtractionSpec
    clips: tuple[PlannedClip, ...]


def resolve(options: ExtractOptions) -> Extraction:
    """Turn options into a specification.

    Raises:
        UndertoneError: an option does not fit the dataset or the model.
    """
    store = open_store(options.store)
    dataset = store.dataset(options.dataset)
    info = describe_model(options.model)
    if Path(options.model).is_dir():  # a store names no paths of the machine it was made on
        info = replace(info, name=Path(options.model).resolve().name)
    clip_seconds = float(dataset.info["clip_seconds"])
    if clip_seconds > info.max_seconds:
        raise InvalidInput(
            f"Clips of dataset {dataset.name!r} last {clip_seconds:g} s; {info.name} takes at most "
            f"{info.max_seconds:g} s. Add the dataset again with a shorter --clip-seconds."
        )
    capture = CaptureSpec(
        sites=parse_sites(options.sites),
        layers=parse_layers(options.layers, info.layers),
        reductions=parse_reductions(options.reduce),
        segments=options.segments,
    )
    spec = ExtractionSpec(
        dataset=dataset.name,
        dataset_fingerprint=dataset.info["fingerprint"],
        clip_seconds=clip_seconds,
        model=info,
        capture=capture,
        alignment=alignment_for(info, clip_seconds),
        dtype=DTYPES[options.dtype],
        text=options.text,
        batch_clips=options.batch_clips,
        unit_clips=options.unit_clips,
        compression=options.compression,
    )
    clips = tuple(planned(clip, options.text) for clip in dataset.clips())
    if not clips:
        raise InvalidInput(
            f"Dataset {dataset.name!r} has no clips; its failures say why: undertone sql {options.store} "
            f"\"SELECT uri, error, message FROM failures WHERE dataset = '{dataset.name}'\""
        )
    return Extraction(options, store, dataset, spec, clips)


def describe_extraction(options: ExtractOptions) -> dict[str, Any]:
    """What the extraction would do: clips, units, bytes per array, time measured on one batch."""
    work = resolve(options)
    spec, clips = work.spec, len(work.clips)
    arrays = {array.name: array_bytes(array, clips) for array in spec.arrays()}
    codes = array_bytes(spec.codes_array(), clips)
    seconds = measure_seconds_per_clip(options, spec)
    workers = min(local_workers(options, spec.model), math.ceil(clips / spec.unit_clips))
    return {
        "run": spec.run_id(),
        "model": spec.model.name + (" (random weights)" if spec.model.random_weights else ""),
        "clips": clips,
        "units": math.ceil(clips / spec.unit_clips),
        "arrays": {name: readable_bytes(size) for name, size in arrays.items()},
        "codes": readable_bytes(codes),
        "total": readable_bytes(sum(arrays.values()) + codes),
        "bytes": sum(arrays.values()) + codes,
        "workers": workers,
        "estimated_seconds": round(clips * seconds / workers, 1),
        "estimated_from": "one batch on this machine, EnCodec and MusicGen, without decoding and writing",
    }


def run_extraction(options: ExtractOptions) -> dict[str, Any]:
    """Compute and commit every unit that is missing; return a summary.

    Raises:
        UndertoneError: the job cannot start or cannot go on; what is committed stays committed.
    """
    work = resolve(options)
    _announce(work)
    root = resolve_root(work.store, work.dataset, options.roots)
    run, codes = _create(work)
    if options.retry_failed:
        append_failed(run, codes, work.clips)
    missing = run.missing_units()
    tally = _tally(run, missing, work.spec.clip_seconds)
    given_up: list[GivenUp] = []
    if missing:
        with (
            _pool(work, _worker_plan(work, root), units=len(missing)) as pool,
            ProgressReport(tally, title=f"extract {work.dataset.name}") as report,
        ):
            for outcome in _drive(run, missing, pool, options):
                tally.see_workers(pool.workers())
                _count(outcome, tally, report)
                if isinstance(outcome, GivenUp):
                    given_up.append(outcome)
                _stop_if_sick(options, tally)
    return _summary(work, run, tally, given_up)


def _announce(work: Extraction) -> None:
    spec = work.spec
    if spec.model.random_weights:
        click.echo(f"Note: {spec.model.name} has random weights; its activations mean nothing.", err=True)
    leaks = template_fields(spec.text)
    if leaks:
        click.echo(
            f"Warning: the text condition names {', '.join(leaks)}: a probe for it can read the prompt "
            "instead of the music.",
            err=True,
        )


def _create(work: Extraction) -> tuple[Collection, Collection]:
    """The run and the codes it reads, planned; existing ones are opened."""
    spec = work.spec
    codes = work.store.create_codes(
        spec.codes_key(),
        document=spec.codes_document(),
        arrays=[spec.codes_array()],
        clips=[replace(clip, text="") for clip in work.clips],
        unit_clips=spec.unit_clips,
    )
    run = work.store.create_run(
        spec.run_id(),
        document=spec.document(),
        arrays=spec.arrays(),
        clips=work.clips,
        unit_clips=spec.unit_clips,
    )
    return run, codes


def append_failed(run: Collection, codes: Collection, clips: Sequence[PlannedClip]) -> list[Unit]:
    """Plan failed clips again, as supplementary units; those planned already but not done yet are left."""
    pending = {clip.clip_id for unit in run.missing_units() for clip in unit.clips}
    statuses = run.statuses()
    failed = [
        clip
        for clip in clips
        if clip.clip_id not in pending
        and clip.clip_id in statuses
        and statuses[clip.clip_id].state == "failed"
    ]
    if not failed:
        return []
    units = run.append_units(failed)
    known = codes.statuses()
    waiting = {clip.clip_id for unit in codes.missing_units() for clip in unit.clips}
    for unit in units:
        without = [c for c in unit.clips if c.clip_id in known and known[c.clip_id].state == "failed"]
        if len(without) == len(unit.clips) and not any(c.clip_id in waiting for c in without):
            codes.append_units([replace(clip, text="") for clip in unit.clips])
    return units


def _tally(run: Collection, missing: Sequence[Unit], clip_seconds: float) -> Tally:
    total = sum(len(unit.clips) for unit in run.units())
    left = sum(len(unit.clips) for unit in missing)
    return Tally(clips_total=total, clips_before=total - left, clip_seconds=clip_seconds)


def _worker_plan(work: Extraction, root: Root) -> ExtractionPlan:
    options, spec = work.options, work.spec
    return ExtractionPlan(
        store_url=work.store.url,
        run_id=spec.run_id(),
        codes_key=spec.codes_key(),
        root=root,
        model=f"{spec.model.name}@{spec.model.revision}" if spec.model.revision else options.model,
        capture=spec.capture,
        device=options.device,
        dtype=spec.dtype,
        batch_clips=spec.batch_clips,
        clip_seconds=spec.clip_seconds,
        threads=options.threads,
        note_attempts=options.engine == "inline",
    )


@contextmanager
def _pool(work: Extraction, plan: ExtractionPlan, *, units: int) -> Iterator[Pool]:
    """Workers for the block; none is left after it, also on Ctrl-C."""
    options = work.options
    factory = partial(ExtractionWorker, plan)
    with ExitStack() as stack:
        if options.engine == "inline":
            pool: Pool = InlinePool(factory)
        else:
            stack.enter_context(ray_session(options.address))
            _refuse_private_paths(work, plan.root)
            resources, wanted = worker_resources(options, work.spec.model)
            pool = RayPool(factory, resources=resources, wanted=wanted, units=units)
        stack.callback(pool.close)
        yield pool


def _refuse_private_paths(work: Extraction, root: Root) -> None:
    """Workers on other nodes must reach the store and the audio."""
    if work.options.shared_filesystem or len(node_hosts()) < 2:
        return
    private = {work.store.url: work.store.objects.is_local, root.url: root.is_local}
    local = [url for url, is_local in private.items() if is_local]
    if local:
        raise InvalidInput(
            f"{local[0]!r} is a folder of this machine, but the Ray cluster has {len(node_hosts())} nodes. Use an "
            "object store (s3://…), or say --shared-filesystem if every node sees the same folder there."
        )


def _drive(
    run: Collection, missing: Sequence[Unit], pool: Pool, options: ExtractOptions
) -> Iterator[Outcome]:
    """Dispatch the missing units; from the far end when another driver is already at it."""
    age = run.heartbeat_age_seconds()
    others = age is not None and age < FRESH_SECONDS
    suspects = frozenset(unit_id for unit_id, count in run.attempts().items() if count >= SUSPICIOUS_ATTEMPTS)
    dispatcher = Dispatcher(
        pool,
        reversed(missing) if others else missing,
        is_committed=lambda unit: run.is_committed(unit.unit_id),
        suspects=suspects if options.engine == "inline" else frozenset(),
    )
    with heartbeat(run):
        yield from dispatcher.run()


def _count(outcome: Outcome, tally: Tally, report: ProgressReport) -> None:
    match outcome:
        case Committed(receipt):
            tally.add(receipt)
        case Lost(unit, reason):
            tally.lost_workers += 1
            report.event("worker_lost", {"unit": unit.unit_id, "reason": reason})
        case Quarantined(unit, clip_ids):
            report.event("quarantined", {"unit": unit.unit_id, "clips": sorted(clip_ids)})
        case GivenUp(unit, problem):
            report.event(
                "given_up", {"unit": unit.unit_id, "error": problem.error, "message": problem.message}
            )
    report.update()


def _stop_if_sick(options: ExtractOptions, tally: Tally) -> None:
    limit = options.max_failures
    if limit is None:
        limit = max(LEAST_FAILURES_TO_STOP, tally.clips // 2)
    if tally.failed > limit:
        raise JobFailed(
            f"{tally.failed} of {tally.clips} clips failed, more than --max-failures {limit} allows. The reasons: "
            f'undertone sql {options.store} "SELECT stage, error, count(*) FROM failures GROUP BY ALL". '
            "What is committed stays; run the same command with a higher limit to go on."
        )


def _summary(work: Extraction, run: Collection, tally: Tally, given_up: Sequence[GivenUp]) -> dict[str, Any]:
    run.refresh()
    states = Counter(status.state for status in run.statuses().values())
    missing = run.missing_units()
    summary: dict[str, Any] = {
        "run": work.spec.run_id(),
        "model": work.spec.model.name + (" (random weights)" if work.spec.model.random_weights else ""),
        "clips": sum(states.values()),
        "failed": states["failed"],
        "silent": states["silent"],
        "written": readable_bytes(tally.bytes_written),
        "seconds": round(time.monotonic() - tally.started, 1),
        "complete": not missing,
    }
    if given_up:
        first = given_up[0]
        summary["given_up"] = f"{len(given_up)} units, first {first.unit.unit_id}: {first.problem.message}"
    if states["failed"]:
        summary["next"] = (
            "extract --retry-failed tries the failed clips again; view failures tells why they failed"
        )
    return summary
