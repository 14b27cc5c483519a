"""Captions say what the labels say."""

from collections.abc import Iterator

import pytest

from pipelines.synthesis import CONCEPTS
from pipelines.synthesis.captions import LEAD_WORDS, STYLE_WORDS
from pipelines.synthesis.concepts import Factors
from pipelines.synthesis.instruments import LEADS
from pipelines.synthesis.songs import STYLES
from pipelines.synthesis.theory_concepts import with_article


def captions(style: str | None = None, count: int = 300) -> Iterator[tuple[str, Factors]]:
    for index in range(count):
        clip = CONCEPTS["styles"].specimen(0, index)
        if style is None or clip.labels["style"] == style:
            yield clip.caption, clip.labels


def test_every_caption_names_style_lead_key_and_drums() -> None:
    for caption, labels in captions():
        assert any(word in caption for word in STYLE_WORDS[str(labels["style"])]), caption
        assert any(word in caption for word in LEAD_WORDS[str(labels["instrument"])]), caption
        assert f"{labels['key']} {labels['mode']}" in caption
        assert labels["drums"] == (" with drums" in caption or "with a drum kit" in caption)


def test_the_same_labels_are_worded_in_many_ways() -> None:
    assert all(len({caption.split()[0] for caption, _ in captions(style)}) >= 4 for style in STYLES)


def test_no_word_stands_for_two_leads_or_two_styles() -> None:
    for words in (LEAD_WORDS, STYLE_WORDS):
        everything = [word for synonyms in words.values() for word in set(synonyms)]
        assert len(everything) == len(set(everything))
    assert set(LEAD_WORDS) == set(LEADS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [("F# minor chord", "an F# minor chord"), ("C chord", "a C chord"), ("octave", "an octave")],
)
def test_the_article_fits_the_sound_of_the_word(words: str, expected: str) -> None:
    assert with_article(words) == expected
