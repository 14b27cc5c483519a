"""Ratios within one run, with an interval over repetitions: what every benchmark here reports."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

RESAMPLES = 2_000


def seconds_of(function: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the median; narrower than it says where there are fewer than ten values."""
    draws = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return float(low), float(high)


def interleaved(candidates: Mapping[str, Callable[[], float]], *, repetitions: int) -> dict[str, list[float]]:
    """Call every candidate once per repetition, in an order that rotates, so that drift hits all alike."""
    results: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for repetition in range(repetitions):
        shift = repetition % len(names)
        for name in names[shift:] + names[:shift]:
            results[name].append(candidates[name]())
    return results


def ratio_line(title: str, over: Sequence[float], under: Sequence[float]) -> str:
    """One line: the median of the repetition-wise ratios, and its interval."""
    ratios = [a / b for a, b in zip(over, under, strict=True)]
    low, high = median_interval(ratios)
    return f"{title:<58} {np.median(ratios):6.2f}  (95 % {low:.2f} to {high:.2f}, n = {len(ratios)})"
