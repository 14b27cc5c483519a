"""Labels of a sweep's concepts, each query resolved once, for directions, classifiers and probes."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from analysis.concepts import Concept
from jobs.fitting.labels import LabelledRows, resolve_labels
from jobs.sweep.configuration import SweepConfiguration
from store.arrays.collection import Collection
from store.catalog.quoting import sql_name, sql_value
from store.errors import InvalidInput
from store.opening import Store

FOLDS = 5
"""Of directions and of scorers that are fitted on clips; the groups of a run must suffice for them."""
REFERENCE_CLIPS = 256
"""Clips of a concept that sounds are compared with: enough for a distance, few enough to listen to."""


@dataclass(frozen=True, slots=True, eq=False)
class ConceptLabels:
    """Labels of one concept."""

    concept: Concept
    rows: LabelledRows
    """All clips with a label."""
    direction_rows: LabelledRows
    """Those that directions are fitted on: all of them, or half of their groups."""
    direction_query: str
    """That names these."""
    reference: Mapping[str, tuple[str, str]]
    """A sample of the clips that have a class, for comparing sounds with: group and class by clip."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Of the concept."""
        return self.concept.classes

    @property
    def direction_hash(self) -> str:
        """Stands for the labels that directions are fitted on."""
        rows = self.direction_rows
        return rows.hash_of(next(one for one in rows.concepts if one.name == self.concept.name))


def resolve_concepts(
    store: Store, run: Collection, configuration: SweepConfiguration
) -> dict[str, ConceptLabels]:
    """Labels of every concept that a sweep steers or measures, by its name.

    Raises:
        InvalidInput: a query gives no classes; the message says what to write.
    """
    queries = label_queries(configuration, run.document["dataset"]["name"])
    halved = configuration.direction_clips == "half"
    return {
        name: resolve_concept(store, run, name, query, half_of(query) if halved else query)
        for name, query in queries.items()
    }


def resolve_concept(
    store: Store, run: Collection, name: str, query: str, direction_query: str
) -> ConceptLabels:
    """Labels of one concept by two queries; where they are the same, it is resolved once."""
    rows = resolve_labels(store, run, query)
    concept = _concept(rows, name)
    same = direction_query == query
    direction_rows = rows if same else resolve_labels(store, run, direction_query)
    direction_rows.folds(FOLDS)  # refuses too few groups before anything is fitted or made
    return ConceptLabels(concept, rows, direction_rows, direction_query, _sample(rows, concept))


def label_queries(configuration: SweepConfiguration, dataset: str) -> Mapping[str, str]:
    """The query of each concept: that of the file, or the dataset's column of its name."""
    queries = {one.name: one.labels or _label_query(one.name, dataset) for one in configuration.concepts}
    return queries | {
        name: _label_query(name, dataset) for name in configuration.measure if name not in queries
    }


def half_of(labels: str) -> str:
    """The labels of half of the groups, by a hash of their names."""
    return (
        f"SELECT l.* FROM ({labels.rstrip().rstrip(';')}) AS l JOIN clips USING (clip_id) "  # noqa: S608
        "WHERE md5(clips.group_id) < '8'"
    )


def _label_query(concept: str, dataset: str) -> str:
    column = sql_name(concept)
    return (
        f"SELECT clip_id, {column} FROM clips "  # noqa: S608 (quoted)
        f"WHERE dataset = {sql_value(dataset)} AND {column} IS NOT NULL"
    )


def _concept(rows: LabelledRows, name: str) -> Concept:
    found = {concept.name: concept for concept in rows.concepts}
    if name not in found or found[name].kind != "class":
        raise InvalidInput(
            f"The labels of {name!r} must be a column of that name with classes, not numbers; the query "
            f"gives {', '.join(found)}. Make classes with CASE WHEN … THEN … ELSE … END AS {name}."
        )
    return found[name]


def _sample(rows: LabelledRows, concept: Concept) -> dict[str, tuple[str, str]]:
    """Clips that have a class, in order of a hash, with group and class."""
    labelled = {
        clip: (str(group), concept.classes[int(code)])
        for clip, group, code, known in zip(
            rows.clip_ids, rows.groups, concept.values, concept.labelled, strict=True
        )
        if known
    }
    chosen = sorted(labelled, key=lambda clip: sha256(clip.encode()).digest())[:REFERENCE_CLIPS]
    return {clip: labelled[clip] for clip in chosen}
