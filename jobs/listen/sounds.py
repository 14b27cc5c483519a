"""Writes the sounds of a trial in one format, length and loudness."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from jobs.generate.records import opened_sound
from jobs.listen.trials import Stimulus, Trial
from store.opening import Store

ANCHOR_HZ = 3500.0
"""Cut-off of the low-range anchor (ITU-R BS.1534-3)."""
ANCHOR_ORDER = 8
LOUDNESS = 0.1
"""Root mean square that every sound of a trial is brought to, where no peak forbids it."""
HIGHEST_PEAK = 0.99
SILENCE = 1e-5

Sound = NDArray[np.float64]
"""(samples,)"""


def write_sounds(store: Store, trial: Trial, folder: Path) -> None:
    """Write <sound_id>.wav for every sound of a trial, without any tags."""
    for sound_id, (samples, rate) in sounds_of(store, trial).items():
        soundfile.write(folder / f"{sound_id}.wav", samples, rate, subtype="PCM_16")


def sounds_of(store: Store, trial: Trial) -> dict[str, tuple[Sound, int]]:
    """Samples and rate by sound_id, of one length and loudness, ordered by a name that says nothing."""
    every = [*trial.stimuli, *([trial.reference] if trial.reference else [])]
    read = {one.sound_id: _read(store, one) for one in sorted(every, key=lambda one: one.sound_id)}
    length = min(len(samples) for samples, _ in read.values())
    levelled = _levelled({name: samples[:length] for name, (samples, _) in read.items()})
    return {name: (levelled[name], rate) for name, (_, rate) in read.items()}


def _read(store: Store, stimulus: Stimulus) -> tuple[Sound, int]:
    with opened_sound(store, stimulus.generation_id) as file:
        samples, rate = file.read(dtype="float64"), int(file.samplerate)
    return (low_passed(samples, rate) if stimulus.role == "anchor" else samples), rate


def low_passed(samples: Sound, rate: int) -> Sound:
    """The anchor: nothing above 3.5 kHz, without a delay."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(ANCHOR_ORDER, min(ANCHOR_HZ, 0.49 * rate), fs=rate, output="sos")
    return np.asarray(sosfiltfilt(sections, samples))


def _levelled(sounds: Mapping[str, Sound]) -> dict[str, Sound]:
    """All equally loud, and all quieter where the peak of one would clip; silence stays silence."""
    gains = {name: _gain(samples) for name, samples in sounds.items()}
    peak = max(float(np.abs(samples).max(initial=0.0)) * gains[name] for name, samples in sounds.items())
    common = min(1.0, HIGHEST_PEAK / peak) if peak > 0 else 1.0
    return {name: samples * gains[name] * common for name, samples in sounds.items()}


def _gain(samples: Sound) -> float:
    loudness = float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    return LOUDNESS / loudness if loudness > SILENCE else 1.0
