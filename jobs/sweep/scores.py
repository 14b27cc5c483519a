"""Read the scores of a sweep's generations from a store: numbers, similarities and embeddings."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from analysis.effects.audio_distances import ReferenceSet, reference_set
from analysis.effects.scores import Floats, ScoreKey, Scores
from jobs.evaluate.records import EMBEDDINGS, EVALUATIONS
from jobs.sweep.scoring import SIMILARITIES
from store.catalog.asking import Catalog
from store.opening import Store

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
    if not Catalog.of(store).has(EVALUATIONS):
        return {}, {}
    named = " ".join(f"WHEN '{scorer}' THEN '{version}'" for scorer, version in versions.items())
    counted = f"scorer_version = CASE scorer {named} ELSE scorer_version END" if named else "true"
    query = f"""
        WITH scored AS (FROM {EVALUATIONS} JOIN wanted USING (item_id) WHERE {counted}),
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
    if not Catalog.of(store).has(SIMILARITIES):
        return {}
    query = f"""
        SELECT item_id, reference_id, measure, arg_max(value, created_at) AS value
        FROM {SIMILARITIES} JOIN wanted USING (item_id) WHERE value IS NOT NULL GROUP BY ALL
    """  # noqa: S608 (our own words)
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in _ask(store, query, wanted).to_pylist():
        found.setdefault((row["item_id"], row["reference_id"]), {})[row["measure"]] = row["value"]
    return found


def _references(
    store: Store, references: Mapping[str, Mapping[str, str]], clap: str
) -> dict[str, ReferenceSet]:
    """Of each concept those clips that the CLAP of this fingerprint has heard."""
    query = f"""
        SELECT item_id, arg_max(embedding, created_at) AS embedding
        FROM {EMBEDDINGS} JOIN wanted USING (item_id)
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
    """Fingerprint of the CLAP that is named, else of the one that heard last, and what it heard."""
    if not Catalog.of(store).has(EMBEDDINGS):
        return None, None
    counted = "true" if version is None else f"clap_fingerprint = '{version}'"
    query = f"""
        WITH heard AS (FROM {EMBEDDINGS} JOIN wanted USING (item_id) WHERE {counted})
        SELECT item_id, arg_max(embedding, created_at) AS embedding, any_value(clap_fingerprint) AS clap
        FROM heard
        WHERE clap_fingerprint = (SELECT arg_max(clap_fingerprint, created_at) FROM heard) GROUP BY item_id
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
