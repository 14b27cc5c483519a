"""The judge hears what is in clips it has never met, at any rate and length; a damaged file is refused."""

from pathlib import Path

import numpy as np
import pytest
import soxr

from pipelines.pocket.judge import WEIGHTS, Judge, load_judge
from store.errors import InvalidInput, ModelError
from training.pocket.labelled_clips import CLASSES, LabelledClips

RATE = 16_000


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge()


@pytest.mark.parametrize(("concept", "least"), [("style", 0.85), ("instrument", 0.85), ("drums", 0.85)])
def test_it_recognises_classes(judge: Judge, fresh_clips: LabelledClips, concept: str, least: float) -> None:
    names, probabilities = judge.probabilities(fresh_clips.samples(slice(None)), RATE)[concept]
    assert names == CLASSES[concept]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
    assert (probabilities.argmax(axis=1) == fresh_clips.codes[concept]).mean() >= least


def test_it_hears_the_tempo_to_within_four_per_cent(judge: Judge, fresh_clips: LabelledClips) -> None:
    ratio = judge.tempo_bpm(fresh_clips.samples(slice(None)), RATE) / fresh_clips.tempo_bpm
    assert (np.abs(ratio - 1) < 0.04).mean() >= 0.85


def test_the_tempo_of_clicks_is_their_rate(judge: Judge) -> None:
    for tempo_bpm in (80.0, 120.0, 150.0):
        clicks = np.zeros(4 * RATE, np.float32)
        clicks[(np.arange(0, 4, 60 / tempo_bpm) * RATE).astype(int)] = 1.0
        heard = np.convolve(clicks, np.exp(-np.arange(800) / 100), "same").astype(np.float32)
        found = judge.tempo_bpm(heard[None], RATE)[0]
        assert min(abs(found / tempo_bpm - factor) for factor in (0.5, 1, 2)) < 0.05


def test_the_sample_rate_does_not_matter(judge: Judge, fresh_clips: LabelledClips) -> None:
    audio = fresh_clips.samples(slice(0, 16))
    doubled = np.stack([soxr.resample(clip, RATE, 2 * RATE) for clip in audio])
    here, there = (judge.probabilities(each, rate) for each, rate in ((audio, RATE), (doubled, 2 * RATE)))
    for concept in ("style", "instrument"):
        assert np.abs(here[concept][1] - there[concept][1]).max() < 0.1


def test_longer_audio_is_the_mean_of_windows_that_cover_it(judge: Judge, fresh_clips: LabelledClips) -> None:
    audio = np.concatenate(fresh_clips.samples(slice(0, 2)))[None]
    both = judge.probabilities(audio, RATE)["instrument"][1][0]
    parts = judge.probabilities(fresh_clips.samples(slice(0, 2)), RATE)["instrument"][1]
    np.testing.assert_allclose(both, parts.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("shape", [(RATE * 4,), (1, RATE // 2)])
def test_audio_of_another_shape_or_too_short_is_refused(judge: Judge, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="1 s or more"):
        judge.probabilities(np.zeros(shape, np.float32), RATE)


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "half").write_bytes(WEIGHTS.read_bytes()[:200_000])
    for name in ("half", "none"):
        with pytest.raises(ModelError, match="missing, damaged, or of another version"):
            load_judge(tmp_path / name)
