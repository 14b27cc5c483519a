"""Captions for training: the datasets' own and looser ones, drawn anew at each use."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from pipelines.synthesis.captions import (
    DRUM_WORDS,
    LEAD_WORDS,
    STYLE_WORDS,
    TEMPLATES,
    TEMPO_WORDS,
)
from pipelines.synthesis.concepts import Factors

T = TypeVar("T")

FULL_SHARE = 0.35
"""Of captions in the datasets' own words, which name style, lead, tempo, key and drums."""
NAMED = {"style": 0.6, "lead": 0.6, "tempo": 0.4, "key": 0.25, "drums": 0.3, "texture": 0.15}
"""How often a shorter caption names each of them."""
FILLER_SHARE = 0.15
FILLERS = (
    *(
        "melodic",
        "dreamy",
        "warm",
        "bright",
        "dark",
        "calm",
        "happy",
        "sad",
        "mellow",
        "energetic",
        "cinematic",
    ),
    *("instrumental", "soft", "loud", "clean", "light", "heavy", "steady", "tense", "deep", "pop", "folk"),
)
"""Words without a meaning in the clips: the model learns that they say nothing."""
NOUNS = ("music", "music", "track", "song", "piece", "tune", "loop", "recording", "clip")
MORE_STYLE_WORDS = {
    "rock": ("rock",),
    "jazz": ("jazz", "jazzy"),
    "classical": ("classical", "baroque"),
    "electronic": ("electronic", "electronica", "club"),
}
MORE_TEMPO_WORDS = {
    "slow": ("slow",),
    "medium-tempo": ("medium", "moderate"),
    "fast": ("fast", "quick", "lively"),
}
TEXTURE_WORDS = {"thin": ("sparse", "thin"), "full": ("full band",), "lush": ("lush", "rich with strings")}


def draw_caption(labels: Factors, generator: np.random.Generator) -> str:
    """Words a clip with the given labels."""
    if generator.random() < FULL_SHARE:
        words = {name: _words(labels, name, generator) for name in ("style", "lead", "tempo", "drums")}
        return _one(TEMPLATES, generator).format(key=labels["key"], mode=labels["mode"], **words)
    return _loose(labels, generator)


def _loose(labels: Factors, generator: np.random.Generator) -> str:
    """Some of the labels, in front of a noun or after it."""
    named = {name for name, share in NAMED.items() if generator.random() < share} or {
        _one(list(NAMED), generator)
    }
    before: list[str] = []
    after: list[str] = []
    if generator.random() < FILLER_SHARE:
        before.append(_one(FILLERS, generator))
    if "tempo" in named:
        numeric = generator.random() < 0.3
        (after if numeric else before).append(
            _bpm(labels, generator) if numeric else _words(labels, "tempo", generator)
        )
    if "style" in named:
        before.append(_words(labels, "style", generator))
    if "lead" in named:
        lead = _words(labels, "lead", generator)
        if generator.random() < 0.5:
            before.append(lead)
        else:
            after.insert(0, f"with {lead}")
    if "key" in named:
        after.append(
            f"in {labels['key']} {labels['mode']}" if generator.random() < 0.6 else f"in {labels['mode']}"
        )
    if "drums" in named:
        after.append(_words(labels, "drums", generator))
    if "texture" in named:
        before.insert(0, _one(TEXTURE_WORDS[str(labels["texture"])], generator))
    noun = [_one(NOUNS, generator)] if after or generator.random() < 0.6 else []
    return _one((" ".join, _with_commas), generator)([*before, *noun, *after])


def _with_commas(words: Sequence[str]) -> str:
    return ", ".join(words)


def _bpm(labels: Factors, generator: np.random.Generator) -> str:
    number = 10 * round(float(str(labels["tempo_bpm"])) / 10)
    return _one(("{} bpm", "at {} bpm", "about {} bpm"), generator).format(number)


def _words(labels: Factors, name: str, generator: np.random.Generator) -> str:
    if name == "style":
        style = str(labels["style"])
        return _one((*STYLE_WORDS[style], *MORE_STYLE_WORDS[style]), generator)
    if name == "lead":
        return _one(LEAD_WORDS[str(labels["instrument"])], generator)
    if name == "drums":
        return _one(DRUM_WORDS[bool(labels["drums"])], generator)
    usual = next(words for below, words in TEMPO_WORDS if float(str(labels["tempo_bpm"])) < below)
    return _one((*usual, *next(more for word, more in MORE_TEMPO_WORDS.items() if word in usual)), generator)


def _one(options: Sequence[T], generator: np.random.Generator) -> T:
    return options[int(generator.integers(len(options)))]
