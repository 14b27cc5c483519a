"""Descriptors of sounds whose answer is known."""

import numpy as np
import pytest

from pipelines.scorers.descriptors import (
    DESCRIPTORS,
    FULL_SCALE,
    HOP_SAMPLES,
    SAMPLE_RATE,
    contour,
    describe_sound,
    similarities,
)  # fmt: skip

TIME = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE


def tone(*frequencies: float) -> np.ndarray:
    return np.asarray(sum(0.2 * np.sin(2 * np.pi * f * TIME) for f in frequencies), np.float32)


def clicks(bpm: float) -> np.ndarray:
    samples = np.zeros(len(TIME), np.float32)
    random = np.random.default_rng(0)
    for beat in np.arange(0.1, 3.9, 60 / bpm):
        start = round(beat * SAMPLE_RATE)
        samples[start : start + 400] = 0.5 * random.standard_normal(400) * np.linspace(1, 0, 400)
    return samples


def test_every_descriptor_is_there_and_documented() -> None:
    assert set(describe_sound(tone(440))) == set(DESCRIPTORS)


def test_a_tone_is_where_it_is_and_flat_noise_is_noise() -> None:
    found = describe_sound(tone(1000))
    assert found["spectral_centroid_hz"] == pytest.approx(1000, rel=0.01)
    assert found["spectral_flatness"] < 0.01
    assert found["percussive_ratio"] < 0.05
    assert found["repetition"] == 1.0  # it stands still
    noise = describe_sound(0.1 * np.random.default_rng(0).standard_normal(len(TIME)).astype(np.float32))
    assert noise["spectral_flatness"] > 0.4
    assert noise["repetition"] < 0.2
    assert noise["loudness_db"] == pytest.approx(-20, abs=0.2)


def test_a_drone_does_not_move_and_beats_do() -> None:
    drone, beats = describe_sound(tone(440, 660)), describe_sound(clicks(120))
    assert drone["mel_variation_db"] < 1
    assert drone["spectral_flux_db"] < 0.1
    assert beats["mel_variation_db"] > 8
    assert beats["spectral_flux_db"] > 10 * drone["spectral_flux_db"]


def test_clicks_have_their_tempo_and_rate() -> None:
    found = describe_sound(clicks(120))
    assert found["tempo_bpm"] == pytest.approx(120, rel=0.05)
    assert found["onset_rate"] == pytest.approx(2.0, abs=0.3)
    assert found["percussive_ratio"] > 0.7
    assert found["repetition"] > 0.7  # a loop


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0])
def test_the_percussive_share_is_that_of_librosas_separation(seconds: float) -> None:
    import librosa
    from librosa.decompose import hpss

    sound = (tone(440, 660) + clicks(150))[: round(seconds * SAMPLE_RATE)]
    harmonic, percussive = hpss(np.abs(librosa.stft(sound, hop_length=HOP_SAMPLES)))
    energies = [float((part.astype(np.float64) ** 2).sum()) for part in (percussive, harmonic)]
    assert describe_sound(sound)["percussive_ratio"] == pytest.approx(energies[0] / sum(energies), rel=1e-5)


@pytest.mark.parametrize(("third", "sign"), [(277.18, 1), (261.63, -1)])
def test_a_chord_on_a_is_in_a_major_or_minor(third: float, sign: int) -> None:
    found = describe_sound(tone(110.0, 220.0, third, 329.63, 440.0))
    assert found["pitch_class"] == 9
    assert found["majorness"] * sign > 0


def test_silence_and_clipping_are_shares() -> None:
    half = tone(440)
    half[len(half) // 2 :] = 0
    assert describe_sound(half)["silence"] == pytest.approx(0.5, abs=0.03)
    square = np.sign(tone(440)).astype(np.float32)
    assert describe_sound(square)["clipping"] > 0.95
    silent = describe_sound(np.zeros(len(TIME), np.float32))
    assert silent["silence"] == 1.0
    assert np.isnan(silent["spectral_centroid_hz"])


def test_clipping_is_that_of_the_file_whatever_its_rate() -> None:
    random = np.random.default_rng(0).standard_normal(64_000).astype(np.float32)
    clipped = np.clip(0.5 * random, -1, 1)
    share = float(np.mean(np.abs(0.5 * random) >= FULL_SCALE))
    assert 0.02 < share < 0.1
    assert describe_sound(clipped, 32_000)["clipping"] == pytest.approx(share)


def test_a_sound_is_like_itself_and_unlike_another_key_and_rhythm() -> None:
    one = contour(clicks(120) + tone(261.63))
    assert similarities(one, one) == pytest.approx({"chroma": 1.0, "onset": 1.0})
    other = similarities(one, contour(clicks(97) + tone(369.99)))
    assert other["chroma"] < 0.9
    assert other["onset"] < 0.6
