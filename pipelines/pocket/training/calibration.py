"""Calibrates probabilities by temperature, and measures the error that is left."""

import numpy as np
import torch
from numpy.typing import NDArray

BINS = 15


def fit_temperature(logits: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """What logits are divided by so that the likelihood of the labels is largest (Guo et al. 2017).

    Args:
        logits: (N, C).
        codes: class codes (N,).
    """
    scores, wanted = torch.from_numpy(logits).double(), torch.from_numpy(codes)
    candidates = torch.logspace(-1, 1, 201, dtype=torch.float64)
    losses = torch.stack([torch.nn.functional.cross_entropy(scores / each, wanted) for each in candidates])
    return float(candidates[losses.argmin()])


def calibration_error(probabilities: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Expected calibration error: mean |confidence − accuracy| over bins of confidence, by their size.

    Args:
        probabilities: (N, C).
        codes: class codes (N,).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == codes
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((confidence[bins == each] - right[bins == each]).sum()) for each in np.unique(bins)]
    return float(sum(gaps) / len(codes))
