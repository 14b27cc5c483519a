"""Clips passed through the codec, as training and test data of scorers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.pocket.training.labelled_clips import FULL_SCALE, LabelledClips

BATCH = 4
"""More at once is no faster, and takes memory."""


def reconstructed_clips(path: Path, codec: Any, clips: LabelledClips, count: int) -> NDArray[np.int16]:
    """The first `count` clips, encoded and decoded; kept in a file, which appears whole or not at all.

    Returns:
        (count, samples), mapped from disk.
    """
    if not path.exists():
        shape = (min(count, len(clips)), clips.audio.shape[1])
        unfinished = path.with_suffix(".unfinished")
        memory = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.int16, shape=shape)
        for first in range(0, len(memory), BATCH):
            rows = slice(first, min(first + BATCH, len(memory)))
            memory[rows] = np.round(_reconstruct(codec, clips.samples(rows)) * FULL_SCALE)
        memory.flush()
        unfinished.rename(path)
    found: NDArray[np.int16] = np.load(path, mmap_mode="r")
    return found


@torch.inference_mode()
def _reconstruct(codec: Any, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, samples) to the same shape, within ±1."""
    codes, scale = codec.encode(torch.from_numpy(audio).unsqueeze(1))
    made = codec.decode(codes, scale)[:, 0, : audio.shape[1]]
    heard: NDArray[np.float32] = made.clamp(-1, 1).numpy()
    return np.pad(heard, ((0, 0), (0, audio.shape[1] - heard.shape[1])))
