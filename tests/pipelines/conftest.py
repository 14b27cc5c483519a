"""Audio files for the tests of readers and decoders: real WAV, FLAC, MP3, Ogg and M4A."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]
WriteAudio = Callable[..., Samples]


@pytest.fixture
def write_audio() -> WriteAudio:
    """Write a chord with noise in the format of the file's name; returns it, (samples, channels)."""

    def write(
        path: Path,
        seconds: float = 2.5,
        *,
        rate: int = 22_050,
        channels: int = 1,
        seed: int = 0,
        **options: str,
    ) -> Samples:
        samples = make_samples(round(seconds * rate), rate, channels, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, **options)
        return samples

    return write


@pytest.fixture
def write_with_ffmpeg() -> WriteAudio:
    """Like write_audio, through any of FFmpeg's encoders and muxer options."""

    def write(
        path: Path,
        codec: str,
        seconds: float = 12.0,
        *,
        rate: int = 44_100,
        samples: Samples | None = None,
        encoder: dict[str, str] | None = None,
        muxer: dict[str, str] | None = None,
    ) -> Samples:
        if samples is None:
            samples = make_samples(round(seconds * rate), rate, 2, seed=1)
        layout = "stereo" if samples.shape[1] == 2 else "mono"
        with av.open(path, "w", options=muxer or {}) as container:
            stream = cast(
                av.AudioStream, container.add_stream(codec, rate=rate, layout=layout, options=encoder or {})
            )
            for start in range(0, len(samples), 1024):
                block = np.ascontiguousarray(samples[start : start + 1024].T)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = rate, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return samples

    return write


def make_samples(count: int, rate: int, channels: int, seed: int) -> Samples:
    """A chord that swells and fades, with noise; every channel differs."""
    seconds = np.arange(count) / rate
    noise = np.random.default_rng(seed).standard_normal((count, channels))
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.3 * seconds)
    chord = sum(np.sin(2 * np.pi * pitch * seconds) for pitch in (220.0, 277.2, 329.6))
    loudness = np.linspace(0.1, 0.05, channels)
    return np.asarray((chord * swell)[:, None] * loudness + 0.02 * noise, dtype=np.float32)
