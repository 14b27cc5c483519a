"""Physical descriptors of a sound, by librosa: numbers that no probe, direction or CLAP has a say in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.resampling import resample

Floats = NDArray[np.floating]

SAMPLE_RATE = 22_050
"""Of the audio they are computed from; librosa's usual one."""
HOP_SAMPLES = 512
VERSION = 3
"""Changes with the definition of a descriptor."""

DESCRIPTORS = (
    "tempo_bpm",
    "spectral_centroid_hz",
    "onset_rate",
    "percussive_ratio",
    "pitch_class",
    "majorness",
    "loudness_db",
    "spectral_flatness",
    "clipping",
    "silence",
    "spectral_flux_db",
    "mel_variation_db",
    "repetition",
)
"""What each is stands in the comment of the column `measure` of the view `evaluations`."""

FULL_SCALE = 0.999
SILENT_DB = -60.0
FLOOR_DB = -80.0
SHORTEST_LAG_SECONDS = 0.25
EDGE_FRAMES = 3
"""At either end, whose windows reach beyond the sound."""
MEDIAN_LENGTH = 31
"""Frames, and bins, over which sound is harmonic or percussive."""
STANDSTILL_DB = 1.0
"""A spectrum that varies less over time stands still."""
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@dataclass(frozen=True, slots=True)
class Contour:
    """What a sound does over time, to be compared with another of the same length."""

    chroma: Floats
    """Energy per pitch class, (12, frames)."""
    onsets: Floats
    """Onset strength, (frames,)."""


def describe_sound(samples: NDArray[np.float32], sample_rate: int = SAMPLE_RATE) -> dict[str, float]:
    """Every descriptor of a mono sound.

    Args:
        samples: (samples,); clipping is looked for here, everything else at SAMPLE_RATE, as a resampler's
            filter moves samples away from full scale.
        sample_rate: Of the samples, per second.
    """
    import librosa
    from librosa.onset import onset_detect, onset_strength

    clipping = float(np.mean(np.abs(samples) >= FULL_SCALE))
    samples = resample(samples, sample_rate, SAMPLE_RATE)
    spectrum = np.abs(librosa.stft(samples, hop_length=HOP_SAMPLES))
    onsets = onset_strength(y=samples, sr=SAMPLE_RATE, hop_length=HOP_SAMPLES)
    seconds = len(samples) / SAMPLE_RATE
    onset_frames = onset_detect(onset_envelope=onsets, sr=SAMPLE_RATE, hop_length=HOP_SAMPLES)
    power = spectrum**2
    pitch_class, majorness = _key(_chroma(power).mean(axis=1))
    return {
        "tempo_bpm": float(
            librosa.feature.tempo(onset_envelope=onsets, sr=SAMPLE_RATE, hop_length=HOP_SAMPLES)[0]
        ),
        "spectral_centroid_hz": _centroid_hz(power),
        "onset_rate": len(onset_frames) / seconds,
        "percussive_ratio": _percussive_ratio(spectrum),
        "pitch_class": float(pitch_class),
        "majorness": majorness,
        "loudness_db": _decibels(float(np.mean(samples.astype(np.float64) ** 2))),
        "spectral_flatness": float(librosa.feature.spectral_flatness(S=spectrum).mean()),
        "clipping": clipping,
        "silence": _silent_share(samples),
        **_movement(power),
    }


def contour(samples: NDArray[np.float32]) -> Contour:
    """Chroma and onset strength of a mono sound (samples,) at SAMPLE_RATE."""
    import librosa
    from librosa.onset import onset_strength

    power = np.abs(librosa.stft(samples, hop_length=HOP_SAMPLES)) ** 2
    onsets = onset_strength(y=samples, sr=SAMPLE_RATE, hop_length=HOP_SAMPLES)
    return Contour(_chroma(power), onsets)


def similarities(one: Contour, other: Contour) -> dict[str, float]:
    """How much of a sound another one keeps, 1 being all.

    Returns:
        chroma: mean cosine of the pitch classes of simultaneous frames; onset: correlation of onset
        strengths. NaN where a sound is silent or has no onsets.
    """
    frames = min(len(one.onsets), len(other.onsets))
    lengths = np.linalg.norm(one.chroma[:, :frames], axis=0) * np.linalg.norm(
        other.chroma[:, :frames], axis=0
    )
    sounding = lengths > 0
    products = (one.chroma[:, :frames] * other.chroma[:, :frames]).sum(axis=0)
    chroma = float(np.mean(products[sounding] / lengths[sounding])) if sounding.any() else float("nan")
    return {"chroma": chroma, "onset": _correlation(one.onsets[:frames], other.onsets[:frames])}


def _chroma(power: Floats) -> Floats:
    """Energy per pitch class, equal temperament at 440 Hz, (12, frames)."""
    import librosa

    chroma: Floats = librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE, norm=None, tuning=0.0)
    return chroma


def _centroid_hz(power: Floats) -> float:
    """Frames count by their energy, so that pauses do not."""
    import librosa

    frequencies = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=2 * (len(power) - 1))
    total = float(power.sum())
    return float(frequencies @ power.sum(axis=1)) / total if total > 0 else float("nan")


def _percussive_ratio(spectrum: Floats) -> float:
    """What `librosa.decompose.hpss` gives, whose medians over two dimensions take ten times as long."""
    from librosa.util import softmask

    harmonic, percussive = _medians(spectrum), _medians(spectrum.T).T
    energy = float(((spectrum * softmask(percussive, harmonic, power=2, split_zeros=True)) ** 2).sum())
    total = energy + float(
        ((spectrum * softmask(harmonic, percussive, power=2, split_zeros=True)) ** 2).sum()
    )
    return energy / total if total > 0 else float("nan")


def _medians(rows: Floats) -> Floats:
    """Running median of each row, mirrored at its ends: of all rows as one line, which SciPy does fast."""
    from scipy.ndimage import median_filter

    margin = MEDIAN_LENGTH // 2
    padded = np.pad(rows, ((0, 0), (margin, margin)), mode="symmetric")
    line: Floats = median_filter(padded.ravel(), size=MEDIAN_LENGTH)
    return line.reshape(padded.shape)[:, margin:-margin]


def _key(profile: Floats) -> tuple[int, float]:
    """Pitch class of the key whose profile correlates best, and best major minus best minor correlation."""
    major = [_correlation(np.roll(_MAJOR, tonic), profile) for tonic in range(12)]
    minor = [_correlation(np.roll(_MINOR, tonic), profile) for tonic in range(12)]
    best = int(np.argmax([*major, *minor])) % 12
    return best, max(major) - max(minor)


def _silent_share(samples: NDArray[np.float32]) -> float:
    import librosa

    power = librosa.feature.rms(y=samples, hop_length=HOP_SAMPLES)[0].astype(np.float64) ** 2
    return float(np.mean(power < 10 ** (SILENT_DB / 10)))


def _movement(power: Floats) -> dict[str, float]:
    """What a sound does over time: how much sets in, how much it varies, how much comes again."""
    frames = _mel_frames_db(power)
    if frames.shape[1] < 2:
        return dict.fromkeys(("spectral_flux_db", "mel_variation_db", "repetition"), float("nan"))
    rises = np.maximum(np.diff(frames, axis=1), 0)
    return {
        "spectral_flux_db": float(rises.mean()),
        "mel_variation_db": float(frames.std(axis=1).mean()),
        "repetition": _repetition(frames),
    }


def _mel_frames_db(power: Floats) -> Floats:
    """Mel spectrogram (40 bands, frames) without the ends."""
    import librosa

    mel = librosa.feature.melspectrogram(S=power, sr=SAMPLE_RATE, n_mels=40)
    frames = np.maximum(librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None), FLOOR_DB)
    return np.asarray(frames[:, EDGE_FRAMES:-EDGE_FRAMES])


def _repetition(frames: Floats) -> float:
    """Over lags up to half the sound; NaN for a sound shorter than two of the shortest lag."""
    frames = frames - frames.mean(axis=1, keepdims=True)
    first = round(SHORTEST_LAG_SECONDS * SAMPLE_RATE / HOP_SAMPLES)
    if frames.shape[1] < 2 * first:
        return float("nan")
    if frames.std() < STANDSTILL_DB:
        return 1.0
    lags = range(first, frames.shape[1] // 2 + 1)
    return max(_cosine(frames[:, lag:], frames[:, :-lag]) for lag in lags)


def _cosine(one: Floats, other: Floats) -> float:
    """Of two arrays as one vector each; 0 where one is all zero."""
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / length if length > 0 else 0.0


def _correlation(one: Floats, other: Floats) -> float:
    """Pearson's; NaN where one is constant."""
    first, second = (np.asarray(each, np.float64) - np.mean(each) for each in (one, other))
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / length if length > 0 else float("nan")


def _decibels(power: float) -> float:
    return 10 * float(np.log10(max(power, 1e-10)))
