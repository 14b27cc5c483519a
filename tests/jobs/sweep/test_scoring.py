"""Similarities of stored sounds: what is silent keeps nothing of a sound."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jobs.execution import Execution
from jobs.generate.records import audio_key
from jobs.sweep.scores import read_scores
from jobs.sweep.scoring import compare_generations
from store import open_store
from store.objects.ledger import commit, never
from store.opening import Store

RATE = 16_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A sound, the same at another level, digital silence, and silence with a converter's noise."""
    found = open_store(str(tmp_path / "music.store"), create=True)
    time = np.arange(RATE) / RATE
    tune = 0.3 * np.sin(2 * np.pi * 220 * time) * (np.sin(2 * np.pi * 3 * time) > 0)
    noise = 1e-4 * np.random.default_rng(0).standard_normal(RATE)
    sounds = {"tune": tune, "soft": tune / 4, "silent": 0 * tune, "hiss": noise}
    for name, samples in sounds.items():
        stream = io.BytesIO()
        with soundfile.SoundFile(stream, "w", RATE, 1, "PCM_16", format="FLAC") as file:
            file.comment = '{"audio_prompt": null}'
            file.write(samples)
        commit(found.objects, audio_key(name), stream.getvalue(), kind="sound", sound=never)
    return found


def test_a_silent_sound_is_not_like_any_other_and_nobody_knows_how_alike_two_silences_are(
    store: Store,
) -> None:
    pairs = [("soft", "tune"), ("silent", "tune"), ("tune", "silent"), ("hiss", "tune"), ("silent", "hiss")]
    assert compare_generations(store, pairs, Execution(engine="inline")) == len(pairs)
    scores = read_scores(store, ["soft", "silent", "tune", "hiss"])
    for measure in ("chroma", "onset"):
        ids, references = np.array(pairs[:4], dtype=object).T
        soft, *silent = scores.similar(measure, ids, references)
        assert soft == pytest.approx(1.0, abs=0.02)
        assert silent == [0.0, 0.0, 0.0]
        alone = scores.similar(measure, *np.array([pairs[4]], dtype=object).T)
        assert np.isnan(alone).all()
    assert compare_generations(store, pairs, Execution(engine="inline")) == 0
