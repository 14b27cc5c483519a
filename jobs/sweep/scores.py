"""Scores of a sweep as its effects need them, and the accuracy of scorers on labelled recordings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from analysis.effects.audio_distances import ReferenceSet, reference_set
from analysis.effects.scores import Floats, ScoreKey, ScorerAccuracy, Scores, accuracy_of
from jobs.sweep.expansion import ExpandedSweep
from jobs.sweep.labels import ConceptLabels
from jobs.sweep.tables import write_newest
from store.catalog.asking import Catalog
from store.opening import Store
from store.results.sweeps import SCORER_ACCURACY, ScorerAccuracyRow

TIMEOUT_SECONDS = 600.0


def read_scores(
    store: Store,
    generation_ids: Sequence[str],
    references: Mapping[str, Mapping[str, str]] | None = None,
    *,
    prompt_sets: Mapping[str, str] | None = None,
    versions: Mapping[str, str] | None = None,
) -> Scores:
    """All scores of some generations: of each scorer the version that is named, else that which scored last.

    Args:
        store: where they are.
        generation_ids: which ones.
        references: by concept, clips that they are compared with, each with its group.
        prompt_sets: by concept, the digest of the texts that CLAP was asked with: other sets do not count.
        versions: by scorer, the one that counts.
    """
    wanted = pa.table({"item_id": list(dict.fromkeys(generation_ids))})
    places = {one: place for place, one in enumerate(wanted["item_id"].to_pylist())}
    numbers, names = _numbers(store, wanted, places, prompt_sets or {}, versions or {})
    clap, embeddings = _embeddings(store, wanted, places, (versions or {}).get("clap"))
    return Scores(
        places,
        numbers,
        _similarities(store, wanted),
        embeddings,
        names,
        _references(store, references or {}, clap) if clap else {},
    )


def _numbers(
    store: Store,
    wanted: pa.Table,
    places: Mapping[str, int],
    prompt_sets: Mapping[str, str],
    versions: Mapping[str, str],
) -> tuple[dict[ScoreKey, Floats], dict[str, str]]:
    if not Catalog.of(store).has("evaluations"):
        return {}, {}
    named = " ".join(f"WHEN '{scorer}' THEN '{version}'" for scorer, version in versions.items())
    counted = f"scorer_version = CASE scorer {named} ELSE scorer_version END" if named else "true"
    query = f"""
        WITH scored AS (FROM evaluations JOIN wanted USING (item_id) WHERE {counted}),
        latest AS (
            SELECT scorer, concept, arg_max(scorer_version, created_at) AS scorer_version,
                arg_max(scorer_name, created_at) AS scorer_name
            FROM scored GROUP BY scorer, concept
        )
        SELECT item_id, scorer, coalesce(s.concept, '') AS concept, coalesce(class, '') AS class, measure,
            prompt_set,
            arg_max(value, created_at) AS value,
            any_value(l.scorer_name || ' ' || l.scorer_version) AS version
        FROM scored s JOIN latest l USING (scorer, scorer_version)
        WHERE s.concept IS NOT DISTINCT FROM l.concept
        GROUP BY ALL
    """  # noqa: S608 (our own words)
    answer = _ask(store, query, wanted)
    numbers: dict[ScoreKey, Floats] = {}
    names: dict[str, str] = {}
    for row in answer.to_pylist():
        if row["prompt_set"] != (prompt_sets.get(row["concept"]) if row["scorer"] == "clap" else None):
            continue
        key = row["scorer"], row["concept"], row["class"], row["measure"]
        column = numbers.setdefault(key, np.full(len(places), np.nan))
        if row["value"] is not None:
            column[places[row["item_id"]]] = row["value"]
        names[row["scorer"]] = row["version"]
    return numbers, names


def _similarities(store: Store, wanted: pa.Table) -> dict[tuple[str, str], dict[str, float]]:
    if not Catalog.of(store).has("similarities"):
        return {}
    query = """
        SELECT item_id, reference_id, measure, arg_max(value, created_at) AS value
        FROM similarities JOIN wanted USING (item_id) WHERE value IS NOT NULL GROUP BY ALL
    """
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in _ask(store, query, wanted).to_pylist():
        found.setdefault((row["item_id"], row["reference_id"]), {})[row["measure"]] = row["value"]
    return found


def _references(
    store: Store, references: Mapping[str, Mapping[str, str]], clap: str
) -> dict[str, ReferenceSet]:
    """Of each concept those clips that the CLAP of this fingerprint has embedded."""
    query = f"""
        SELECT item_id, arg_max(embedding, created_at) AS embedding
        FROM embeddings JOIN wanted USING (item_id)
        WHERE clap_fingerprint = '{clap}' GROUP BY item_id ORDER BY item_id
    """  # noqa: S608 (our own words)
    found = {}
    for concept, groups in references.items():
        rows = _ask(store, query, pa.table({"item_id": list(groups)})).to_pylist()
        if len(rows) > 1:
            embeddings = np.array([row["embedding"] for row in rows], np.float64)
            found[concept] = reference_set(embeddings, [groups[row["item_id"]] for row in rows])
    return found


def _embeddings(
    store: Store, wanted: pa.Table, places: Mapping[str, int], version: str | None
) -> tuple[str | None, Floats | None]:
    """Fingerprint of the CLAP that is named, else of the one that embedded last, and its embeddings."""
    if not Catalog.of(store).has("embeddings"):
        return None, None
    counted = "true" if version is None else f"clap_fingerprint = '{version}'"
    query = f"""
        WITH embedded AS (FROM embeddings JOIN wanted USING (item_id) WHERE {counted})
        SELECT item_id, arg_max(embedding, created_at) AS embedding, any_value(clap_fingerprint) AS clap
        FROM embedded
        WHERE clap_fingerprint = (SELECT arg_max(clap_fingerprint, created_at) FROM embedded) GROUP BY item_id
    """  # noqa: S608 (our own words)
    rows = _ask(store, query, wanted).to_pylist()
    if not rows:
        return None, None
    embeddings = np.full((len(places), len(rows[0]["embedding"])), np.nan)
    for row in rows:
        embeddings[places[row["item_id"]]] = row["embedding"]
    return rows[0]["clap"], embeddings


def _ask(store: Store, query: str, wanted: pa.Table) -> pa.Table:
    return Catalog.of(store).ask(query, tables={"wanted": wanted}, timeout_seconds=TIMEOUT_SECONDS)


def stored_accuracies(
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
    if not catalog.has("evaluations"):
        return {}
    query = """
        SELECT item_id, arg_max(class, (value, class)) AS class
        FROM evaluations e JOIN wanted w USING (item_id, concept)
        WHERE scorer = $scorer AND scorer_version = $version AND measure = 'probability'
            AND prompt_set IS NOT DISTINCT FROM $texts
        GROUP BY item_id
    """
    items = list(clips)
    wanted = pa.table({"item_id": items, "concept": [concept] * len(items)})
    rows = catalog.rows(query, tables={"wanted": wanted}, scorer=scorer, version=version, texts=prompt_set)
    return {row["item_id"]: row["class"] for row in rows}


def write_accuracies(store: Store, expanded: ExpandedSweep, found: Sequence[ScorerAccuracy]) -> None:
    """Write how often every scorer of a sweep names the class of labelled clips."""
    rows = [
        ScorerAccuracyRow(
            sweep=expanded.configuration.name,
            sweep_id=expanded.sweep_id,
            run_id=expanded.run_id,
            above_chance=one.above_chance,
            **asdict(one),
        )
        for one in found
    ]
    write_newest(store, SCORER_ACCURACY, expanded.sweep_id, rows)


def inaccuracy_notes(found: Sequence[ScorerAccuracy]) -> list[str]:
    """A sentence for each concept whose classes a scorer cannot tell apart."""
    notes = []
    for one in found:
        if one.unknown:
            notes.append(
                f"{one.scorer} cannot tell apart {', '.join(one.unknown)} of {one.concept}: it does not know "
                "their words. What it says of them is left out (NULL)."
            )
        if one.above_chance is False and one.accuracy is not None:
            notes.append(
                f"{one.scorer} cannot tell classes of {one.concept} apart: it names the class of "
                f"{one.accuracy:.2f} of {one.clips} labelled clips ({one.low:.2f} to {one.high:.2f}), and "
                f"always the same class would be right for {one.chance:.2f}. What it says of {one.concept} "
                "is left out (NULL)."
            )
    return notes
