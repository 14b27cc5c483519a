"""Zero-shot scores: for each class of a concept the words that are compared with stored audio embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobs.evaluate.items import Items
from jobs.evaluate.records import CLAP, read_embeddings, score_rows
from jobs.user_files import read_toml
from pipelines.scorers.clap import TEMPLATE, ClapModel, cosines, zero_shot
from store.errors import InvalidInput
from store.opening import Store
from store.results.parts import digest_of, write_results
from store.results.sounds import EVALUATIONS, EvaluationRow
from store.results.table import now

FORM = 'CONCEPT=CLASS,CLASS,…, for example "style=rock,jazz,classical"'
BRACES = "{}"


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The classes among which probability is divided, and the text that stands for each."""

    concept: str
    texts: Mapping[str, str]
    """By class, as they are given to the model."""

    @property
    def digest(self) -> str:
        """Stands for classes and texts: a probability holds within one set alone."""
        return digest_of(dict(self.texts))


GivenPrompts = Sequence[str] | Mapping[str, Mapping[str, str]]
"""Sets of prompts as texts of the command line; or by concept and class the words."""


def parse_prompts(values: GivenPrompts, template: str = TEMPLATE) -> list[PromptSet]:
    """Reads --prompts: each value is a set, or a TOML file of several.

    A class may bring words of its own: "tempo=slow:slow music,fast:fast music". In a file, a table per
    concept has a line per class: `[tempo]`, then `slow = "slow music"`.

    Args:
        values: as the user gave them.
        template: what the words of a class are put into, at its braces.

    Raises:
        InvalidInput: a value is of neither form, a set has one class only, or the template has no braces.
    """
    if template.count(BRACES) != 1:
        raise InvalidInput(f"The template {template!r} must hold {BRACES} once, where the class goes.")
    words: dict[str, Mapping[str, str]] = dict(values) if isinstance(values, Mapping) else {}
    for value in () if isinstance(values, Mapping) else values:
        found = _read_file(Path(value)) if value.endswith(".toml") else dict([_parse_set(value)])
        for concept, classes in found.items():
            if concept in words:
                raise InvalidInput(
                    f"There are two sets of prompts for {concept!r}; give one of them another name."
                )
            words[concept] = classes
    return [_filled(concept, classes, template) for concept, classes in words.items()]


def _filled(concept: str, words: Mapping[str, str], template: str) -> PromptSet:
    if len(words) < 2:
        raise InvalidInput(f"The prompts for {concept!r} have one class; a probability needs two or more.")
    return PromptSet(concept, {name: template.replace(BRACES, word) for name, word in words.items()})


def _parse_set(value: str) -> tuple[str, dict[str, str]]:
    concept, equals, classes = value.partition("=")
    names = [part.strip() for part in classes.split(",")]
    if not equals or not concept.strip() or not all(names):
        raise InvalidInput(f"Prompts {value!r} are neither of the form {FORM}, nor a .toml file.")
    pairs = [_parse_class(name) for name in names]
    if repeated := [name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1]:
        raise InvalidInput(f"Prompts {value!r} name the class {repeated[0]!r} twice.")
    return concept.strip(), dict(pairs)


def _parse_class(text: str) -> tuple[str, str]:
    name, colon, words = text.partition(":")
    return name.strip(), words.strip() if colon and words.strip() else name.strip()


def _read_file(path: Path) -> dict[str, Mapping[str, str]]:
    content = read_toml(path)
    for concept, classes in content.items():
        if not isinstance(classes, dict) or not all(isinstance(word, str) for word in classes.values()):
            raise InvalidInput(
                f'{str(path)!r}: [{concept}] must be a table with a line per class: slow = "slow music".'
            )
    return content


ALIKE = 1 - 1e-5
"""Cosine of texts from which on they are the same to a model."""


@dataclass(frozen=True, slots=True)
class PromptScores:
    """How probable each class of a concept is for each of n items."""

    prompts: PromptSet
    item_ids: tuple[str, ...]
    probabilities: NDArray[np.float64]
    """(n, C), classes in the order of the prompts."""
    alike: tuple[str, ...]
    """Classes whose texts are one to the model, as it may not know their words."""


def score_prompts(
    store: Store, items: Items, prompt_sets: Sequence[PromptSet], clap: ClapModel
) -> list[PromptScores]:
    """Scores the items that have a stored embedding, and writes one part of results/evaluations per set.

    Raises:
        MissingRows: none of the items has an embedding of this CLAP.
    """
    places, embeddings = read_embeddings(store, items, clap.info.fingerprint)
    embedded = Items(items.dataset, tuple(items.members[place] for place in places))
    return [_score(store, embedded, embeddings, prompts, clap) for prompts in prompt_sets]


def _score(
    store: Store, items: Items, embeddings: NDArray[np.float32], prompts: PromptSet, clap: ClapModel
) -> PromptScores:
    texts = clap.embed_text(list(prompts.texts.values()))
    measures = {
        "probability": zero_shot(embeddings, texts, clap.info.scale),
        "cosine": cosines(embeddings, texts),
    }
    specification = {
        "scorer": CLAP,
        "version": clap.info.fingerprint,
        "concept": prompts.concept,
        "texts": dict(prompts.texts),
        "items": sorted((item.item_id, item.sha256) for item in items.members),
    }
    write_results(
        store, EVALUATIONS.kind, specification, EVALUATIONS.of(_rows(items, prompts, measures, clap))
    )
    return PromptScores(prompts, tuple(items.ids), measures["probability"], _alike(prompts, texts))


def _alike(prompts: PromptSet, texts: NDArray[np.float32]) -> tuple[str, ...]:
    """Classes whose text another class's text (rows of length one, (C, E)) cannot be told from."""
    others = texts @ texts.T - 2 * np.eye(len(texts), dtype=np.float32)
    return tuple(name for name, same in zip(prompts.texts, others.max(axis=1) > ALIKE, strict=True) if same)


def _rows(
    items: Items, prompts: PromptSet, measures: dict[str, NDArray[np.float64]], clap: ClapModel
) -> list[EvaluationRow]:
    common = EvaluationRow(
        scorer=CLAP,
        scorer_name=clap.info.name,
        scorer_version=clap.info.fingerprint,
        concept=prompts.concept,
        prompt_set=prompts.digest,
        created_at=now(),
    )
    return [
        row
        for measure, values in measures.items()
        for row in score_rows(items, values, prompts.texts, replace(common, measure=measure))
    ]
