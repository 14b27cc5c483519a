"""Worker of an extraction: decode, EnCodec, the model, copy to host, write shards, in overlapping stages.

Several units run at once on threads of the caller. Model calls go through one compute thread in order,
so while one unit computes, another decodes its audio and a third writes its shards.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from jobs.engine.stages import StageClock
from jobs.engine.tasks import Stopped, Task
from jobs.execution import resolved_device
from jobs.extract.code_source import Codes, CodeSource, Samples
from jobs.extract.heard_clips import AudioSource, HeardClips
from jobs.extract.host_copy import HostArrays, start_copy
from jobs.extract.melodies import Melodies
from jobs.extract.units import ExtractionUnit
from pipelines.acceleration.freed_memory import keep_freed_memory
from pipelines.audio.files import Root
from pipelines.capture import CaptureSpec
from pipelines.models.own_code import NamedModel
from pipelines.models.protocol import with_codes
from pipelines.number_range import RangeCounts
from store.errors import AudioError, InvalidInput, ModelError
from store.records import ClipStatus, Failure, ModelInfo, PlannedClip, Receipt, Unit

Result = TypeVar("Result")
Inputs = Codes | HeardClips

DECODE_THREADS = 2


@dataclass(frozen=True, slots=True)
class ExtractionPlan:
    """All a worker on any machine needs to know."""

    store_url: str
    run_id: str
    codes_key: str
    """"" for an encoder, which has none."""
    root: Root | None
    """Where the audio is; None where stored codes make it needless."""
    model: NamedModel
    capture: CaptureSpec
    melody: Samples | None
    """Samples (samples,) at the model's rate that condition all clips."""
    has_melodies: bool
    """Whether clips name melodies of their own."""
    last_block: int
    """The last decoder block that it needs."""
    device: str
    """"auto", "cpu" or "cuda"."""
    dtype: str
    batch_clips: int
    clip_seconds: float
    threads: int
    """Torch threads of the compute thread; fixed, since sums depend on it."""
    note_attempts: bool
    """Write down each unit that is begun: how an engine in one process finds the unit that killed it."""


class ExtractionWorker:
    """One model on one device, shared by the units in flight."""

    def __init__(self, plan: ExtractionPlan) -> None:
        self._plan = plan
        self._stopping = threading.Event()

    def load(self) -> None:
        import torch

        from pipelines.audio.clips import is_silent
        from pipelines.models.named import load_readable_model
        from store import open_store
        from store.arrays.collection import known_collection
        from store.arrays.encodings import read_dtype

        keep_freed_memory()
        plan = self._plan
        device = resolved_device(plan.device)
        self._compute = ThreadPoolExecutor(1, "compute", torch.set_num_threads, (plan.threads,))
        self._decoders = ThreadPoolExecutor(DECODE_THREADS, "decode")
        self._model = self._on_compute_thread(
            partial(
                load_readable_model,
                plan.model,
                device=device,
                dtype=plan.dtype,
                last_block=plan.last_block,
            )
        )
        if plan.melody is not None or plan.has_melodies:  # without its separator no clip could be computed
            conditions = with_codes(self._model).conditions
            tried = np.zeros(1, np.float32) if plan.melody is None else plan.melody
            self._on_compute_thread(partial(conditions.encode_melody, "", tried))
        self._melodies = Melodies(plan.root, self._model.info)
        store = open_store(plan.store_url)
        info = self._model.info
        self._run = known_collection(store.objects, f"runs/{plan.run_id}")
        _check_same(self._model.info, self._run.document["model"]["fingerprint"])
        self._dtypes = {name: read_dtype(spec) for name, spec in self._run.arrays.items()}
        decode, clip_samples = self._decoder(plan.root), round(plan.clip_seconds * info.sample_rate)
        self._audio = AudioSource(decode, is_silent, self._decoders, clip_samples)
        self._codes = plan.codes_key and CodeSource(
            known_collection(store.objects, f"codes/{plan.codes_key}"),
            decode=decode,
            encode=self._encode,
            is_silent=is_silent,
            decoders=self._decoders,
            clip_shape=(clip_samples,) if info.channels == 1 else (clip_samples, info.channels),
        )
        self._provenance = {
            "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
            "dtype": plan.dtype,
            "torch": torch.__version__,
            "backend": self._model.backend,
            "threads": plan.threads,
        }

    def _decoder(self, root: Root | None) -> Callable[[PlannedClip], Samples]:
        from pipelines.audio.recordings import Recordings
        from pipelines.audio.resampling import resampler

        if root is None:
            return _no_audio
        if resampler() != self._run.document["resampler"]:
            raise InvalidInput(
                f"This machine resamples with {resampler()}, the run with {self._run.document['resampler']}: "
                "their codes differ. Install the same version of soxr on all machines."
            )
        info = self._model.info
        return Recordings(root, sample_rate=info.sample_rate, channels=info.channels).decode

    def stop(self) -> None:
        self._stopping.set()

    def run(self, task: Task[ExtractionUnit]) -> Receipt[None] | None:
        if task.trial is not None:
            self._try(task.unit, task.trial)
            return None
        if self._plan.note_attempts:
            self._run.note_attempt(task.unit.unit_id)
        clock = StageClock()
        codes, statuses = self._inputs_of(task, clock)
        with self._run.begin(task.unit, provenance=self._provenance) as pending:
            counts = RangeCounts() if self._plan.dtype != "float32" else None
            for first, arrays in self._batches(task.unit, codes, statuses, clock, counts):
                _settle(arrays, statuses, self._dtypes, first=first)
                with clock.stage("write"):
                    for name, block in arrays.items():
                        pending.add(name, first, block)
            with clock.stage("write"):
                found = {} if counts is None else {"range": self._on_compute_thread(counts.told)}
                return pending.commit(statuses, clock.seconds, found=found)

    def _try(self, unit: ExtractionUnit, clip_ids: frozenset[str]) -> None:
        """Compute some clips of a unit and keep nothing."""
        part, clock = (
            Unit("trial", 0, tuple(clip for clip in unit.clips if clip.clip_id in clip_ids)),
            StageClock(),
        )
        codes = (
            self._codes.codes_of_some(unit, clip_ids, clock)
            if self._codes
            else self._audio.clips_of(part, clock)
        )
        unknown = [ClipStatus(clip.clip_id, "ok") for clip in part.clips]
        for _ in self._batches(part, codes, unknown, StageClock()):
            pass

    def _inputs_of(self, task: Task[ExtractionUnit], clock: StageClock) -> tuple[Inputs, list[ClipStatus]]:
        """What the model is run over, and what became of the clips; of audio, once a batch was asked for."""
        if self._codes:
            return self._codes.codes_of(task.unit, clock, quarantined=task.quarantined)
        heard = self._audio.clips_of(task.unit, clock, quarantined=task.quarantined)
        return heard, heard.statuses

    def _batches(
        self,
        unit: Unit,
        inputs: Inputs,
        statuses: list[ClipStatus],
        clock: StageClock,
        counts: RangeCounts | None = None,
    ) -> Iterator[tuple[int, HostArrays]]:
        """Yield (first clip, arrays by name), failed clips' slots included."""
        for first in range(0, len(unit.clips), self._plan.batch_clips):
            if self._stopping.is_set():
                raise Stopped("the job was stopped")
            last = first + self._plan.batch_clips
            clips = unit.clips[first:last]
            texts = [clip.text for clip in clips]
            batch = inputs[first:last]
            with clock.stage("decode"):
                melodies = self._melodies.of(clips, statuses, first) if self._plan.has_melodies else None
            with clock.stage("forward"):
                copy = self._on_compute_thread(partial(self._forward, batch, texts, melodies, counts))
                arrays = copy()
            yield first, arrays

    def _forward(
        self,
        batch: Codes | Samples,
        texts: Sequence[str],
        melodies: Sequence[Samples | None] | None,
        counts: RangeCounts | None,
    ) -> Callable[[], HostArrays]:
        from pipelines.capture import forward_activations, heard_activations
        from pipelines.models.protocol import as_encoder, with_codes

        if (encoder := as_encoder(self._model)) is not None:
            return start_copy(heard_activations(encoder, batch, self._plan.capture, counts=counts))
        codes = np.maximum(batch, 0)  # −1 where a clip failed
        model, plan = with_codes(self._model), self._plan
        heard = plan.melody if melodies is None else melodies
        return start_copy(forward_activations(model, codes, plan.capture, texts, melody=heard, counts=counts))

    def _encode(self, audio: Samples) -> Codes:
        import torch

        from pipelines.models.channels import as_batch
        from pipelines.models.protocol import with_codes

        def encode() -> Codes:
            batch = torch.from_numpy(as_batch(audio))
            codes: Codes = with_codes(self._model).encode(batch).cpu().numpy()
            return codes.astype(np.int16, copy=False)

        return self._on_compute_thread(encode)

    def _on_compute_thread(self, function: Callable[[], Result]) -> Result:
        return self._compute.submit(function).result()


def _check_same(info: ModelInfo, planned: str) -> None:
    """Raise ModelError where another model was loaded than the run was planned for."""
    if info.fingerprint != planned:
        raise ModelError(
            f"{info.name!r} is not the model that the run is of ({info.fingerprint[:12]} instead of "
            f"{planned[:12]}): its files changed or differ between machines, or its weights are drawn at "
            "random whenever it is loaded."
        )


def _no_audio(clip: PlannedClip) -> Samples:
    raise AudioError(f"{clip.uri!r} is needed, but nobody has said where the audio is: add --root.")


def _settle(arrays: HostArrays, statuses: list[ClipStatus], dtypes: Mapping[str, str], *, first: int) -> None:
    """Give a batch its stored types, and blank the rows of clips that failed, here or before.

    A value that is infinite, or becomes so in float16, fails its clip alone and says so.
    """
    for name, dtype in dtypes.items():
        with np.errstate(over="ignore"):
            block = arrays[name].astype(dtype, copy=False)
        arrays[name] = block
        for i in np.flatnonzero(~np.isfinite(block.reshape(len(block), -1)).all(axis=1)):
            status = statuses[first + i]
            if status.state != "failed":
                message = f"array {name} holds values that are not finite numbers in {dtype}"
                failure = Failure(status.clip_id, "forward", "OverflowError", message)
                statuses[first + i] = ClipStatus(status.clip_id, "failed", failure)
    size = len(next(iter(arrays.values())))
    failed = [i for i in range(size) if statuses[first + i].state == "failed"]
    for block in arrays.values():
        block[failed] = np.nan
