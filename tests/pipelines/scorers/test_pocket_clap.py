"""The CLAP that ships with the project hears style and instrument in clips it has never met."""

import time

import numpy as np
import pytest

from pipelines.pocket.clap_folder import FOLDER as POCKET_FOLDER
from pipelines.scorers.clap import TEMPLATE, ClapModel, load_clap, zero_shot
from pipelines.scorers.clap_transformers import quiet_transformers
from training.pocket.labelled_clips import CLASSES, LabelledClips


@pytest.fixture(scope="module")
def clap() -> ClapModel:
    return load_clap("pocket")


@pytest.mark.parametrize(("concept", "least"), [("style", 0.75), ("instrument", 0.75)])
def test_it_recognises_classes_by_their_names_alone(
    clap: ClapModel, fresh_clips: LabelledClips, concept: str, least: float
) -> None:
    audio = clap.embed_audio(fresh_clips.samples(slice(None)))
    texts = clap.embed_text([TEMPLATE.format(name) for name in CLASSES[concept]])
    best = zero_shot(audio, texts, clap.info.scale).argmax(axis=1)
    assert (best == fresh_clips.codes[concept]).mean() >= least


def test_it_understands_other_words_and_captions(clap: ClapModel, fresh_clips: LabelledClips) -> None:
    audio = clap.embed_audio(fresh_clips.samples(slice(None)))
    texts = clap.embed_text(["a flute", "slow jazz music with saxophone", "an overdriven guitar"])
    heard = audio @ texts.T
    names = np.array(CLASSES["instrument"])[fresh_clips.codes["instrument"]]
    for column, instrument in ((0, "flute"), (1, "saxophone"), (2, "electric guitar")):
        with_it, without = (heard[(names == instrument) == yes, column].mean() for yes in (True, False))
        assert with_it > without + 0.15


def test_its_probabilities_do_not_depend_on_loudness(clap: ClapModel, fresh_clips: LabelledClips) -> None:
    audio = fresh_clips.samples(slice(0, 12))
    loud, quiet = clap.embed_audio(audio), clap.embed_audio(audio * np.float32(0.3))
    assert (loud * quiet).sum(axis=1).min() > 0.8


def test_it_is_small_loads_in_seconds_and_by_transformers_alone() -> None:
    assert sum(path.stat().st_size for path in POCKET_FOLDER.iterdir()) < 8_000_000
    started = time.process_time()
    load_clap("pocket")
    assert time.process_time() - started < 5
    with quiet_transformers():
        from transformers import AutoModel, AutoTokenizer

        model = AutoModel.from_pretrained(POCKET_FOLDER)
        assert len(AutoTokenizer.from_pretrained(POCKET_FOLDER)) == model.config.text_config.vocab_size
