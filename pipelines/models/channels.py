"""Codebooks of several channels in one model: left 0, right 0, left 1, right 1 and so on in stereo MusicGen.

Its codec is a mono one, which hears every channel by itself. One channel is the case where nothing changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

NAMES = {1: "mono", 2: "stereo"}


def require_channels(audio: torch.Tensor, channels: int) -> None:
    """Raise InvalidInput unless audio is (B, channels, samples)."""
    if audio.ndim != 3 or audio.shape[1] != channels:
        raise InvalidInput(
            f"Audio must be {NAMES[channels]}, of shape (B, {channels}, samples), not {tuple(audio.shape)}."
        )


def beside(codes: torch.Tensor, channels: int) -> torch.Tensor:
    """From codes of single channels (B · channels, K, T) to those of clips (B, K · channels, T)."""
    _, codebooks, frames = codes.shape
    apart = codes.reshape(-1, channels, codebooks, frames)
    return apart.transpose(1, 2).reshape(-1, codebooks * channels, frames)


def apart(codes: torch.Tensor, channels: int) -> torch.Tensor:
    """The inverse of `beside`."""
    _, codebooks, frames = codes.shape
    together = codes.reshape(-1, codebooks // channels, channels, frames)
    return together.transpose(1, 2).reshape(-1, codebooks // channels, frames)


def as_batch(clips: NDArray[np.float32]) -> NDArray[np.float32]:
    """From clips (B, samples) or (B, samples, channels), as they are decoded, to (B, channels, samples)."""
    return clips[:, None] if clips.ndim == 2 else clips.swapaxes(1, 2)


def as_sound(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """From (channels, samples), as a model gives it, to (samples,) or (samples, channels)."""
    return audio[0] if len(audio) == 1 else audio.T
