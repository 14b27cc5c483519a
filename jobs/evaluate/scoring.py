"""Zero-shot scores: stored audio embeddings against the texts of a set of prompts, without any audio."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.evaluate.items import Items
from jobs.evaluate.prompts import PromptSet
from jobs.evaluate.records import EVALUATIONS, evaluations_table, item_columns, now, scores
from jobs.evaluate.stored import read_embeddings
from pipelines.scorers.clap import ClapModel, cosines, zero_shot
from store.opening import Store
from store.results.parts import write_results

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
    heard = Items(items.dataset, tuple(items.members[place] for place in places))
    return [_score(store, heard, embeddings, prompts, clap) for prompts in prompt_sets]


def _score(
    store: Store, items: Items, embeddings: NDArray[np.float32], prompts: PromptSet, clap: ClapModel
) -> PromptScores:
    texts = clap.embed_text(list(prompts.texts.values()))
    measures = {
        "probability": zero_shot(embeddings, texts, clap.info.scale),
        "cosine": cosines(embeddings, texts),
    }
    specification = {
        "scorer": "clap",
        "version": clap.info.fingerprint,
        "concept": prompts.concept,
        "texts": dict(prompts.texts),
        "items": sorted((item.item_id, item.sha256) for item in items.members),
    }
    write_results(store, EVALUATIONS, specification, _rows(items, prompts, measures, clap))
    return PromptScores(prompts, tuple(items.ids), measures["probability"], _alike(prompts, texts))


def _alike(prompts: PromptSet, texts: NDArray[np.float32]) -> tuple[str, ...]:
    """Classes whose text another class's text (rows of length one, (C, E)) cannot be told from."""
    others = texts @ texts.T - 2 * np.eye(len(texts), dtype=np.float32)
    return tuple(name for name, same in zip(prompts.texts, others.max(axis=1) > ALIKE, strict=True) if same)


def _rows(
    items: Items, prompts: PromptSet, measures: dict[str, NDArray[np.float64]], clap: ClapModel
) -> pa.Table:
    columns = [item_columns(item.planned, items.dataset) for item in items.members]
    common = {
        "scorer": "clap",
        "scorer_name": clap.info.name,
        "scorer_version": clap.info.fingerprint,
        "concept": prompts.concept,
        "prompt_set": prompts.digest,
        "created_at": now(),
    }
    return evaluations_table(
        [
            row
            for measure, values in measures.items()
            for row in scores(columns, values, prompts.texts, measure=measure, **common)
        ]
    )
