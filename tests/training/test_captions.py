"""Captions to train with: true, varied, and made of words that the text encoder knows whole."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.models.audiocraft_import import quiet_construction
from pipelines.pocket.text_encoder import write_text_encoder
from pipelines.synthesis.captions import LEAD_WORDS, STYLE_WORDS
from pipelines.synthesis.concepts import Factors
from training.pocket.captions import FILLERS, draw_caption
from training.pocket.clips import draw_clip, specimen


def captions(count: int) -> Iterator[tuple[Factors, str]]:
    generator = np.random.default_rng(0)
    for index in range(count):
        labels = specimen(draw_clip("train", index % 100)).labels
        yield labels, draw_caption(labels, generator)


def test_captions_name_no_other_instrument_or_style() -> None:
    for labels, caption in captions(1000):
        words = f" {caption.replace(',', ' ')} "
        for lead, names in LEAD_WORDS.items():
            assert lead == labels["instrument"] or not any(f" {name} " in words for name in names), caption
        for style, names in STYLE_WORDS.items():
            others = [name for name in names if name not in STYLE_WORDS[str(labels["style"])]]
            assert style == labels["style"] or not any(f" {name} " in words for name in others), caption


def test_some_captions_are_short_and_hardly_any_two_are_alike() -> None:
    made = [caption for _, caption in captions(1000)]
    assert len(set(made)) > 700
    assert sum(len(caption.split()) <= 2 for caption in made) > 50


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("t5")
    with quiet_construction():
        write_text_encoder(folder)
    return folder


def test_the_tokenizer_spells_no_word_of_a_caption_out(text_encoder: Path) -> None:
    from transformers import T5Tokenizer

    tokenizer = T5Tokenizer.from_pretrained(text_encoder)
    for _, caption in captions(1000):
        pieces = tokenizer.tokenize(caption)
        assert all(piece in {",", "#"} or (piece.startswith("▁") and len(piece) > 1) for piece in pieces), (
            caption
        )
    assert all(len(tokenizer.tokenize(filler)) == 1 for filler in FILLERS)
