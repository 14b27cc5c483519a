"""Read the melodies that clips of a run name, each once while clips that follow it are computed."""

from collections.abc import Sequence
from functools import lru_cache

from jobs.extract.code_source import Samples
from pipelines.audio.clips import decode_whole
from pipelines.audio.files import Root
from store.errors import is_the_machines
from store.records import ClipStatus, Failure, ModelInfo, PlannedClip

KEPT = 64
"""Melodies that are kept as they were decoded."""


class Melodies:
    """Decodes melodies below the root of a dataset."""

    def __init__(self, root: Root | None, info: ModelInfo) -> None:
        self._root, self._info = root, info
        self._decoded = lru_cache(maxsize=KEPT)(self._decode)

    def of(
        self, clips: Sequence[PlannedClip], statuses: list[ClipStatus], first: int
    ) -> list[Samples | None]:
        """Melodies (samples,) at the model's rate of some clips, None where a clip has none.

        Args:
            clips: That are computed next.
            statuses: Of all clips of their unit; a clip whose melody cannot be read becomes a failed one.
            first: Place of the first of them in its unit.
        """
        found: list[Samples | None] = []
        for place, clip in enumerate(clips, first):
            samples = None
            if clip.melody and statuses[place].state != "failed":
                try:
                    samples = self._decoded(clip.melody)
                except Exception as error:  # whatever one file does to its reader must not stop the others
                    if is_the_machines(error):
                        raise
                    message = f"its melody cannot be read: {error}"
                    failure = Failure(clip.clip_id, "melody", type(error).__name__, message, clip.melody)
                    statuses[place] = ClipStatus(clip.clip_id, "failed", failure)
            found.append(samples)
        return found

    def _decode(self, uri: str) -> Samples:
        """As long at most as the model was trained for."""
        assert self._root is not None
        samples = decode_whole(self._root, uri, sample_rate=self._info.sample_rate)
        return samples[: round(self._info.max_seconds * self._info.sample_rate)]
