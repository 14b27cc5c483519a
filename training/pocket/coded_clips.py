"""Clips as codes of the frozen codec, with their labels: the language model's training data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.synthesis.concepts import Factors
from training.pocket.captions import draw_caption
from training.pocket.clips import CLIP_SECONDS, Part, draw_clip, render_clip, specimen
from training.pocket.corpus import Corpus

AT_ONCE = 4
"""Clips of one pass of the encoder: larger batches leave a CPU's caches."""
LONG_SECONDS = 2 * CLIP_SECONDS


@dataclass(frozen=True, slots=True)
class CodedClips:
    """The codes of a part's clips, and their labels."""

    codes: NDArray[np.int16]
    """(N, K, T)."""
    labels: Sequence[Factors]

    @classmethod
    def read(cls, path: Path, part: Part) -> "CodedClips":
        """What `encode_corpus` wrote."""
        codes = np.load(path)
        return cls(codes, [specimen(draw_clip(part, index)).labels for index in range(len(codes))])

    def draw(self, generator: np.random.Generator, batch: int) -> tuple[torch.Tensor, list[str]]:
        """Random clips: codes (batch, K, T) and a new caption for each."""
        rows = generator.integers(len(self.codes), size=batch)
        captions = [draw_caption(self.labels[row], generator) for row in rows]
        return torch.from_numpy(self.codes[rows].astype(np.int64)), captions


def encode_corpus(path: Path, codec: Any, corpus: Corpus) -> None:
    """Write the codes of all clips of a part, once."""
    if not path.exists():
        batches = (
            range(first, min(first + AT_ONCE, len(corpus))) for first in range(0, len(corpus), AT_ONCE)
        )
        _save(path, _encode(codec, (np.stack([corpus.samples(row) for row in rows]) for rows in batches)))


def encode_long_clips(path: Path, codec: Any, clips: int) -> None:
    """Render the first training clips at `LONG_SECONDS` and write their codes, once."""
    if not path.exists():
        long = (render_clip(draw_clip("train", index), seconds=LONG_SECONDS) for index in range(clips))
        _save(path, _encode(codec, (_within_one(samples) for samples in long)))


def _within_one(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    return (samples[None] / 32767).astype(np.float32)


def _encode(codec: Any, audio: Iterator[NDArray[np.float32]]) -> NDArray[np.int16]:
    with torch.inference_mode():
        parts = [codec.encode(torch.from_numpy(samples)[:, None])[0] for samples in audio]
    return torch.cat(parts).to(torch.int16).numpy()


def _save(path: Path, codes: NDArray[np.int16]) -> None:
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        np.save(file, codes)
    unfinished.rename(path)
