"""Accuracy of scorers on labelled recordings of the run: can they hear what is steered?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from analysis.effects.scores import ScorerAccuracy, accuracy_of
from jobs.evaluate.records import EVALUATIONS
from jobs.sweep.expansion import ExpandedSweep
from jobs.sweep.labels import ConceptLabels
from jobs.sweep.table import write_newest
from store.catalog.asking import Catalog
from store.opening import Store
from store.results.schemas import TABLES

KIND = "scorer_accuracy"

SCHEMA = TABLES[KIND].schema()


def heard_accuracies(
    store: Store,
    concepts: Mapping[str, ConceptLabels],
    scorer: str,
    version: str,
    *,
    prompt_sets: Mapping[str, str] | None = None,
    unknown: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[ScorerAccuracy]:
    """Accuracy of a scorer whose verdicts on labelled clips are stored, for each concept that it knows.

    Args:
        store: where they are.
        concepts: labels by concept; a sample of their clips counts.
        scorer: "clap" or "judge".
        version: which one.
        prompt_sets: by concept, the digest of the texts that CLAP was asked with.
        unknown: by concept, classes whose words CLAP does not know.
    """
    for concept, labelled in concepts.items():
        sample = labelled.reference
        said = _verdicts(store, sample, scorer, version, concept, (prompt_sets or {}).get(concept))
        words = (unknown or {}).get(concept, ())
        if not said:
            if words:
                yield ScorerAccuracy(scorer, version, concept, unknown=tuple(words))
            continue
        clips = sorted(said)
        labels = [sample[clip][1] for clip in clips]
        if not set(labels) & set(said.values()):
            continue  # its classes of this name are others
        hits = np.array([said[clip] == label for clip, label in zip(clips, labels, strict=True)])
        yield accuracy_of(
            scorer,
            version,
            concept,
            hits,
            labels=labels,
            groups=[sample[clip][0] for clip in clips],
            unknown=words,
        )


def _verdicts(
    store: Store,
    clips: Iterable[str],
    scorer: str,
    version: str,
    concept: str,
    prompt_set: str | None,
) -> dict[str, str]:
    """The class that is most probable to a scorer, by clip; of equal ones always the same."""
    catalog = Catalog.of(store)
    if not catalog.has(EVALUATIONS):
        return {}
    query = f"""
        SELECT item_id, arg_max(class, (value, class)) AS class
        FROM {EVALUATIONS} e JOIN wanted w USING (item_id, concept)
        WHERE scorer = $scorer AND scorer_version = $version AND measure = 'probability'
            AND prompt_set IS NOT DISTINCT FROM $texts
        GROUP BY item_id
    """  # noqa: S608 (our own words)
    items = list(clips)
    wanted = pa.table({"item_id": items, "concept": [concept] * len(items)})
    rows = catalog.rows(query, tables={"wanted": wanted}, scorer=scorer, version=version, texts=prompt_set)
    return {row["item_id"]: row["class"] for row in rows}


def write_accuracies(store: Store, expanded: ExpandedSweep, found: Sequence[ScorerAccuracy]) -> None:
    """Write what every scorer of a sweep can hear."""
    common = {
        "sweep": expanded.configuration.name,
        "sweep_id": expanded.sweep_id,
        "run_id": expanded.run_id,
    }
    rows = [common | asdict(one) | {"unknown": list(one.unknown), "hears": one.hears} for one in found]
    write_newest(store, KIND, expanded.sweep_id, rows, SCHEMA)


def deaf_notes(found: Sequence[ScorerAccuracy]) -> list[str]:
    """A sentence for each concept that a scorer cannot hear."""
    notes = []
    for one in found:
        if one.unknown:
            notes.append(
                f"{one.scorer} cannot tell apart {', '.join(one.unknown)} of {one.concept}: it does not know "
                "their words. What it says of them is left out (NULL)."
            )
        if one.hears is False and one.accuracy is not None:
            notes.append(
                f"{one.scorer} cannot hear {one.concept}: it names the class of {one.accuracy:.2f} of "
                f"{one.clips} labelled clips ({one.low:.2f} to {one.high:.2f}), and always the same class "
                f"would be right for {one.chance:.2f}. What it says of {one.concept} is left out (NULL)."
            )
    return notes
