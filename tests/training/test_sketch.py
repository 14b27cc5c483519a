"""The sketch and what it is compared with."""

import pytest
import torch

from pipelines.pocket.configuration import LATENT_WIDTH, SAMPLES_PER_FRAME
from training.pocket.sketch import (
    RESOLUTIONS,
    Sketch,
    named_distances,
    sketch_distances,
    total_distance,
)
from training.pocket.spectra import log_mel


def test_a_spectrogram_has_the_shape_of_its_sketch_and_no_distance_to_itself() -> None:
    torch.manual_seed(0)
    audio = 0.1 * torch.randn(2, 12 * SAMPLES_PER_FRAME)
    with torch.no_grad():
        sketches = Sketch()(torch.randn(2, LATENT_WIDTH, 12))
    drawn = [
        log_mel(audio, size=one.size, hop=SAMPLES_PER_FRAME // one.per_frame, bands=one.bands)[..., :-1]
        for one in RESOLUTIONS
    ]
    assert [sketch.shape for sketch in sketches] == [true.shape for true in drawn]
    assert [float(far) for far in sketch_distances(drawn, audio)] == [0.0, 0.0]
    distances = sketch_distances(sketches, audio)
    assert all(float(far) > 0.1 for far in distances)
    assert float(total_distance(distances)) == pytest.approx(float(distances[0] + 0.25 * distances[1]))
    assert named_distances(distances) == {
        "log_mel_1024": float(distances[0]),
        "log_mel_256": float(distances[1]),
    }


def test_spectra_of_a_frame_follow_one_another() -> None:
    sketch = Sketch()
    for name, parameter in sketch.heads.named_parameters():
        parameter.data = torch.arange(len(parameter)).float() if "bias" in name else 0 * parameter.data
    for sketched, one in zip(sketch(torch.zeros(1, LATENT_WIDTH, 3)), RESOLUTIONS, strict=True):
        frame = torch.arange(one.per_frame * one.bands).view(one.per_frame, one.bands).T
        torch.testing.assert_close(sketched[0], frame.float().repeat(1, 3))
