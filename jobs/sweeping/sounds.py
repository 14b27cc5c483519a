"""Generations as sound again: read from a store at the rate that a scorer hears."""

import io

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from jobs.generation.records import audio_key
from store.opening import Store


def read_sound(store: Store, generation_id: str, *, sample_rate: int) -> NDArray[np.float32]:
    """Mono samples (samples,) of a generation at a rate; raises `NotFound`."""
    data = store.objects.get(audio_key(generation_id))
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    if rate == sample_rate:
        return np.asarray(samples)
    return np.asarray(soxr.resample(samples, rate, sample_rate), np.float32)
