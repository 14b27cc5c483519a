"""Workers that make a sweep's generations, and before them find the automatic strengths they need.

Of a unit many generations are made in a pass, then their sounds are written, then one part of rows. The part
is the commit marker: it is written last, holds every generation of the unit, and never changes.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jobs.engine.stages import StageClock
from jobs.engine.tasks import Batch, Item, Stopped, Task
from jobs.execution import resolved_device
from jobs.generate.edits import ChosenEdits, find_strengths
from jobs.generate.records import audio_key, write_generations
from jobs.generate.requests import request_of
from jobs.generate.specification import AudioPrompt, GenerationSpec
from jobs.sweep.trials import FoundStrengths, WantedStrengths, write_strengths
from pipelines.acceleration.freed_memory import keep_freed_memory
from store.records import Receipt
from store.results.fits import VectorRow

if TYPE_CHECKING:
    from pipelines.generation.generate import GeneratedAudio


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """All a worker on any machine needs to know."""

    store_url: str
    model: str
    vectors: Mapping[str, VectorRow]
    """By vector_id, every direction that the tasks name."""
    sounds: Mapping[AudioPrompt, NDArray[np.float32]]
    """Samples of their audio prompts as the model hears them, at its rate."""
    melodies: Mapping[str, NDArray[np.float32]]
    """Samples (samples,) at its rate of the melodies that they follow, by the hash of its file."""
    batch: int
    """Generations in a pass; decides speed and memory, and the sound only where two tokens tie."""
    device: str
    """"auto", "cpu" or "cuda"."""
    dtype: str
    threads: int


class _ModelWorker:
    """One model on one device, which generates what it is asked for."""

    def __init__(self, plan: GenerationPlan) -> None:
        self._plan = plan
        self._stopping = threading.Event()
        self._encoded: dict[AudioPrompt, NDArray[np.int16]] = {}

    def load(self) -> None:
        import torch

        from pipelines.models.named import load_named_model
        from store import open_store

        keep_freed_memory()
        plan = self._plan
        self._compute = ThreadPoolExecutor(1, "compute", torch.set_num_threads, (plan.threads,))
        loading = self._compute.submit(
            load_named_model, plan.model, device=resolved_device(plan.device), dtype=plan.dtype
        )
        self._model = loading.result()
        self._store = open_store(plan.store_url)

    def stop(self) -> None:
        self._stopping.set()

    def _generate(
        self, specs: Sequence[GenerationSpec], clock: StageClock
    ) -> list[tuple[GenerationSpec, "GeneratedAudio"]]:
        from pipelines.generation.generate import generate

        requests = [
            request_of(
                spec,
                self._plan.vectors,
                prompt_codes=self._codes(spec.audio_prompt),
                melody=self._plan.melodies[spec.melody_sha256] if spec.melody_sha256 else None,
            )
            for spec in specs
        ]
        with clock.stage("generate"):
            made = self._compute.submit(
                generate, self._model, requests, batch_size=self._plan.batch, progress=self._go_on
            ).result()
        return list(zip(specs, made, strict=True))

    def _codes(self, prompt: AudioPrompt | None) -> NDArray[np.int16] | None:
        """Codec tokens of an audio prompt, encoded once."""
        from pipelines.generation.generate import encode_prompt

        if prompt is None:
            return None
        if prompt not in self._encoded:
            samples = self._plan.sounds[prompt]
            self._encoded[prompt] = self._compute.submit(encode_prompt, self._model, samples).result()
        return self._encoded[prompt]

    def _go_on(self, done: int, total: int) -> None:
        if self._stopping.is_set():
            raise Stopped("the job was stopped")


class GenerationWorker(_ModelWorker):
    """Makes generations and commits them unit by unit."""

    def run(self, task: Task[Batch[GenerationSpec]]) -> Receipt[None] | None:
        specs = _usable(task)
        clock = StageClock()
        made = self._generate(specs, clock)
        if task.trial is not None:
            return None
        with clock.stage("write"):
            size = self._write(made)
        return _receipt(task, len(specs), size, clock)

    def _write(self, made: Sequence[tuple[GenerationSpec, "GeneratedAudio"]]) -> int:
        """Returns the bytes of the sounds."""
        if not made:
            return 0
        write_generations(self._store, made)
        sizes = (self._store.objects.size(audio_key(spec.generation_id)) for spec, _ in made)
        return sum(size or 0 for size in sizes)


class StrengthWorker(_ModelWorker):
    """Finds automatic strengths on unsteered generations that are made anew; one part commits a unit."""

    def run(self, task: Task[Batch[WantedStrengths]]) -> Receipt[None] | None:
        wanted = sorted(_usable(task), key=lambda one: one.strength_id)
        clock = StageClock()
        twins = {one.unsteered.generation_id: one.unsteered for one in wanted}
        made = {spec.generation_id: sound for spec, sound in self._generate(list(twins.values()), clock)}
        with clock.stage("measure"):
            found = [
                (one, self._compute.submit(self._find, one, made[one.unsteered.generation_id]).result())
                for one in wanted
            ]
        if task.trial is not None:
            return None
        if found:
            write_strengths(self._store, found)
        return _receipt(task, len(found), 0, clock)

    def _find(self, wanted: WantedStrengths, twin: "GeneratedAudio") -> FoundStrengths:
        if self._stopping.is_set():
            raise Stopped("the job was stopped")
        vectors = {edit.vector_id: self._plan.vectors[edit.vector_id] for edit in wanted.edits}
        chosen = ChosenEdits(wanted.edits, vectors, frozenset(range(len(wanted.edits))))
        found = find_strengths(self._model, wanted.unsteered, chosen, twin, target_prompt=wanted.cap_text)
        return FoundStrengths(tuple(edit.alpha for edit in found.edits), found.cap)


def _usable(task: Task[Batch[Item]]) -> list[Item]:
    """The items to compute: those of a trial, or all that do not kill their worker."""
    items = task.unit.items
    chosen = items.keys() if task.trial is None else task.trial
    return [item for name, item in items.items() if name in chosen and name not in task.quarantined]


def _receipt(task: Task[Batch[Item]], made: int, size: int, clock: StageClock) -> Receipt[None]:
    total = len(task.unit.items)
    return Receipt(task.unit.unit_id, total, total - made, size, won=True, seconds=clock.seconds)
