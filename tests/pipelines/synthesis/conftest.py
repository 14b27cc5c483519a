"""Listening without the code under test: pitch, chroma and pulse by numpy alone."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.synthesis import CONCEPTS, render_samples
from pipelines.synthesis.concepts import Specimen

RATE = 32_000

Samples = NDArray[np.float32]


@pytest.fixture(scope="session")
def listen() -> Callable[[Specimen], Samples]:
    """Renders four seconds of a clip."""
    return lambda specimen: render_samples(specimen, sample_rate=RATE, clip_seconds=4.0)


@pytest.fixture(scope="session")
def find_clips() -> Callable[..., Iterator[Specimen]]:
    """Yields the clips of a concept whose labels have the given values."""

    def find(concept: str, count: int, **wanted: object) -> Iterator[Specimen]:
        found = 0
        for index in range(CONCEPTS[concept].size):
            specimen = CONCEPTS[concept].specimen(0, index)
            if all(
                specimen.labels[name] in value if isinstance(value, tuple) else specimen.labels[name] == value
                for name, value in wanted.items()
            ):
                yield specimen
                found += 1
                if found == count:
                    return
        raise AssertionError(f"only {found} clips of {concept} have {wanted}")

    return find


@pytest.fixture(scope="session")
def midi_pitch() -> Callable[[Samples], float]:
    """Estimates the pitch of a tone by YIN's difference function (de Cheveigné and Kawahara 2002)."""

    def estimate(samples: Samples) -> float:
        window = samples[:8192].astype(np.float64)
        size = len(window) // 2
        transform = np.fft.rfft(window, 2 * len(window))
        first = np.fft.rfft(window[:size], 2 * len(window))
        correlation = np.fft.irfft(transform * np.conj(first))[:size]
        energy = np.concatenate([[0.0], np.cumsum(window**2)])
        lags = np.arange(size)
        difference = energy[size] - energy[0] + energy[lags + size] - energy[lags] - 2 * correlation
        normal = np.ones(size)
        normal[1:] = difference[1:] * lags[1:] / np.maximum(np.cumsum(difference[1:]), 1e-12)
        shortest = RATE // 2500
        below = np.flatnonzero(normal[shortest:] < 0.08) + shortest
        lag = int(below[0]) if len(below) else int(normal[shortest:].argmin()) + shortest
        while lag + 1 < size and normal[lag + 1] < normal[lag]:
            lag += 1
        left, middle, right = normal[lag - 1 : lag + 2]
        refined = lag + (left - right) / (2 * (left - 2 * middle + right))
        return float(69 + 12 * np.log2(RATE / refined / 440))

    return estimate


@pytest.fixture(scope="session")
def pitch_classes() -> Callable[[Samples], frozenset[int]]:
    """Recognises the triad whose template is nearest to the chroma; returns its pitch classes."""
    templates = {
        frozenset((root + step) % 12 for step in steps)
        for root in range(12)
        for steps in ((0, 4, 7), (0, 3, 7), (0, 4, 8), (0, 3, 6))
    }

    def recognise(samples: Samples) -> frozenset[int]:
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 65_536)) ** 2
        frequency = np.fft.rfftfreq(65_536, 1 / RATE)
        chroma = np.zeros(12)
        for pitch in range(48, 90):
            centre = 440 * 2 ** ((pitch - 69) / 12)
            band = (frequency > centre * 2 ** (-1 / 36)) & (frequency < centre * 2 ** (1 / 36))
            chroma[pitch % 12] += np.sqrt(spectrum[band].max())
        return max(templates, key=lambda classes: sum(chroma[list(classes)]))

    return recognise


@pytest.fixture(scope="session")
def onset_strength() -> Callable[[Samples], NDArray[np.float64]]:
    """Measures growth of the magnitude spectrum, 100 values per second."""

    def measure(samples: Samples) -> NDArray[np.float64]:
        hop = RATE // 100
        frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (1024 - hop, 0)), 1024)[::hop]
        magnitude = np.log1p(1000 * np.abs(np.fft.rfft(frames * np.hanning(1024), axis=1)))
        growth: NDArray[np.float64] = np.maximum(np.diff(magnitude, axis=0), 0).sum(axis=1)
        return growth

    return measure
