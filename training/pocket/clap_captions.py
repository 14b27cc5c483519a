"""Captions that state some facts of a clip, and which clips each of them is true of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.synthesis.captions import LEAD_WORDS, STYLE_WORDS, TEMPO_WORDS
from training.pocket.labelled_clips import CLASSES

TEMPOS = ("slow", "medium", "fast")
CONCEPTS: Mapping[str, tuple[str, ...]] = {
    **{concept: CLASSES[concept] for concept in ("style", "instrument", "drums", "mode", "key")},
    "tempo": TEMPOS,
}
"""What captions speak of."""
PROMPTED = ("style", "instrument", "drums", "mode", "tempo")
"""Concepts that are also learned as sets of prompts: all but the key, which four seconds hide."""

WORDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "style": STYLE_WORDS,
    "instrument": LEAD_WORDS,
    "drums": {
        "no": ("without drums", "no drums", "no percussion"),
        "yes": ("with drums", "with a drum kit", "drums"),
    },
    "mode": {"major": ("major", "in a major key"), "minor": ("minor", "in a minor key")},
    "key": {name: (name,) for name in CLASSES["key"]},
    "tempo": dict(zip(TEMPOS, (words for _, words in TEMPO_WORDS), strict=True)),
}
FRAMES = (
    *("{}", "{}", "{} music", "a {} sound", "this is a sound of {}", "this is a recording of {}"),
    *(
        "a {} track",
        "music with {}",
        "a piece of {} music",
        "the sound of {}",
        "a song with {}",
        "a clip of {}",
    ),
)
"""Whatever stands in the braces, these leave its meaning alone; LAION's zero-shot template is among them."""
ORDER = ("tempo", "style", "instrument", "key", "mode", "drums")
JOINTS = {"instrument": ("with", "featuring", "played on", "led by", "with lead"), "key": ("in",)}
FULL_SHARE = 0.35
"""Of captions that state every fact, as those of rendered datasets do; the others state one or two."""


@dataclass(frozen=True, slots=True)
class Caption:
    """Words, and the facts they state as class codes by concept."""

    text: str
    facts: Mapping[str, int]


def caption(facts: Mapping[str, int], generator: np.random.Generator) -> Caption:
    """Words some of a clip's facts; the generator chooses which, and how."""
    if generator.random() < FULL_SHARE:
        stated = list(ORDER)
    else:
        stated = list(generator.choice(PROMPTED, size=1 + int(generator.random() < 0.4), replace=False))
    return Caption(_worded(stated, facts, generator), {concept: facts[concept] for concept in stated})


def prompts(concept: str, generator: np.random.Generator) -> list[str]:
    """A prompt for every class of a concept, all in one frame, each with a synonym of its class."""
    frame = str(generator.choice(FRAMES))
    return [frame.format(_word(concept, code, generator)) for code in range(len(CONCEPTS[concept]))]


def truth(captions: Sequence[Caption], facts: Sequence[Mapping[str, int]]) -> NDArray[np.bool_]:
    """Whether caption i is true of clip j: (captions, clips)."""
    rows = [
        [all(clip[name] == code for name, code in each.facts.items()) for clip in facts] for each in captions
    ]
    return np.array(rows, dtype=bool)


def tempo_class(tempo_bpm: float) -> int:
    """Code of slow, medium or fast, as the captions of rendered datasets draw the line."""
    return next(code for code, (below, _) in enumerate(TEMPO_WORDS) if tempo_bpm < below)


def _worded(stated: Sequence[str], facts: Mapping[str, int], generator: np.random.Generator) -> str:
    parts: list[str] = []
    for concept in sorted(stated, key=ORDER.index):
        word = _word(concept, facts[concept], generator)
        if concept in JOINTS and parts:
            word = f"{generator.choice(JOINTS[concept])} {word}"
        parts.append(word)
    if len(parts) > 2 and generator.random() < 0.3:
        parts = [parts[place] for place in generator.permutation(len(parts))]
    joined = (", " if generator.random() < 0.4 else " ").join(parts)
    return str(generator.choice(FRAMES)).format(joined)


def _word(concept: str, code: int, generator: np.random.Generator) -> str:
    return str(generator.choice(WORDS[concept][CONCEPTS[concept][code]]))


def vocabulary() -> list[str]:
    """Every word that a caption can hold, and the connecting words of the captions of rendered datasets."""
    phrases = [word for words in WORDS.values() for forms in words.values() for word in forms]
    phrases += [*FRAMES, *(joint for joints in JOINTS.values() for joint in joints)]
    phrases += ["a an the of in on at and with without some solo lead playing piece featuring music lead"]
    words = " ".join(phrases).lower().replace("{}", " ").replace("-", " ").replace(",", " ").split()
    return list(dict.fromkeys(words))
