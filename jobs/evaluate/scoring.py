"""Embed and score items that have no stored result yet, unit by unit, in workers that hold one scorer."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.dataset.roots import resolve_root, root_in_store
from jobs.engine.dispatch import Committed, Dispatcher, GivenUp, Lost, Outcome, Quarantined
from jobs.engine.inline_pool import InlinePool
from jobs.engine.progress import Tally, at_work_on
from jobs.engine.ray_pool import RayPool, Resources
from jobs.engine.ray_session import actors_that_fit, node_hosts, ray_session
from jobs.engine.stages import StageClock
from jobs.engine.tasks import Pool, Stopped, Task
from jobs.evaluate.items import WHOLE, Item, Items, units_of
from jobs.evaluate.listeners import ListenerSource, load_listener
from jobs.evaluate.records import heard_items, item_columns
from jobs.execution import Execution
from jobs.progress.reporting import Job
from pipelines.acceleration.freed_memory import keep_freed_memory
from pipelines.audio.clips import probe
from pipelines.audio.files import Root
from store.errors import InvalidInput, StorageError, is_the_machines
from store.opening import Store
from store.records import Failure, PlannedClip, Receipt
from store.results.generated_audio import read_sound_file

Result = TypeVar("Result")
Samples = NDArray[np.float32]
DECODE_THREADS = 2


@dataclass(frozen=True, slots=True)
class HearingPlan:
    """All a worker on any machine needs to know."""

    store_url: str
    root: Root
    dataset: str | None
    listener: str
    """As `load_listener` takes it; or any name, with a source."""
    device: str
    """"auto", "cpu" or "cuda"."""
    threads: int
    """Torch threads."""
    source: ListenerSource | None = None
    """Makes a listener that cannot be loaded by its name."""


@dataclass(frozen=True, slots=True)
class HeardReceipt(Receipt):
    """A receipt that also says which items could not be heard, and why."""

    failures: tuple[Failure, ...] = ()


class HearingWorker:
    """One listener on one device, shared by the units in flight."""

    def __init__(self, plan: HearingPlan) -> None:
        self._plan = plan
        self._stopping = threading.Event()

    def load(self) -> None:
        import torch

        from pipelines.audio.recordings import Recordings
        from store import open_store

        keep_freed_memory()
        plan = self._plan
        device = plan.device if plan.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        source = plan.source or partial(load_listener, plan.listener)
        self._compute = ThreadPoolExecutor(1, "compute", torch.set_num_threads, (plan.threads,))
        self._decoders = ThreadPoolExecutor(DECODE_THREADS, "decode")
        self._listener = self._on_compute_thread(partial(source, device=device))
        self._recordings = Recordings(plan.root, sample_rate=self._listener.sample_rate)
        self._store = open_store(plan.store_url)

    def stop(self) -> None:
        self._stopping.set()

    def run(self, task: Task) -> Receipt | None:
        if task.trial is not None:
            self._hear([clip for clip in task.unit.clips if clip.clip_id in task.trial], StageClock())
            return None
        clock = StageClock()
        deadly = [clip for clip in task.unit.clips if clip.clip_id in task.quarantined]
        failures = [_failure(clip, "worker", "WorkerDied", "it killed every worker") for clip in deadly]
        tables, silent = self._hear([clip for clip in task.unit.clips if clip not in deadly], clock)
        failures += silent
        with clock.stage("write"):
            size = self._write(pa.concat_tables(tables)) if tables else 0
        heard = len(task.unit.clips) - len(failures)
        return HeardReceipt(
            task.unit.unit_id,
            len(task.unit.clips),
            len(failures),
            size,
            heard > 0,
            clock.seconds,
            tuple(failures),
        )

    def _hear(self, clips: Sequence[PlannedClip], clock: StageClock) -> tuple[list[pa.Table], list[Failure]]:
        """Rows of the clips that can be decoded, in batches of equal length, and why the others cannot."""
        batches: dict[int, list[tuple[PlannedClip, Samples]]] = {}
        failures = []
        with clock.stage("decode"):
            for clip, heard in zip(clips, self._decoders.map(self._decode, clips), strict=True):
                if isinstance(heard, Failure):
                    failures.append(heard)
                else:
                    batches.setdefault(len(heard), []).append((clip, heard))
        tables = []
        for batch in batches.values():
            if self._stopping.is_set():
                raise Stopped("the job was stopped")
            items = [item_columns(clip, self._plan.dataset) for clip, _ in batch]
            audio = np.stack([samples for _, samples in batch])
            with clock.stage("forward"):
                tables.append(self._on_compute_thread(partial(self._listener.hear, items, audio)))
        return tables, failures

    def _decode(self, clip: PlannedClip) -> Samples | Failure:
        try:
            if self._plan.dataset is None:  # a clip of a dataset has a checksum of its own
                read_sound_file(self._store.objects, clip.uri)
            if clip.duration_seconds == WHOLE:
                with self._plan.root.open(clip.uri) as file:
                    clip = replace(clip, duration_seconds=probe(file).seconds)
            return self._recordings.decode(clip)
        except Exception as error:  # whatever one file does to its reader must not stop the others
            if isinstance(error, StorageError) or is_the_machines(error):
                raise
            return _failure(clip, "decode", type(error).__name__, str(error))

    def _write(self, table: pa.Table) -> int:
        """One part per unit; its name is made of what it holds, so that a unit done twice is written once."""
        from store.results.parts import write_results

        items: list[Mapping[str, Any]] = table.select(["item_id", "sha256"]).to_pylist()
        specification = {"listener": self._plan.listener.partition(":")[0], "version": self._listener.version}
        unique = sorted({(item["item_id"], item["sha256"] or "") for item in items})
        write_results(self._store, self._listener.kind, {**specification, "items": unique}, table)
        return int(table.nbytes)

    def _on_compute_thread(self, function: Callable[[], Result]) -> Result:
        return self._compute.submit(function).result()


def _failure(clip: PlannedClip, stage: str, error: str, message: str) -> Failure:
    return Failure(clip.clip_id, stage, error, message, clip.uri)


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
