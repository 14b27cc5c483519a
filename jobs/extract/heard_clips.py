"""Audio of a unit for an encoder, decoded batch by batch as it is asked for: nothing of it is stored."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from jobs.engine.stages import StageClock
from jobs.extract.code_source import Samples, killed, tried
from store.records import ClipStatus, PlannedClip, Unit


@dataclass(frozen=True, slots=True)
class AudioSource:
    """Gives the audio of units."""

    decode: Callable[[PlannedClip], Samples]
    """Gives a clip as mono samples (clip_samples,) or raises AudioError."""
    is_silent: Callable[[Samples], bool]
    decoders: Executor
    clip_samples: int

    def clips_of(
        self, unit: Unit, clock: StageClock, *, quarantined: frozenset[str] = frozenset()
    ) -> "HeardClips":
        """The clips of a unit; those in quarantine are failed ones."""
        return HeardClips(self, unit.clips, clock, quarantined)


class HeardClips:
    """Clips by position; slices of them are samples (n, clip_samples), 0 where a clip failed."""

    def __init__(
        self,
        source: AudioSource,
        clips: tuple[PlannedClip, ...],
        clock: StageClock,
        quarantined: frozenset[str],
    ) -> None:
        self._source, self._clips, self._clock, self._quarantined = source, clips, clock, quarantined
        self.statuses = [ClipStatus(clip.clip_id, "ok") for clip in clips]
        """What became of each clip; of those that no slice held yet nothing is known."""

    def __getitem__(self, part: slice) -> Samples:
        first, last, _ = part.indices(len(self._clips))
        clips = self._clips[first:last]
        audio = np.zeros((len(clips), self._source.clip_samples), np.float32)
        with self._clock.stage("decode"):
            for place, (status, samples) in enumerate(self._source.decoders.map(self._decoded, clips)):
                self.statuses[first + place] = status
                if samples is not None:
                    audio[place] = samples
        return audio

    def _decoded(self, clip: PlannedClip) -> tuple[ClipStatus, Samples | None]:
        if clip.clip_id in self._quarantined:
            return killed(clip), None
        decoded = tried(clip, self._source.decode, self._source.is_silent)
        return decoded.status, decoded.samples
