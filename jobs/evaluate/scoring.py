"""Score items that have no stored result yet, unit by unit, in workers that hold one scorer."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.dataset.roots import resolve_root, root_in_store
from jobs.engine.dispatch import Committed, Dispatcher, GivenUp, Outcome
from jobs.engine.placement import worker_pool
from jobs.engine.progress import counted
from jobs.engine.stages import StageClock
from jobs.engine.tally import Tally
from jobs.engine.tasks import Batch, Stopped, Task, batches
from jobs.evaluate.items import WHOLE, Item, Items
from jobs.evaluate.records import scored_items
from jobs.evaluate.scorers import RowScorerSource, load_row_scorer
from jobs.execution import Execution, resolved_device
from pipelines.acceleration.freed_memory import keep_freed_memory
from pipelines.audio.clips import probe
from pipelines.audio.files import Root
from store.errors import StorageError, is_the_machines
from store.opening import Store
from store.records import Failure, Receipt
from store.results.generated_audio import read_sound_file

Result = TypeVar("Result")
Samples = NDArray[np.float32]
Failures = tuple[Failure, ...]

DECODE_THREADS = 2
UNIT_ITEMS = 128
"""A crash costs so many items, and a store gets one file for them."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What came of it."""

    stored_before: int
    scored: int
    failures: Failures
    seconds: float


@dataclass(frozen=True, slots=True)
class ScoringPlan:
    """All a worker on any machine needs to know, beside the items of its tasks."""

    store_url: str
    root: Root
    dataset: str | None
    scorer: str
    """As `load_row_scorer` takes it; or any name, with a source."""
    device: str
    """"auto", "cpu" or "cuda"."""
    threads: int
    """Torch threads."""
    source: RowScorerSource | None = None
    """Makes a scorer that cannot be loaded by its name."""


def score_items(
    store: Store,
    items: Items,
    scorer: str,
    version: str,
    options: Execution,
    *,
    source: RowScorerSource | None = None,
) -> Scoring:
    """Score the items of which this scorer has stored nothing; a second call has nothing left to do.

    Args:
        store: where results go.
        items: what to score.
        scorer: "clap:NAME", or the name of a scorer of sounds.
        version: the fingerprint of its weights and settings.
        options: engine, workers, device, roots.
        source: makes a scorer that cannot be loaded by its name.

    Raises:
        UndertoneError: the job cannot start or cannot go on; what was scored stays stored.
    """
    known = scored_items(store, scorer, version)
    missing = {item.item_id: item for item in items.members if (item.item_id, item.sha256) not in known}
    before = len(items.members) - len(missing)
    if not missing:
        return Scoring(before, 0, (), 0.0)
    root = audio_root(store, items, options.roots)
    plan = ScoringPlan(store.url, root, items.dataset, scorer, options.device, options.threads, source)
    units = list(batches(missing, UNIT_ITEMS))
    tally = Tally(total=len(missing), before=0, item_seconds=_seconds(missing.values()), what="sounds")
    failures: list[Failure] = []
    with worker_pool(
        options, partial(ScoringWorker, plan), units=len(units), urls=[store.url, root.url]
    ) as pool:
        title, outcomes = f"score ({scorer})", Dispatcher(pool, units).run()
        for outcome in counted(outcomes, pool, tally, title=title, metrics_file=options.metrics_file):
            failures += _failures_of(outcome)
    scored = len(missing) - len(failures)
    return Scoring(before, scored, tuple(failures), round(time.monotonic() - tally.started, 1))


def audio_root(store: Store, items: Items, roots: Sequence[str]) -> Root:
    """Where the sounds lie: with their dataset, or, for generations, in the store."""
    if items.dataset is None:
        return root_in_store(store)
    return resolve_root(store, store.dataset(items.dataset), roots)


class ScoringWorker:
    """One scorer on one device, shared by the units in flight."""

    def __init__(self, plan: ScoringPlan) -> None:
        self._plan = plan
        self._stopping = threading.Event()

    def load(self) -> None:
        import torch

        from pipelines.audio.recordings import Recordings
        from store import open_store

        keep_freed_memory()
        plan = self._plan
        source = plan.source or partial(load_row_scorer, plan.scorer)
        self._compute = ThreadPoolExecutor(1, "compute", torch.set_num_threads, (plan.threads,))
        self._decoders = ThreadPoolExecutor(DECODE_THREADS, "decode")
        self._scorer = self._on_compute_thread(partial(source, device=resolved_device(plan.device)))
        self._recordings = Recordings(
            plan.root, sample_rate=self._scorer.sample_rate, channels=self._scorer.channels
        )
        self._store = open_store(plan.store_url)

    def stop(self) -> None:
        self._stopping.set()

    def run(self, task: Task[Batch[Item]]) -> Receipt[Failures] | None:
        items = task.unit.items
        if task.trial is not None:
            self._score([items[one] for one in items if one in task.trial], StageClock())
            return None
        clock = StageClock()
        deadly = [item for one, item in items.items() if one in task.quarantined]
        failures = [_failure(item, "worker", "WorkerDied", "it killed every worker") for item in deadly]
        tables, unread = self._score([item for item in items.values() if item not in deadly], clock)
        failures += unread
        with clock.stage("write"):
            size = self._write(pa.concat_tables(tables)) if tables else 0
        total, failed = len(items), len(failures)
        return Receipt(
            task.unit.unit_id, total, failed, size, total > failed, clock.seconds, found=tuple(failures)
        )

    def _score(self, items: Sequence[Item], clock: StageClock) -> tuple[list[pa.Table], list[Failure]]:
        """Rows of the items that can be decoded, in batches of equal length, and why the others cannot."""
        by_length: dict[int, list[tuple[Item, Samples]]] = {}
        failures = []
        with clock.stage("decode"):
            for item, decoded in zip(items, self._decoders.map(self._decode, items), strict=True):
                if isinstance(decoded, Failure):
                    failures.append(decoded)
                else:
                    by_length.setdefault(len(decoded), []).append((item, decoded))
        tables = []
        for batch in by_length.values():
            if self._stopping.is_set():
                raise Stopped("the job was stopped")
            scored = Items(self._plan.dataset, tuple(item for item, _ in batch))
            audio = np.stack([samples for _, samples in batch])
            with clock.stage("forward"):
                tables.append(self._on_compute_thread(partial(self._scorer.rows_of, scored, audio)))
        return tables, failures

    def _decode(self, item: Item) -> Samples | Failure:
        clip = item.planned
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
            return _failure(item, "decode", type(error).__name__, str(error))

    def _write(self, table: pa.Table) -> int:
        """One part per unit; its name is made of what it holds, so that a unit done twice is written once."""
        from store.results.parts import write_results

        items = table.select(["item_id", "sha256"]).to_pylist()
        unique = sorted({(item["item_id"], item["sha256"] or "") for item in items})
        specification = {"scorer": self._plan.scorer.partition(":")[0], "version": self._scorer.version}
        write_results(self._store, self._scorer.kind, {**specification, "items": unique}, table)
        return int(table.nbytes)

    def _on_compute_thread(self, function: Callable[[], Result]) -> Result:
        return self._compute.submit(function).result()


def _failures_of(outcome: Outcome[Failures, Batch[Item]]) -> Failures:
    """The items that an outcome says cannot be scored."""
    match outcome:
        case Committed(receipt):
            return receipt.found or ()
        case GivenUp(unit, problem):
            return tuple(
                _failure(item, "worker", problem.error, problem.message) for item in unit.items.values()
            )
    return ()


def _failure(item: Item, stage: str, error: str, message: str) -> Failure:
    return Failure(item.item_id, stage, error, message, item.uri)


def _seconds(items: Iterable[Item]) -> float:
    """Mean length, of the items whose length is known."""
    known = [item.duration_seconds for item in items if item.duration_seconds]
    return sum(known) / len(known) if known else 0.0
