"""Resolve labels, from a SQL query over the catalog to concepts on the rows of a run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.concepts import Concept, rare_classes_note, require_contrast, without_rare_classes
from analysis.data_findings import MOST_NAMED, first_names
from analysis.splits import group_folds
from jobs.fitting.digests import CHUNK, Part, digest_of_parts
from jobs.fitting.label_query import (
    GROUP_COLUMNS,
    SPLIT_COLUMN,
    ask_for_labels,
    concept_names,
    labels_there_are,
    read_column,
)
from jobs.fitting.labelled_clips import KnownClips, notes_on_clips, read_clips, united
from store.arrays.collection import Collection
from store.arrays.commits import STATES
from store.arrays.rows import places_in
from store.catalog.catalog import refresh_catalog
from store.catalog.query import DEFAULT_TIMEOUT_SECONDS, legible_sql
from store.errors import InvalidInput, counted
from store.opening import Store
from store.results.parts import write_results
from store.results.schemas import TABLES

Texts = NDArray[np.str_]
CURE = "Those are clips of this run: check the WHERE of the label query, or leave the column out."


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """Rows of a run that have at least one label, in plan order."""

    run_id: str
    query: str
    labels_hash: str
    """Stands for the resolved labels, groups and splits."""
    clip_ids: tuple[str, ...]
    group_names: tuple[str, ...]
    """What a split must not cut through, sorted."""
    group_codes: NDArray[np.int32]
    """Place of each row's group among them, (N,)."""
    splits: Texts
    """The dataset's own split, "" where there is none, (N,)."""
    concepts: tuple[Concept, ...]
    all_groups: tuple[str, ...]
    """Groups of the whole run: folds are dealt among them, so that they are the same for all labels."""
    notes: tuple[str, ...]
    """What a user should know: how many labels were left out, and why."""

    @property
    def groups(self) -> Texts:
        """The group of each row by its name, (N,)."""
        return np.array(self.group_names, dtype=np.str_)[self.group_codes]

    def folds(self, count: int) -> NDArray[np.int8]:
        """Fold of each row, (N,), dealt among the groups of the whole run."""
        return group_folds(self.group_names, count, among=self.all_groups)[self.group_codes]

    def groups_hash(self) -> str:
        """Stands for the groups of the rows and of the run, which decide the folds."""
        groups = (self.group_names[code] for code in self.group_codes)
        return digest_of_parts([iter(self.clip_ids), groups, iter(self.all_groups)])

    def hash_of(self, concept: Concept) -> str:
        """Stands for one concept's labels as they were resolved, whatever else the query gave.

        Tables of results have it in the column `labels_hash`, so that they join.
        """
        for place, own in enumerate(self.concepts):
            if own is concept:
                return _hash_of(self, place)
        return _hash_of_concept(self, concept)


@lru_cache(maxsize=16)
def _hash_of(labels: LabelledRows, place: int) -> str:
    """Computed once: labels are equal to themselves alone."""
    return _hash_of_concept(labels, labels.concepts[place])


def _hash_of_concept(labels: LabelledRows, concept: Concept) -> str:
    rows = np.flatnonzero(concept.labelled)
    values = _texts_of(concept) if concept.classes else map(repr, concept.values[rows].tolist())
    return digest_of_parts([labels.run_id, concept.name, (labels.clip_ids[row] for row in rows), values])


def _texts_of(concept: Concept) -> Iterator[str]:
    """The classes of the rows that have one."""
    return (concept.classes[code] for code in concept.values[concept.labelled])


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
    known = clips.take(places_in(clips.column("clip_id"), place.clip_ids))
    given = _texts(answer, GROUP_COLUMNS, place, known.column("group_id"))
    splits = _texts(answer, (SPLIT_COLUMN,), place, known.column("split"))
    defined = any(name in answer.column_names for name in GROUP_COLUMNS)
    members = given if defined else clips.column("group_id")
    one_group = united(known if defined else clips, members)
    names, codes = _grouped(given, one_group)
    columns = {
        name: answer.column(name).take(pa.array(place.rows)).combine_chunks()
        for name in concept_names(answer)
    }
    _refuse_nulls(columns, catalog, run_id)
    found = [_concept(name, column, codes, known) for name, column in columns.items()]
    concepts = [concept for concept, _ in found]
    notes += [note for _, said in found for note in said]
    kept = np.logical_or.reduce([concept.labelled for concept in concepts])
    notes += _notes_on_clips(run, columns, known, given, one_group)
    resolved = tuple(concept.subset(kept) for concept in concepts)
    splits = splits.filter(pa.array(kept))
    clip_ids = tuple(place.clip_ids.filter(pa.array(kept)).to_pylist())
    used, own = np.unique(codes[kept], return_inverse=True)
    return LabelledRows(
        run_id,
        legible_sql(query),
        _hash(run_id, clip_ids, [names[code] for code in used], own, splits, resolved),
        clip_ids,
        tuple(names[code] for code in used),
        own.astype(np.int32),
        _as_texts(splits),
        resolved,
        tuple(sorted({one_group.get(group, group) for group in members.unique().to_pylist()})),
        (*nameless, *notes),
    )


def _grouped(given: pa.Array, one_group: Mapping[str, str]) -> tuple[list[str], NDArray[np.int64]]:
    """Names of groups in order, and the place of each row's among them, copies' groups put together."""
    coded = pc.dictionary_encode(given)
    renamed = [one_group.get(group, group) for group in coded.dictionary.to_pylist()]
    names = sorted(set(renamed))
    place = {name: number for number, name in enumerate(names)}
    return names, np.array([place[name] for name in renamed], np.int64)[coded.indices.to_numpy()]


def _as_texts(column: pa.Array) -> Texts:
    coded = pc.dictionary_encode(column)
    texts: Texts = np.array(coded.dictionary.to_pylist(), dtype=np.str_)
    return np.asarray(texts[coded.indices.to_numpy()])


def record_labels(store: Store, labels: LabelledRows) -> list[str]:
    """Keep the resolved labels in results/labels (view `results_labels`); returns the part of each concept.

    A concept that two queries resolve alike is one part: its rows are there once.
    """
    parts = []
    for concept in labels.concepts:
        table = _recorded(labels, concept)
        cut = digest_of_parts([_values(table["group_id"]), _values(table["split"])])
        specification = {"run": labels.run_id, "labels": labels.hash_of(concept), "cut": cut}
        parts.append(write_results(store, "labels", specification, table))
    return parts


@dataclass(frozen=True, slots=True)
class _Places:
    """Labelled clips of the run in plan order, and the row of the answer that labels each."""

    clip_ids: pa.StringArray
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
            f"({counted(len(usable), 'clip has', 'clips have')}): does the query name "
            "the dataset of this run?"
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
    return _Places(usable.filter(pa.array(met)), rows[met]), notes


def _labelled_clips(answer: pa.Table) -> pa.ChunkedArray:
    """Clips with at least one label that is not NULL."""
    said = [answer[name].is_valid().to_numpy() for name in concept_names(answer)]
    return answer["clip_id"].filter(pa.array(np.logical_or.reduce(said)))


def _refuse_nulls(columns: Mapping[str, pa.Array], catalog: Path, run_id: str) -> None:
    for name, column in columns.items():
        if column.null_count == len(column):
            raise InvalidInput(
                f"Label {name!r} is NULL for all {len(column)} clips of this run. "
                f"{labels_there_are(catalog, run_id)}"
            )


def _texts(answer: pa.Table, names: Sequence[str], place: _Places, default: pa.Array) -> pa.Array:
    """A column of the query as text where it gives one, otherwise what the dataset says."""
    name = next((name for name in names if name in answer.column_names), None)
    if name is None:
        return default
    given = answer.column(name).take(pa.array(place.rows)).combine_chunks()
    if not pa.types.is_string(given.type):
        given = pa.array([None if own is None else str(own) for own in given.to_pylist()], pa.string())
    return pc.coalesce(given, default)


def _notes_on_clips(
    run: Collection,
    columns: Mapping[str, pa.Array],
    known: KnownClips,
    given: pa.Array,
    one_group: Mapping[str, str],
) -> list[str]:
    """Of the clips that have a label."""
    some = np.logical_or.reduce(
        [column.is_valid().to_numpy(zero_copy_only=False) for column in columns.values()]
    )
    chosen, mask = known.take(some), pa.array(some)
    states = np.append(run.index().states, 0)[run.index().find(chosen.column("clip_id"))]
    return notes_on_clips(
        chosen,
        given.filter(mask),
        {name: column.filter(mask) for name, column in columns.items()},
        united=one_group,
        silent=states == STATES.index("silent"),
    )


def _concept(
    name: str, column: pa.Array, groups: NDArray[np.int64], clips: KnownClips
) -> tuple[Concept, list[str]]:
    """One column as a concept, with notes; raises `InvalidInput` where nothing can be learned from it."""
    found = read_column(name, column)
    notes = []
    if len(missing := np.flatnonzero(~found.labelled)):
        names = first_names(clips.names(missing[:MOST_NAMED]), len(missing))
        notes.append(f"{name}: {len(missing)} of {len(column)} clips have no label (NULL): {names}.")
    found, rare = without_rare_classes(found, groups)
    if rare:
        notes.append(rare_classes_note(name, rare, rows="clips"))
    require_contrast(found, rows="clips", cure=CURE)
    return found, notes


def _hash(
    run_id: str,
    clip_ids: Sequence[str],
    names: Sequence[str],
    codes: NDArray[np.integer[Any]],
    splits: pa.Array,
    concepts: Sequence[Concept],
) -> str:
    described = [_described(concept) for concept in concepts]
    groups = (names[code] for code in codes)
    return digest_of_parts([run_id, iter(clip_ids), groups, _values(splits), described])


def _described(concept: Concept) -> Part:
    values = map(str, concept.values.tolist())
    found: list[Part] = [concept.name, concept.kind, list(concept.classes), values]
    return found


def _values(column: pa.Array | pa.ChunkedArray) -> Iterator[str | None]:
    """Values of a column, of which a few thousand are objects at a time."""
    for start in range(0, len(column), CHUNK):
        yield from column.slice(start, CHUNK).to_pylist()


def _recorded(labels: LabelledRows, concept: Concept) -> pa.Table:
    rows = concept.labelled
    is_class = concept.kind == "class"
    values, count = concept.values[rows], int(rows.sum())
    texts = pa.DictionaryArray.from_arrays(
        pa.array(values if is_class else np.zeros(count), pa.int32()),
        pa.array(concept.classes or [""], pa.string()),
    )
    groups = pa.DictionaryArray.from_arrays(
        pa.array(labels.group_codes[rows]), pa.array(labels.group_names, pa.string())
    )
    splits = pa.array(labels.splits[rows], pa.string())
    columns = {
        "labels_hash": pa.repeat(pa.scalar(labels.hash_of(concept)), count),
        "run_id": pa.repeat(pa.scalar(labels.run_id), count),
        "concept": pa.repeat(pa.scalar(concept.name), count),
        "clip_id": pa.array(labels.clip_ids, pa.string()).filter(pa.array(rows)),
        "group_id": groups.cast(pa.string()),
        "split": pc.if_else(pc.equal(splits, ""), pa.scalar(None, pa.string()), splits),
        "class": texts.cast(pa.string()) if is_class else pa.nulls(count, pa.string()),
        "number": pa.nulls(count, pa.float64()) if is_class else pa.array(values, pa.float64()),
    }
    return TABLES["labels"].of_columns(columns)
