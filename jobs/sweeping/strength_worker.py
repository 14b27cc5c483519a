"""Finds automatic strengths by units: unsteered generations made anew, then passes over their tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.engine.stages import StageClock
from jobs.engine.tasks import Stopped, Task
from jobs.generation.automatic import find_strengths
from jobs.generation.edit_options import ChosenEdits
from jobs.sweeping.strengths import FoundStrengths, WantedStrengths, write_strengths
from jobs.sweeping.worker import GenerationWorker
from store.records import Receipt

if TYPE_CHECKING:
    from pipelines.generation import GeneratedAudio


@dataclass(frozen=True, slots=True)
class _Twins:
    by_id: "dict[str, GeneratedAudio]"

    def of(self, wanted: WantedStrengths) -> "GeneratedAudio":
        return self.by_id[wanted.unsteered.generation_id]


class StrengthWorker(GenerationWorker):
    """A unit's ids are those of wanted strengths; its one part of results is the commit marker."""

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
