"""Handcrafted features of sounds whose answer is known."""

import numpy as np
import pytest

from pipelines.scorers.features import (
    FEATURE_KINDS,
    MEL_BANDS,
    MFCC_COEFFICIENTS,
    PITCH_CLASSES,
    SAMPLE_RATE,
    FeatureKind,
    compute_features,
    feature_width,
)


def tone(frequency_hz: float, seconds: float = 0.5) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sin(2 * np.pi * frequency_hz * time).astype(np.float32)


@pytest.mark.parametrize("kind", FEATURE_KINDS)
def test_features_have_their_width_and_are_finite_even_in_silence(kind: FeatureKind) -> None:
    for samples in (tone(440), np.zeros(SAMPLE_RATE // 2, np.float32)):
        features = compute_features(samples, kind)
        assert features.shape == (feature_width(kind),)
        assert features.dtype == np.float32
        assert np.isfinite(features).all()


@pytest.mark.parametrize(("frequency_hz", "pitch_class"), [(440.0, 9), (261.63, 0), (523.25, 0)])
def test_chroma_names_the_pitch_of_a_tone(frequency_hz: float, pitch_class: int) -> None:
    assert compute_features(tone(frequency_hz), "chroma")[:PITCH_CLASSES].argmax() == pitch_class


def test_mel_bands_rise_with_the_pitch() -> None:
    peaks = [compute_features(tone(frequency), "mel")[:MEL_BANDS].argmax() for frequency in (200, 800, 3200)]
    assert peaks == sorted(set(peaks))


def test_twice_the_amplitude_is_six_decibels_in_every_band_and_in_the_first_coefficient_alone() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE // 2).astype(np.float32)
    soft, loud = (compute_features(samples, "mel") for samples in (noise, 2 * noise))
    np.testing.assert_allclose((loud - soft)[:MEL_BANDS], 20 * np.log10(2), atol=1e-3)
    soft, loud = (compute_features(samples, "mfcc") for samples in (noise, 2 * noise))
    np.testing.assert_allclose((loud - soft)[1:MFCC_COEFFICIENTS], 0, atol=1e-3)
    assert (loud - soft)[0] == pytest.approx(20 * np.log10(2) * np.sqrt(MEL_BANDS), rel=1e-3)
