"""Resolves labels: from a SQL query over the catalog to concepts on the rows of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.concepts import Concept, rare_classes_note, require_contrast, without_rare_classes
from analysis.data_findings import first_names
from jobs.fitting.label_query import (
    GROUP_COLUMNS,
    SPLIT_COLUMN,
    ask_for_labels,
    concept_names,
    labels_there_are,
    read_column,
)
from jobs.fitting.labelled_clips import KnownClip, notes_on_clips, read_clips, united
from store.arrays.collection import Collection
from store.arrays.commits import STATES
from store.arrays.rows import places_in
from store.catalog.catalog import refresh_catalog
from store.catalog.query import DEFAULT_TIMEOUT_SECONDS, legible_sql
from store.errors import InvalidInput
from store.opening import Store
from store.results.parts import digest_of, write_results
from store.results.schemas import TABLES

Texts = NDArray[np.str_]
CURE = "Those are clips of this run: check the WHERE of the label query, or leave the column out."


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows of a run that have at least one label, in plan order."""

    run_id: str
    query: str
    labels_hash: str
    """Stands for the resolved labels, groups and splits."""
    clip_ids: tuple[str, ...]
    groups: Texts
    """What a split must not cut through, (N,)."""
    splits: Texts
    """The dataset's own split, "" where there is none, (N,)."""
    concepts: tuple[Concept, ...]
    all_groups: tuple[str, ...]
    """Groups of the whole run: folds are dealt among them, so that they are the same for all labels."""
    notes: tuple[str, ...]
    """What a user should know: how many labels were left out, and why."""

    def hash_of(self, concept: Concept) -> str:
        """Stands for one concept's labels as they were resolved, whatever else the query gave.

        Tables of results have it in the column `labels_hash`, so that they join.
        """
        rows = np.flatnonzero(concept.labelled)
        named = [concept.classes[code] for code in concept.values[rows]] if concept.classes else []
        values = named or [repr(value) for value in concept.values[rows].tolist()]
        return digest_of([self.run_id, concept.name, [self.clip_ids[row] for row in rows], values])


def resolve_labels(
    store: Store,
    run: Collection,
    query: str,
    *,
    tables: Mapping[str, pa.Table] | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> LabelledRows:
    """Run a label query and join it with the committed rows of a run. No model and no audio is touched.

    The query gives `clip_id` and one column per concept: text and booleans are classes, numbers are
    regressed. A column `grp` (or `group_id`) replaces the dataset's groups, `split` its splits.

    Args:
        store: where the catalog is.
        run: the run whose rows are labelled.
        query: one SELECT over the catalog and `tables`.
        tables: tables of the user that the query may read, by name.
        timeout_seconds: what the query may take.

    Raises:
        QueryRefused: the query is wrong.
        InvalidInput: its result cannot label this run; the message says why, with counts.
    """
    catalog = refresh_catalog(store)
    run_id = run.prefix.removeprefix("runs/")
    answer, nameless = ask_for_labels(
        catalog, run_id, query, tables=tables or {}, timeout_seconds=timeout_seconds
    )
    clips = read_clips(catalog, run_id, timeout_seconds=timeout_seconds)
    place, notes = _places(run, answer)
    known = [clips[clip] for clip in place.clip_ids]
    given = _texts(answer, GROUP_COLUMNS, place, [clip.group for clip in known])
    splits = _texts(answer, (SPLIT_COLUMN,), place, [clip.split for clip in known])
    members = _members(answer, given, place, clips)
    one_group = united(clips, members)
    groups = np.array([one_group.get(group, group) for group in given.tolist()], dtype=np.str_)
    columns = {name: answer.column(name).take(pa.array(place.rows)) for name in concept_names(answer)}
    _refuse_nulls(columns, catalog, run_id)
    concepts: list[Concept] = []
    for name, column in columns.items():
        concept, said = _concept(name, column, groups, known)
        concepts.append(concept)
        notes += said
    kept = np.logical_or.reduce([concept.labelled for concept in concepts])
    notes += _notes_on_clips(run, columns, known, given, one_group)
    resolved = [concept.subset(kept) for concept in concepts]
    clip_ids = tuple(clip for clip, keep in zip(place.clip_ids, kept, strict=True) if keep)
    return LabelledRows(
        run_id,
        legible_sql(query),
        _hash(run_id, clip_ids, groups[kept], splits[kept], resolved),
        clip_ids,
        groups[kept],
        splits[kept],
        tuple(resolved),
        tuple(sorted({one_group.get(group, group) for group in members.values()})),
        (*nameless, *notes),
    )


def record_labels(store: Store, labels: LabelledRows) -> list[str]:
    """Keep the resolved labels in results/labels (view `results_labels`); returns the part of each concept.

    A concept that two queries resolve alike is one part: its rows are there once.
    """
    parts = []
    for concept in labels.concepts:
        table = _recorded(labels, concept)
        cut = digest_of([table["group_id"].to_pylist(), table["split"].to_pylist()])
        specification = {"run": labels.run_id, "labels": labels.hash_of(concept), "cut": cut}
        parts.append(write_results(store, "labels", specification, table))
    return parts


@dataclass(frozen=True, slots=True)
class _Places:
    """Labelled clips of the run in plan order, and the row of the answer that labels each."""

    clip_ids: tuple[str, ...]
    rows: NDArray[np.int64]


def _places(run: Collection, answer: pa.Table) -> tuple[_Places, list[str]]:
    """Join answer and run; notes count what did not meet."""
    index, planned = run.index(), run.plan().clip_ids.combine_chunks()
    asked = answer["clip_id"].combine_chunks()
    _, usable = index.usable
    rows = places_in(asked, usable)
    met = rows >= 0
    if not met.any():
        raise InvalidInput(
            f"None of the {len(asked)} clips of the label query has activations in {run.prefix} "
            f"({len(usable)} clips have): does the query name the dataset of this run?"
        )
    labelled = _labelled_clips(answer)
    places, known = index.find(labelled), places_in(planned, labelled) >= 0
    counts = {
        "labelled clips are not in this run": int((~known).sum()),
        "labelled clips failed in this run": int((~np.append(index.has_numbers, True)[places]).sum()),
        "labelled clips are not extracted yet": int((known & (places < 0)).sum()),
        "extracted clips have no row in the label query": int((~met).sum()),
    }
    notes = [f"{count} {what}." for what, count in counts.items() if count]
    return _Places(tuple(usable.filter(pa.array(met)).to_pylist()), rows[met]), notes


def _labelled_clips(answer: pa.Table) -> pa.ChunkedArray:
    """Clips with at least one label that is not NULL."""
    said = [answer[name].is_valid().to_numpy() for name in concept_names(answer)]
    return answer["clip_id"].filter(pa.array(np.logical_or.reduce(said)))


def _refuse_nulls(columns: Mapping[str, pa.ChunkedArray], catalog: Path, run_id: str) -> None:
    for name, column in columns.items():
        if column.null_count == len(column):
            raise InvalidInput(
                f"Label {name!r} is NULL for all {len(column)} clips of this run. "
                f"{labels_there_are(catalog, run_id)}"
            )


def _texts(answer: pa.Table, names: Sequence[str], place: _Places, default: list[str | None]) -> Texts:
    """A column of the query as text where it gives one, otherwise what the dataset says."""
    name = next((name for name in names if name in answer.column_names), None)
    if name is None:
        return np.array([text or "" for text in default], dtype=np.str_)
    given = answer.column(name).take(pa.array(place.rows)).to_pylist()
    return np.array(
        [str(own) if own is not None else text or "" for own, text in zip(given, default, strict=True)],
        dtype=np.str_,
    )


def _members(
    answer: pa.Table, given: Texts, place: _Places, clips: Mapping[str, KnownClip]
) -> dict[str, str]:
    """Groups of every planned clip, or of the labelled ones where the query defines groups itself."""
    if any(name in answer.column_names for name in GROUP_COLUMNS):
        return dict(zip(place.clip_ids, given.tolist(), strict=True))
    return {clip: known.group for clip, known in clips.items()}


def _notes_on_clips(
    run: Collection,
    columns: Mapping[str, pa.ChunkedArray],
    known: Sequence[KnownClip],
    given: Texts,
    one_group: Mapping[str, str],
) -> list[str]:
    """Of the clips that have a label."""
    labels = {name: column.to_pylist() for name, column in columns.items()}
    some = [place for place in range(len(known)) if any(labels[name][place] is not None for name in labels)]
    index = run.index()
    silent = set(index.clip_ids.filter(pa.array(index.states == STATES.index("silent"))).to_pylist())
    return notes_on_clips(
        [known[place] for place in some],
        [str(given[place]) for place in some],
        {name: [values[place] for place in some] for name, values in labels.items()},
        united=one_group,
        silent_ids=silent,
    )


def _concept(
    name: str, column: pa.ChunkedArray, groups: Texts, clips: Sequence[KnownClip]
) -> tuple[Concept, list[str]]:
    """One column as a concept, with notes; raises `InvalidInput` where nothing can be learned from it."""
    found = read_column(name, column)
    notes = []
    if missing := np.flatnonzero(~found.labelled).tolist():
        names = first_names([clips[place].name for place in missing])
        notes.append(f"{name}: {len(missing)} of {len(column)} clips have no label (NULL): {names}.")
    found, rare = without_rare_classes(found, groups)
    if rare:
        notes.append(rare_classes_note(name, rare, rows="clips"))
    require_contrast(found, rows="clips", cure=CURE)
    return found, notes


def _hash(
    run_id: str, clip_ids: Sequence[str], groups: Texts, splits: Texts, concepts: Sequence[Concept]
) -> str:
    described = [
        [concept.name, concept.kind, list(concept.classes), [str(value) for value in concept.values.tolist()]]
        for concept in concepts
    ]
    return digest_of([run_id, list(clip_ids), groups.tolist(), splits.tolist(), described])


def _recorded(labels: LabelledRows, concept: Concept) -> pa.Table:
    rows = concept.labelled
    is_class = concept.kind == "class"
    values = concept.values[rows]
    count = int(rows.sum())
    texts = [concept.classes[code] for code in values] if is_class else [None] * count
    columns = {
        "labels_hash": pa.repeat(pa.scalar(labels.hash_of(concept)), count),
        "run_id": pa.repeat(pa.scalar(labels.run_id), count),
        "concept": pa.repeat(pa.scalar(concept.name), count),
        "clip_id": pa.array(np.array(labels.clip_ids)[rows].tolist(), pa.string()),
        "group_id": pa.array(labels.groups[rows].tolist(), pa.string()),
        "split": pa.array([split or None for split in labels.splits[rows].tolist()], pa.string()),
        "class": pa.array(texts, pa.string()),
        "number": pa.array([None] * count if is_class else values.tolist(), pa.float64()),
    }
    return TABLES["labels"].of_columns(columns)
