"""Resampling of audio, and its specification, which is part of a run's identity."""

import numpy as np
from numpy.typing import NDArray

_QUALITY = "VHQ"


def resample(samples: NDArray[np.float32], rate: int, wanted_rate: int) -> NDArray[np.float32]:
    """Samples (samples,) or (samples, channels) at another rate, by soxr's best filter."""
    if rate == wanted_rate:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, rate, wanted_rate, quality=_QUALITY), np.float32)


def resampler() -> str:
    """The resampler, its quality and the version of its library, as a specification names it."""
    import soxr

    return f"soxr {_QUALITY}, libsoxr {soxr.__libsoxr_version__}"
