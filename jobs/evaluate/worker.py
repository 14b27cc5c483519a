"""Worker of an evaluation: decode, embed or judge, and store one part of results per unit."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.engine.stages import StageClock
from jobs.engine.tasks import Stopped, Task
from jobs.evaluate.items import WHOLE
from jobs.evaluate.listeners import ListenerSource, load_listener
from jobs.evaluate.records import item_columns
from pipelines.acceleration.freed_memory import keep_freed_memory
from pipelines.audio.clips import probe
from pipelines.audio.files import Root
from store.errors import StorageError, is_the_machines
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
