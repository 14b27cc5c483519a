"""Embeds and judges items that have no stored result yet, unit by unit."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from jobs.dataset.roots import resolve_root, root_in_store
from jobs.engine.dispatch import Committed, Dispatcher, GivenUp, Lost, Outcome, Quarantined
from jobs.engine.inline_pool import InlinePool
from jobs.engine.progress import Tally, at_work_on
from jobs.engine.ray_pool import RayPool, Resources
from jobs.engine.ray_session import actors_that_fit, node_hosts, ray_session
from jobs.engine.tasks import Pool
from jobs.evaluate.items import Item, Items, units_of
from jobs.evaluate.listeners import ListenerSource
from jobs.evaluate.stored import heard_items
from jobs.evaluate.worker import HeardReceipt, HearingPlan, HearingWorker
from jobs.execution import Execution
from jobs.progress.reporting import Job
from pipelines.audio.files import Root
from store.errors import InvalidInput
from store.opening import Store
from store.records import Failure

UNIT_ITEMS = 128
"""A crash costs so many items, and a store gets one file for them."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What came of it."""

    stored_before: int
    heard: int
    failures: tuple[Failure, ...]
    seconds: float


def hear_items(
    store: Store,
    items: Items,
    listener: str,
    version: str,
    options: Execution,
    *,
    source: ListenerSource | None = None,
) -> Hearing:
    """Hears the items of which nothing is stored for this listener; a second call has nothing left to do.

    Args:
        store: where results go.
        items: what to hear.
        listener: "clap:NAME", or the name of a scorer of sounds.
        version: the fingerprint of its weights and settings.
        options: engine, workers, device, roots.
        source: makes a listener that cannot be loaded by its name.

    Raises:
        UndertoneError: the job cannot start or cannot go on; what was heard stays stored.
    """
    known = heard_items(store, listener, version)
    missing = [item for item in items.members if (item.item_id, item.sha256) not in known]
    before = len(items.members) - len(missing)
    if not missing:
        return Hearing(before, 0, (), 0.0)
    root = audio_root(store, items, options.roots)
    plan = HearingPlan(store.url, root, items.dataset, listener, options.device, options.threads, source)
    units = list(units_of(missing, size=UNIT_ITEMS))
    tally = Tally(clips_total=len(missing), clips_before=0, clip_seconds=_seconds(missing))
    failures: list[Failure] = []
    title = f"listen ({listener})"
    with (
        worker_pool(plan, options, units=len(units)) as pool,
        at_work_on(tally, title=title) as report,
    ):
        for outcome in Dispatcher(pool, units).run():
            tally.see_workers(pool.workers())
            failures += _count(outcome, tally, report)
        tally.ended = time.monotonic()
    heard = len(missing) - len(failures)
    return Hearing(before, heard, tuple(failures), round(time.monotonic() - tally.started, 1))


def audio_root(store: Store, items: Items, roots: Sequence[str]) -> Root:
    """Where the sounds lie: with their dataset, or, for generations, in the store."""
    if items.dataset is None:
        return root_in_store(store)
    return resolve_root(store, store.dataset(items.dataset), roots)


@contextmanager
def worker_pool(plan: HearingPlan, options: Execution, *, units: int) -> Iterator[Pool]:
    """Workers for the block; none is left after it, also on Ctrl-C."""
    factory = partial(HearingWorker, plan)
    with ExitStack() as stack:
        if options.engine == "inline":
            pool: Pool = InlinePool(factory)
        else:
            stack.enter_context(ray_session(options.address))
            _refuse_private_paths(plan, options)
            resources = _resources(options)
            wanted: Callable[[], int] = partial(actors_that_fit, cpus=resources.cpus, gpus=resources.gpus)
            if options.workers:
                wanted = partial(int, options.workers)
            pool = RayPool(factory, resources=resources, wanted=wanted, units=units)
        stack.callback(pool.close)
        yield pool


def _resources(options: Execution) -> Resources:
    """A GPU (or the share asked for) where Ray has one, otherwise a core per torch thread."""
    import ray

    has_gpus = float(ray.cluster_resources().get("GPU", 0.0)) >= options.gpus_per_worker
    if options.device == "cuda" and not has_gpus and options.address == "local":
        raise InvalidInput("--device cuda: Ray sees no GPU on this machine. Use --device cpu.")
    on_gpu = options.device == "cuda" or (options.device == "auto" and has_gpus)
    return Resources(
        cpus=0.0 if on_gpu else float(options.threads), gpus=options.gpus_per_worker if on_gpu else 0.0
    )


def _refuse_private_paths(plan: HearingPlan, options: Execution) -> None:
    """Workers on other nodes must reach the store and the audio."""
    local = "://" not in plan.store_url or plan.root.is_local
    if local and not options.shared_filesystem and len(node_hosts()) > 1:
        raise InvalidInput(
            f"{plan.store_url!r} or its audio is in a folder of this machine, but the Ray cluster has "
            f"{len(node_hosts())} nodes. Use an object store, or say --shared-filesystem."
        )


def _count(outcome: Outcome, tally: Tally, report: Job) -> Sequence[Failure]:
    """Adds an outcome to the tally; returns the items that it says cannot be heard."""
    failures: Sequence[Failure] = ()
    match outcome:
        case Committed(HeardReceipt() as receipt):
            tally.add(receipt)
            failures = receipt.failures
        case Lost(unit, reason):
            tally.lost_workers += 1
            report.event("worker_lost", {"unit": unit.unit_id, "reason": reason})
        case Quarantined(unit, clip_ids):
            report.event("quarantined", {"unit": unit.unit_id, "items": sorted(clip_ids)})
        case GivenUp(unit, problem):
            tally.given_up += len(unit.clips)
            failures = [
                Failure(clip.clip_id, "worker", problem.error, problem.message, clip.uri)
                for clip in unit.clips
            ]
    report.update()
    return failures


def _seconds(items: Sequence[Item]) -> float:
    """Mean length, of the items whose length is known."""
    known = [item.duration_seconds for item in items if item.duration_seconds]
    return sum(known) / len(known) if known else 0.0
