"""Reverberation: exponentially fading noise, the same for every clip (tinysoundfont has no reverb)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipelines.synthesis.streams import stream

DECAY_SECONDS = 1.2
"""Until the room is 60 dB down."""


def add_room(sound: NDArray[np.float32], *, share: float, sample_rate: int) -> NDArray[np.float32]:
    """Mixes the room into mono samples of the same length; `share` 0 is dry, 1 is the room alone."""
    response = impulse_response(sample_rate)
    size = 1 << (len(sound) + len(response) - 2).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)]
    mixed: NDArray[np.float32] = ((1 - share) * sound + share * wet).astype(np.float32)
    return mixed


@lru_cache(maxsize=4)
def impulse_response(sample_rate: int) -> NDArray[np.float32]:
    """Returns fading noise of unit energy, so that a click keeps its energy."""
    time = np.arange(round(DECAY_SECONDS * sample_rate)) / sample_rate
    noise = stream("room").standard_normal(len(time)) * 10 ** (-3 * time / DECAY_SECONDS)
    response: NDArray[np.float32] = (noise / np.linalg.norm(noise)).astype(np.float32)
    return response
