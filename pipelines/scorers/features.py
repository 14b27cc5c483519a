"""Handcrafted features of a clip, by librosa: statistics of its mel spectrogram, MFCC or chroma over time."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FeatureKind = Literal["mel", "mfcc", "chroma"]
FEATURE_KINDS: tuple[FeatureKind, ...] = ("mel", "mfcc", "chroma")

VERSION = 1
"""Of features of every kind: raise it with their numbers."""
SAMPLE_RATE = 22_050
"""Of the audio they are computed from; librosa's usual one."""
MEL_BANDS = 64
MFCC_COEFFICIENTS = 20
PITCH_CLASSES = 12
WINDOW_SAMPLES = 2048
HOP_SAMPLES = 512
SILENCE = 1e-10
"""Power that counts as nothing: -100 dB."""


def feature_width(kind: FeatureKind) -> int:
    """Numbers per clip: mean and standard deviation over time of every row, for MFCC of its changes too."""
    rows = {"mel": MEL_BANDS, "mfcc": 2 * MFCC_COEFFICIENTS, "chroma": PITCH_CLASSES}[kind]
    return 2 * rows


def compute_features(samples: NDArray[np.float32], kind: FeatureKind) -> NDArray[np.float32]:
    """Features (feature_width,) of a clip of mono samples at SAMPLE_RATE.

    Tuning is not estimated: chroma is that of equal temperament at 440 Hz.
    """
    return _statistics(_ROWS[kind](_power(samples)))


def compute_all_features(samples: NDArray[np.float32]) -> dict[FeatureKind, NDArray[np.float32]]:
    """Features of every kind, from one spectrogram."""
    power = _power(samples)
    return {kind: _statistics(_ROWS[kind](power)) for kind in FEATURE_KINDS}


def _statistics(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([rows.mean(axis=1), rows.std(axis=1)]).astype(np.float32)


def _power(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power spectrogram, (1 + WINDOW_SAMPLES / 2, frames)."""
    import librosa

    spectrum = librosa.stft(samples, n_fft=WINDOW_SAMPLES, hop_length=HOP_SAMPLES)
    return np.asarray(np.square(np.abs(spectrum)), dtype=np.float32)


def _mel(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mel bands in dB, (MEL_BANDS, frames)."""
    import librosa

    bands = librosa.feature.melspectrogram(S=power, sr=SAMPLE_RATE, n_fft=WINDOW_SAMPLES, n_mels=MEL_BANDS)
    decibels: NDArray[np.float32] = librosa.power_to_db(bands, amin=SILENCE, top_db=None)
    return decibels


def _mfcc(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cepstral coefficients and their differences between frames, (2 · MFCC_COEFFICIENTS, frames)."""
    import librosa

    coefficients = librosa.feature.mfcc(S=_mel(power), n_mfcc=MFCC_COEFFICIENTS)
    return np.concatenate([coefficients, np.gradient(coefficients, axis=1)])


def _chroma(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Energy per pitch class relative to the strongest, (PITCH_CLASSES, frames)."""
    import librosa

    chroma: NDArray[np.float32] = librosa.feature.chroma_stft(
        S=power, sr=SAMPLE_RATE, n_fft=WINDOW_SAMPLES, tuning=0.0
    )
    return chroma


_ROWS: dict[FeatureKind, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "mel": _mel,
    "mfcc": _mfcc,
    "chroma": _chroma,
}
