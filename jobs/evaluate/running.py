"""Run an evaluation: embed what is new, score the prompts, sum up."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jobs.evaluate.items import Items, clips_of, generations_of
from jobs.evaluate.options import JUDGE, EvaluateOptions
from jobs.evaluate.scorers import scorer_version
from jobs.evaluate.scoring import Scoring, score_items
from jobs.evaluate.zero_shot import PromptScores, PromptSet, parse_prompts, score_prompts
from jobs.progress.logs import about_run
from pipelines.scorers.clap import ClapModel, load_clap
from pipelines.scorers.protocol import load_scorer
from store import Store, open_store


def run_evaluation(options: EvaluateOptions) -> dict[str, Any]:
    """Embed and score; returns a summary as JSON values.

    Raises:
        UndertoneError: an option is not legal, or the work cannot go on; what was scored stays stored.
    """
    prompt_sets = parse_prompts(options.prompts, options.template)
    versions = {name: scorer_version(name, load_scorer(name)) for name in options.sound_scorers}
    store = open_store(options.store)
    items = _items(store, options)
    store = open_store(options.store, create=True)  # for writing: refuses what cannot be written safely
    summary: dict[str, Any] = {"items": len(items.members)}
    with about_run(options.dataset or "generations"):
        for name, version in versions.items():
            summary[scorer_key(name)] = _told(score_items(store, items, name, version, options))
        if prompt_sets:
            summary |= _with_clap(store, items, prompt_sets, options)
    return summary


def _items(store: Store, options: EvaluateOptions) -> Items:
    if options.dataset is not None:
        return clips_of(store, options.dataset)
    assert options.generations is not None
    return generations_of(store, options.generations)


def scorer_key(scorer: str) -> str:
    """Where a summary says what a scorer of sounds has done."""
    return scorer if scorer == JUDGE else f"scorer_{scorer}"


def scorings(summary: Mapping[str, Any], options: EvaluateOptions) -> dict[str, Mapping[str, Any]]:
    """What a summary says of each scorer, by its name; of CLAP by "embeddings"."""
    found = {name: summary[scorer_key(name)] for name in options.sound_scorers}
    return found | ({"embeddings": summary["embeddings"]} if "embeddings" in summary else {})


def _with_clap(
    store: Store, items: Items, prompt_sets: list[PromptSet], options: EvaluateOptions
) -> dict[str, Any]:
    clap = load_clap(options.clap)
    scoring = score_items(store, items, f"clap:{options.clap}", clap.info.fingerprint, options)
    scored = score_prompts(store, items, prompt_sets, clap)
    return {
        "clap": f"{clap.info.name} {clap.info.fingerprint}",
        "embeddings": _told(scoring),
        "mean_probability": {result.prompts.concept: _means(result) for result in scored},
        **_accuracies(store, items, scored),
        **_notes(clap, scored),
    }


def _notes(clap: ClapModel, scored: list[PromptScores]) -> dict[str, str]:
    """Says which classes a model cannot tell apart: their probabilities mean nothing."""
    alike = [f"{', '.join(one.alike)} of {one.prompts.concept}" for one in scored if one.alike]
    if not alike:
        return {}
    return {
        "note": f"{clap.info.name} cannot tell apart {'; '.join(alike)}: it does not know their words. "
        "Choose others (CLASS:words), or another --clap."
    }


def _told(scoring: Scoring) -> dict[str, Any]:
    told: dict[str, Any] = {
        "stored_before": scoring.stored_before,
        "scored": scoring.scored,
        "failed": len(scoring.failures),
        "seconds": scoring.seconds,
    }
    if scoring.failures:
        first = scoring.failures[0]
        told["first_failure"] = f"{first.item}: {first.message}"
    return told


def _means(result: PromptScores) -> dict[str, float]:
    means = result.probabilities.mean(axis=0)
    return {name: round(float(mean), 3) for name, mean in zip(result.prompts.texts, means, strict=True)}


def _accuracies(store: Store, items: Items, scored: list[PromptScores]) -> dict[str, Any]:
    """Share of clips whose likeliest class is their label, for concepts that are labels of the dataset."""
    if items.dataset is None:
        return {}
    labels = {clip.clip_id: clip.labels for clip in store.dataset(items.dataset).clips()}
    found: dict[str, float] = {}
    for result in scored:
        names = list(result.prompts.texts)
        best = [names[place] for place in result.probabilities.argmax(axis=1)]
        actual = [labels[item_id].get(result.prompts.concept) for item_id in result.item_ids]
        known = [
            (guess, str(label)) for guess, label in zip(best, actual, strict=True) if str(label) in names
        ]
        if known:
            found[result.prompts.concept] = round(
                float(np.mean([guess == label for guess, label in known])), 3
            )
    return {"accuracy": found} if found else {}
