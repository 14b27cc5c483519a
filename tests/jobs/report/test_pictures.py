"""A picture shows when and how high a sound is."""

import io
from base64 import b64decode

import numpy as np
import pytest
import soundfile
from PIL import Image

from jobs.report.pictures import BANDS, LOWEST_HERTZ, WAVE_HEIGHT, WIDTH, sound_picture, spectrogram, waveform

RATE = 16_000


def tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.mark.parametrize("hertz", [220.0, 880.0, 3520.0])
def test_the_brightest_row_is_that_of_the_tone(hertz: float) -> None:
    brightness = spectrogram(tone(hertz), RATE)[..., :3].sum(axis=(1, 2), dtype=float)
    edges = np.geomspace(LOWEST_HERTZ, RATE / 2, BANDS + 1)[::-1]
    row = int(brightness.argmax())
    assert edges[row + 1] / 1.1 <= hertz <= edges[row] * 1.1


def test_the_wave_is_high_where_the_sound_is_loud() -> None:
    samples = np.concatenate([0.05 * tone(440), tone(440)])
    heights = (waveform(samples)[..., 3] > 0).sum(axis=0)
    assert heights[: WIDTH // 2].max() < heights[WIDTH // 2 + 1 :].min()


def test_a_file_becomes_a_small_picture_and_what_is_no_sound_none() -> None:
    stream = io.BytesIO()
    soundfile.write(stream, tone(440), RATE, format="FLAC")
    url = sound_picture(stream.getvalue())
    picture = Image.open(io.BytesIO(b64decode(url.partition(",")[2])))
    assert picture.size == (WIDTH, BANDS + WAVE_HEIGHT)
    assert len(url) < 30_000
    assert sound_picture(b"no sound") == ""
    soundfile.write(short := io.BytesIO(), tone(440, 0.01), RATE, format="WAV")
    assert sound_picture(short.getvalue()) == ""
