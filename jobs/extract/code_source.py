"""Codec tokens of a unit: read where they are stored, otherwise decoded, encoded and stored once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.engine.stages import StageClock, ahead
from jobs.extract.units import UNKNOWN_ROW, ExtractionUnit
from store.arrays.collection import Collection
from store.errors import is_the_machines
from store.records import ClipStatus, Failure, PlannedClip, Unit

Codes = npt.NDArray[np.int16]
Samples = npt.NDArray[np.float32]

BATCH_CLIPS = 16
"""Clips per EnCodec call. Fixed, since codes outlive the run that made them."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One clip's audio, or why there is none."""

    status: ClipStatus
    samples: Samples | None


class CodeSource:
    """Gives the codes of units; EnCodec works only for clips whose codes are not stored."""

    def __init__(
        self,
        codes: Collection,
        *,
        decode: Callable[[PlannedClip], Samples],
        encode: Callable[[Samples], Codes],
        is_silent: Callable[[Samples], bool],
        decoders: Executor,
        clip_shape: tuple[int, ...],
    ) -> None:
        """Build a source.

        Args:
            codes: the stored codes, one array "codes" of (clip, codebook, time).
            decode: gives a clip as samples of `clip_shape` or raises AudioError.
            encode: turns samples (B, *clip_shape) into codes (B, K, T).
            is_silent: tells whether a clip holds nothing audible.
            decoders: runs `decode`.
            clip_shape: of every clip at the model's rate: (samples,) or (samples, channels).
        """
        self._codes = codes
        self._decode = decode
        self._encode = encode
        self._is_silent = is_silent
        self._decoders = decoders
        self._clip_shape = clip_shape
        self._shape = codes.arrays["codes"].shape

    def codes_of(
        self, unit: ExtractionUnit, clock: StageClock, *, quarantined: frozenset[str] = frozenset()
    ) -> tuple[Codes, list[ClipStatus]]:
        """Codes (n, K, T) of a unit's clips, −1 where a clip failed, and what became of each clip.

        The unit says where its codes are or belong: neither plan nor markers of the codes are read.
        """
        own = unit.codes_unit
        if own is None:
            codes, statuses = self._gathered(unit, clock, quarantined)
        elif (marker := self._codes.find_marker(own)) is not None:
            with clock.stage("read codes"):
                codes, statuses = self._rows_of(own), list(marker.statuses)
        else:
            codes, statuses = self._fresh(own, clock, quarantined)
        for i, clip in enumerate(unit.clips):
            if clip.clip_id in quarantined:
                codes[i], statuses[i] = -1, killed(clip)
        return codes, statuses

    def codes_of_some(self, unit: ExtractionUnit, clip_ids: frozenset[str], clock: StageClock) -> Codes:
        """Codes of some clips of a unit, for a trial: nothing is stored."""
        places = [place for place, clip in enumerate(unit.clips) if clip.clip_id in clip_ids]
        own = unit.codes_unit
        rows = unit.codes_rows or (UNKNOWN_ROW,) * len(unit.clips)
        if own is not None and (marker := self._codes.find_marker(own)) is not None:
            failed = [status.state == "failed" for status in marker.statuses]
            rows = tuple(UNKNOWN_ROW if bad else own.first_row + place for place, bad in enumerate(failed))
        clips = tuple(unit.clips[place] for place in places)
        part = ExtractionUnit("trial", 0, clips, codes_rows=tuple(rows[place] for place in places))
        return self._gathered(part, clock, frozenset())[0]

    def _rows_of(self, own: Unit) -> Codes:
        rows = np.arange(own.first_row, own.first_row + len(own.clips))
        codes: Codes = self._codes.read_rows("codes", rows)
        return codes

    def _fresh(
        self, own: Unit, clock: StageClock, quarantined: frozenset[str]
    ) -> tuple[Codes, list[ClipStatus]]:
        codes, statuses = self._encode_all(own.clips, clock, quarantined)
        with clock.stage("write"), self._codes.begin(own, provenance={}) as pending:
            pending.add("codes", 0, codes)
            receipt = pending.commit(statuses, {})
        if not receipt.won:
            return self._rows_of(own), list(self._codes.marker(own).statuses)
        return codes, statuses

    def _gathered(
        self, unit: ExtractionUnit, clock: StageClock, quarantined: frozenset[str]
    ) -> tuple[Codes, list[ClipStatus]]:
        """A unit cut differently from the stored ones: read the rows that are known, compute the rest."""
        rows = np.array(unit.codes_rows, np.int64)
        known, rest = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0).tolist()
        codes = np.full((len(rows), *self._shape), -1, np.int16)
        if len(known):
            with clock.stage("read codes"):
                codes[known] = self._codes.read_rows("codes", rows[known])
        statuses = [
            ClipStatus(clip.clip_id, "silent" if clip.clip_id in unit.silent else "ok") for clip in unit.clips
        ]
        if rest:
            codes[rest], fresh = self._encode_all([unit.clips[i] for i in rest], clock, quarantined)
            for i, status in zip(rest, fresh, strict=True):
                statuses[i] = status
        return codes, statuses

    def _encode_all(
        self, clips: Sequence[PlannedClip], clock: StageClock, quarantined: frozenset[str]
    ) -> tuple[Codes, list[ClipStatus]]:
        codes = np.full((len(clips), *self._shape), -1, np.int16)
        statuses: list[ClipStatus] = []
        for first, batch in self._decoded_batches(clips, clock, quarantined):
            audio = np.zeros((len(batch), *self._clip_shape), np.float32)
            good = [i for i, clip in enumerate(batch) if clip.samples is not None]
            for i in good:
                audio[i] = batch[i].samples
            if good:  # failed clips keep their slot, so that batches never depend on failures
                with clock.stage("encode"):
                    codes[first : first + len(batch)][good] = self._encode(audio)[good]
            statuses += [clip.status for clip in batch]
        return codes, statuses

    def _decoded_batches(
        self, clips: Sequence[PlannedClip], clock: StageClock, quarantined: frozenset[str]
    ) -> Iterator[tuple[int, list[Decoded]]]:
        def decode(clip: PlannedClip) -> Decoded:
            is_left_out = clip.clip_id in quarantined
            return Decoded(killed(clip), None) if is_left_out else tried(clip, self._decode, self._is_silent)

        decoded = ahead(clips, decode, self._decoders, depth=2 * BATCH_CLIPS)
        for first in range(0, len(clips), BATCH_CLIPS):
            with clock.stage("decode"):
                batch = [next(decoded) for _ in clips[first : first + BATCH_CLIPS]]
            yield first, batch


def tried(
    clip: PlannedClip, decode: Callable[[PlannedClip], Samples], is_silent: Callable[[Samples], bool]
) -> Decoded:
    """A clip decoded, or why it could not be."""
    try:
        samples = decode(clip)
    except Exception as error:  # whatever one file does to its reader must not stop the others
        if is_the_machines(error):
            raise
        failure = Failure(clip.clip_id, "decode", type(error).__name__, str(error), clip.uri)
        return Decoded(ClipStatus(clip.clip_id, "failed", failure), None)
    return Decoded(ClipStatus(clip.clip_id, "silent" if is_silent(samples) else "ok"), samples)


def killed(clip: PlannedClip) -> ClipStatus:
    """Status of a clip that ended every worker that touched it."""
    message = "the worker process died each time it computed this clip; it is left out from now on"
    return ClipStatus(
        clip.clip_id, "failed", Failure(clip.clip_id, "worker", "WorkerDied", message, clip.uri)
    )
