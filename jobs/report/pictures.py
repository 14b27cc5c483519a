"""Picture a sound: its spectrogram, and below it its waveform, as a small PNG inside the page."""

import io
from base64 import b64encode

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

WIDTH, WAVE_HEIGHT, BANDS = 400, 36, 72
WINDOW = 1024
LOWEST_HERTZ = 60.0
RANGE_DECIBELS = 70.0
COLOURS = 48
SHADES = np.array([[20, 21, 24], [38, 70, 120], [72, 134, 190], [240, 163, 94], [255, 243, 214]], float)
"""From silence to the loudest, dark to light: read on any paper, and in grey."""
INK = (88, 140, 196)

Pixels = NDArray[np.uint8]


def sound_picture(data: bytes) -> str:
    """A data: URL of the picture of an audio file; "" where it is no sound or has too few samples."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.SoundFileError:
        return ""
    mono = samples.mean(axis=1)
    if len(mono) < 2 * WINDOW or not np.isfinite(mono).all():
        return ""
    whole = np.concatenate([spectrogram(mono, rate), waveform(mono)])
    picture = Image.fromarray(whole).quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}"


def spectrogram(samples: NDArray[np.float32], rate: int) -> Pixels:
    """Loudness over time and frequency (BANDS, WIDTH, 4), high notes above, octaves of equal height."""
    starts = np.linspace(0, len(samples) - WINDOW, WIDTH).astype(int)
    frames = samples[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.geomspace(LOWEST_HERTZ, rate / 2, BANDS + 1) * WINDOW / rate
    first = np.minimum(edges[:-1].astype(int), power.shape[1] - 1)
    last = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
    bands = np.stack([power[:, low:high].max(axis=1) for low, high in zip(first, last, strict=True)])
    decibels = 10 * np.log10(np.maximum(bands, 1e-12) / max(float(bands.max()), 1e-12))
    return _coloured(np.clip(1 + decibels / RANGE_DECIBELS, 0, 1)[::-1])


def _coloured(strength: NDArray[np.floating]) -> Pixels:
    places = np.linspace(0, 1, len(SHADES))
    pixels = np.full((*strength.shape, 4), 255, np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.interp(strength, places, SHADES[:, channel])
    return pixels


def waveform(samples: NDArray[np.float32]) -> Pixels:
    """The envelope of the samples (WAVE_HEIGHT, WIDTH, 4), on nothing; full scale fills the height."""
    parts = np.array_split(samples, WIDTH)
    middle = (WAVE_HEIGHT - 1) / 2
    rows = np.arange(WAVE_HEIGHT)[:, None]
    top = np.array([middle * (1 - min(1.0, float(part.max()))) for part in parts])
    bottom = np.array([middle * (1 - max(-1.0, float(part.min()))) for part in parts])
    pixels = np.zeros((WAVE_HEIGHT, WIDTH, 4), np.uint8)
    pixels[(rows >= np.floor(top)) & (rows <= np.ceil(bottom))] = (*INK, 255)
    return pixels
