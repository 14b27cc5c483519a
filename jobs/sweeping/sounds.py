"""Generations as sound again: read from a store at the rate that a scorer hears."""

import io
import json

import numpy as np
import soundfile
from numpy.typing import NDArray

from jobs.generation.records import audio_key
from pipelines.resampling import resample
from store.opening import Store
from store.sounds import read_sound_file


def prompt_seconds(tags: str) -> float:
    """Length of the audio prompt of a generation, from the specification in its file's tags; 0: none."""
    prompt = json.loads(tags)["audio_prompt"]
    return float(prompt["seconds"]) if prompt else 0.0


def read_sound(store: Store, generation_id: str, *, sample_rate: int) -> NDArray[np.float32]:
    """Mono samples (samples,) of a generation at a rate, without its audio prompt; raises `NotFound`."""
    samples, rate = read_samples(store, generation_id)
    return resample(samples, rate, sample_rate)


def read_samples(store: Store, generation_id: str) -> tuple[NDArray[np.float32], int]:
    """Mono samples (samples,) as they are stored, without the audio prompt, and how many a second has."""
    data = read_sound_file(store.objects, audio_key(generation_id))
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        rate = file.samplerate
        file.seek(round(prompt_seconds(file.comment) * rate))
        return np.asarray(file.read(dtype="float32")), rate
