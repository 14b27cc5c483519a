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

from jobs.directions.stored import StoredVector
from jobs.engine.stages import StageClock
from jobs.engine.tasks import Stopped, Task
from jobs.generate.edits import ChosenEdits, find_strengths
from jobs.generate.records import audio_key, write_generations
from jobs.generate.requests import request_of
from jobs.generate.specification import AudioPrompt, GenerationSpec
from jobs.sweep.trials import FoundStrengths, WantedStrengths, write_strengths
from pipelines.acceleration.freed_memory import keep_freed_memory
from store.records import Receipt

if TYPE_CHECKING:
    from pipelines.generation.generate import GeneratedAudio


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """All a worker on any machine needs to know."""

    store_url: str
    model: str
    specs: Mapping[str, GenerationSpec]
    """By generation_id."""
    vectors: Mapping[str, StoredVector]
    """By vector_id, every direction that the specifications name."""
    sounds: Mapping[AudioPrompt, NDArray[np.float32]]
    """Samples (samples,) of their audio prompts, at the model's rate."""
    strengths: Mapping[str, WantedStrengths]
    """By strength_id, for a worker that finds strengths."""
    batch: int
    """Generations in a pass; decides speed and memory, and the sound only where two tokens tie."""
    device: str
    """"auto", "cpu" or "cuda"."""
    dtype: str
    threads: int


class GenerationWorker:
    """One model on one device."""

    def __init__(self, plan: GenerationPlan) -> None:
        self._plan = plan
        self._stopping = threading.Event()
        self._encoded: dict[AudioPrompt, NDArray[np.int16]] = {}

    def load(self) -> None:
        import torch

        from pipelines.models.musicgen import load_musicgen
        from store import open_store

        keep_freed_memory()
        plan = self._plan
        device = plan.device if plan.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self._compute = ThreadPoolExecutor(1, "compute", torch.set_num_threads, (plan.threads,))
        loading = self._compute.submit(load_musicgen, plan.model, device=device, dtype=plan.dtype)
        self._model = loading.result()
        self._store = open_store(plan.store_url)

    def stop(self) -> None:
        self._stopping.set()

    def run(self, task: Task) -> Receipt | None:
        wanted = [clip.clip_id for clip in task.unit.clips]
        if task.trial is not None:
            self._generate([one for one in wanted if one in task.trial], StageClock())
            return None
        clock = StageClock()
        usable = [one for one in wanted if one not in task.quarantined]
        made = self._generate(usable, clock)
        with clock.stage("write"):
            size = self._write(made)
        failed = len(wanted) - len(usable)
        return Receipt(task.unit.unit_id, len(wanted), failed, size, won=True, seconds=clock.seconds)

    def _generate(
        self, wanted: Sequence[str], clock: StageClock
    ) -> list[tuple[GenerationSpec, "GeneratedAudio"]]:
        from pipelines.generation.generate import generate

        specs = [self._plan.specs[one] for one in wanted]
        requests = [
            request_of(spec, self._plan.vectors, prompt_codes=self._codes(spec.audio_prompt))
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

    def _write(self, made: Sequence[tuple[GenerationSpec, "GeneratedAudio"]]) -> int:
        """Returns the bytes of the sounds."""
        if not made:
            return 0
        write_generations(self._store, made)
        sizes = (self._store.objects.size(audio_key(spec.generation_id)) for spec, _ in made)
        return sum(size or 0 for size in sizes)


@dataclass(frozen=True, slots=True)
class _Twins:
    by_id: "dict[str, GeneratedAudio]"

    def of(self, wanted: WantedStrengths) -> "GeneratedAudio":
        return self.by_id[wanted.unsteered.generation_id]


class StrengthWorker(GenerationWorker):
    """Finds automatic strengths on unsteered generations that are made anew.

    A unit's ids are those of wanted strengths; its one part of results is the commit marker.
    """

    def run(self, task: Task) -> Receipt | None:
        chosen = task.trial if task.trial is not None else {clip.clip_id for clip in task.unit.clips}
        wanted = [self._plan.strengths[one] for one in sorted(chosen - task.quarantined)]
        clock = StageClock()
        made = self._generate(list(dict.fromkeys(one.unsteered.generation_id for one in wanted)), clock)
        twins = _Twins({spec.generation_id: generated for spec, generated in made})
        with clock.stage("measure"):
            found = [(one, self._compute.submit(self._find, one, twins).result()) for one in wanted]
        if task.trial is not None:
            return None
        if found:
            write_strengths(self._store, found)
        total, failed = len(task.unit.clips), len(task.unit.clips) - len(found)
        return Receipt(task.unit.unit_id, total, failed, 0, won=True, seconds=clock.seconds)

    def _find(self, wanted: WantedStrengths, twins: _Twins) -> FoundStrengths:
        if self._stopping.is_set():
            raise Stopped("the job was stopped")
        vectors = {edit.vector_id: self._plan.vectors[edit.vector_id] for edit in wanted.edits}
        chosen = ChosenEdits(wanted.edits, vectors, frozenset(range(len(wanted.edits))))
        twin = twins.of(wanted)
        found = find_strengths(self._model, wanted.unsteered, chosen, twin, target_prompt=wanted.cap_text)
        return FoundStrengths(tuple(edit.alpha for edit in found.edits), found.cap)
