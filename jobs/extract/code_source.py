"""Codec tokens of a unit: read where they are stored, otherwise decoded, encoded and stored once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.engine.stages import StageClock, ahead
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
        clip_samples: int,
    ) -> None:
        """Build a source.

        Args:
            codes: the stored codes, one array "codes" of (clip, codebook, time).
            decode: gives a clip as mono samples (clip_samples,) or raises AudioError.
            encode: turns samples (B, clip_samples) into codes (B, K, T).
            is_silent: tells whether a clip holds nothing audible.
            decoders: runs `decode`.
            clip_samples: length of every clip at the model's rate.
        """
        self._codes = codes
        self._decode = decode
        self._encode = encode
        self._is_silent = is_silent
        self._decoders = decoders
        self._clip_samples = clip_samples
        self._shape = codes.arrays["codes"].shape
        self._units = {_clip_ids(unit.clips): unit for unit in codes.units()}

    def codes_of(
        self, unit: Unit, clock: StageClock, *, quarantined: frozenset[str] = frozenset()
    ) -> tuple[Codes, list[ClipStatus]]:
        """Codes (n, K, T) of a unit's clips, −1 where a clip failed, and what became of each clip."""
        own = self._units.get(_clip_ids(unit.clips))
        if own is None:
            codes, statuses = self._mixed(unit.clips, clock, quarantined)
        elif self._codes.is_committed(own.unit_id):
            with clock.stage("read codes"):
                codes, statuses = self._stored(own)
            if any(status.state == "failed" for status in statuses):
                codes, statuses = self._mended(own, codes, statuses)
        else:
            codes, statuses = self._fresh(own, clock, quarantined)
        for i, clip in enumerate(unit.clips):
            if clip.clip_id in quarantined:
                codes[i], statuses[i] = -1, killed(clip)
        return codes, statuses

    def _stored(self, unit: Unit) -> tuple[Codes, list[ClipStatus]]:
        codes: Codes = self._codes.read_unit("codes", unit)
        return codes, list(self._codes.marker(unit).statuses)

    def _mended(self, unit: Unit, codes: Codes, statuses: list[ClipStatus]) -> tuple[Codes, list[ClipStatus]]:
        """Clips that failed here may have been mended since: the newest row speaks for a clip."""
        self._codes.refresh()
        newest = self._codes.statuses()
        for i, clip in enumerate(unit.clips):
            if statuses[i].state == "failed" and newest[clip.clip_id].state != "failed":
                statuses[i] = newest[clip.clip_id]
                codes[i] = self._codes.read_clips("codes", [clip.clip_id])[0]
        return codes, statuses

    def _read(self, clips: Sequence[PlannedClip], statuses: Sequence[ClipStatus]) -> Codes:
        found = [i for i, status in enumerate(statuses) if status.state != "failed"]
        codes = np.full((len(clips), *self._shape), -1, np.int16)
        if found:
            codes[found] = self._codes.read_clips("codes", [clips[i].clip_id for i in found])
        return codes

    def _fresh(
        self, unit: Unit, clock: StageClock, quarantined: frozenset[str]
    ) -> tuple[Codes, list[ClipStatus]]:
        codes, statuses = self._encode_all(unit.clips, clock, quarantined)
        with clock.stage("write"), self._codes.begin(unit, provenance={}) as pending:
            pending.add("codes", 0, codes)
            receipt = pending.commit(statuses, {})
        return (codes, statuses) if receipt.won else self._stored(unit)

    def _mixed(
        self, clips: Sequence[PlannedClip], clock: StageClock, quarantined: frozenset[str]
    ) -> tuple[Codes, list[ClipStatus]]:
        """A unit cut differently from the stored ones: read what is there, compute the rest."""
        known = self._codes.statuses()
        statuses = [known.get(clip.clip_id, ClipStatus(clip.clip_id, "failed")) for clip in clips]
        codes = self._read(clips, statuses)
        rest = [i for i, status in enumerate(statuses) if status.state == "failed"]
        if rest:
            codes[rest], fresh = self._encode_all([clips[i] for i in rest], clock, quarantined)
            for i, status in zip(rest, fresh, strict=True):
                statuses[i] = status
        return codes, statuses

    def _encode_all(
        self, clips: Sequence[PlannedClip], clock: StageClock, quarantined: frozenset[str]
    ) -> tuple[Codes, list[ClipStatus]]:
        codes = np.full((len(clips), *self._shape), -1, np.int16)
        statuses: list[ClipStatus] = []
        for first, batch in self._decoded_batches(clips, clock, quarantined):
            audio = np.zeros((len(batch), self._clip_samples), np.float32)
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
            return Decoded(killed(clip), None) if clip.clip_id in quarantined else self._try_decode(clip)

        decoded = ahead(clips, decode, self._decoders, depth=2 * BATCH_CLIPS)
        for first in range(0, len(clips), BATCH_CLIPS):
            with clock.stage("decode"):
                batch = [next(decoded) for _ in clips[first : first + BATCH_CLIPS]]
            yield first, batch

    def _try_decode(self, clip: PlannedClip) -> Decoded:
        try:
            samples = self._decode(clip)
        except Exception as error:  # whatever one file does to its reader must not stop the others
            if is_the_machines(error):
                raise
            failure = Failure(clip.clip_id, "decode", type(error).__name__, str(error), clip.uri)
            return Decoded(ClipStatus(clip.clip_id, "failed", failure), None)
        return Decoded(ClipStatus(clip.clip_id, "silent" if self._is_silent(samples) else "ok"), samples)


def killed(clip: PlannedClip) -> ClipStatus:
    """Status of a clip that ended every worker that touched it."""
    message = "the worker process died each time it computed this clip; it is left out from now on"
    return ClipStatus(
        clip.clip_id, "failed", Failure(clip.clip_id, "worker", "WorkerDied", message, clip.uri)
    )


def _clip_ids(clips: Sequence[PlannedClip]) -> tuple[str, ...]:
    return tuple(clip.clip_id for clip in clips)
