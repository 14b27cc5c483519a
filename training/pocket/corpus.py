"""The rendered training clips on disk, in shards that are read at random."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.pocket.clips import CLIP_SAMPLES, Part, draw_clip, render_clip

SHARD_CLIPS = 500


@dataclass(frozen=True, slots=True)
class Corpus:
    """The first clips of a part, as many as were rendered."""

    part: Part
    shards: tuple[NDArray[np.int16], ...]
    """Each (SHARD_CLIPS or less, CLIP_SAMPLES), mapped from disk."""

    def __len__(self) -> int:
        return sum(map(len, self.shards))

    def samples(self, index: int) -> NDArray[np.float32]:
        """One clip within ±1."""
        shard, row = divmod(index, len(self.shards[0]))
        samples: NDArray[np.float32] = self.shards[shard][row] / np.float32(32767)
        return samples

    def crops(self, generator: np.random.Generator, *, batch: int, samples: int) -> NDArray[np.float32]:
        """A random stretch of each of `batch` random clips: (batch, 1, samples)."""
        starts = generator.integers(CLIP_SAMPLES - samples + 1, size=batch)
        clips = generator.integers(len(self), size=batch)
        pairs = zip(clips, starts, strict=True)
        return np.stack([self.samples(clip)[None, start : start + samples] for clip, start in pairs])


def render_corpus(
    folder: Path, part: Part, clips: int, *, tell: Callable[[int], object] = lambda _done: None
) -> Corpus:
    """Renders what is missing; `tell` hears after each shard how many clips are there.

    A shard appears whole or not at all, so rendering goes on where it stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, clips, SHARD_CLIPS):
        last = min(first + SHARD_CLIPS, clips)
        path = folder / shard_name(part, first, last)
        if not path.exists():
            rendered = np.stack([render_clip(draw_clip(part, index)) for index in range(first, last)])
            unfinished = path.with_suffix(".unfinished")
            with unfinished.open("wb") as file:
                np.save(file, rendered)
            unfinished.rename(path)
        tell(last)
    return open_corpus(folder, part)


def open_corpus(folder: Path, part: Part) -> Corpus:
    """What has been rendered so far."""
    paths = sorted(folder.glob(f"{part}-*.npy"))
    return Corpus(part, tuple(np.load(path, mmap_mode="r") for path in paths))


def shard_name(part: Part, first: int, last: int) -> str:
    """Sorts in the order of the clips."""
    return f"{part}-{first:06d}-{last:06d}.npy"
