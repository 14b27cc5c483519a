"""Generations as sound again: read from a store at the rate that a scorer hears."""

import json

import numpy as np
from numpy.typing import NDArray

from jobs.generation.records import made_again, opened_sound
from pipelines.resampling import resample
from store.errors import CorruptData
from store.opening import Store


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
    with opened_sound(store, generation_id) as file:
        rate = int(file.samplerate)
        file.seek(round(_prompt_seconds(store, generation_id, file.comment) * rate))
        return np.asarray(file.read(dtype="float32")), rate


def _prompt_seconds(store: Store, generation_id: str, tags: str) -> float:
    try:
        return prompt_seconds(tags)
    except (ValueError, LookupError, TypeError) as error:
        raise CorruptData(
            f"The sound {generation_id} has other tags than Undertone writes: it was damaged or replaced. "
            f"{made_again(store, generation_id)}"
        ) from error
