"""Check the answer to a label query (one row per clip), and read its columns as classes or numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.concepts import Concept
from store.catalog.asking import Catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, QueryRefused, counted

GROUP_COLUMNS = ("grp", "group_id")
SPLIT_COLUMN = "split"
MOST_NAMED = 20


def ask_for_labels(
    catalog: Path, run_id: str, query: str, *, tables: Mapping[str, pa.Table], timeout_seconds: float
) -> tuple[pa.Table, list[str]]:
    """Rows of a label query, each clip once, NaN as NULL; with notes on rows that are of no clip.

    Raises:
        QueryRefused: the query is wrong.
        InvalidInput: its result holds no labels, or contradicts itself.
    """
    try:
        answer = run_query(catalog, query, timeout_seconds=timeout_seconds, tables=tables)
    except QueryRefused as error:
        raise QueryRefused(f"The label query: {error}. {labels_there_are(catalog, run_id)}") from error
    names = answer.column_names
    if "clip_id" not in names or len(set(names)) < len(names) or not concept_names(answer):
        raise InvalidInput(
            f"The label query gives the columns {', '.join(names)}; it must give clip_id and at least one "
            f"label column, each name once. {labels_there_are(catalog, run_id)}"
        )
    if not len(answer):
        raise InvalidInput(
            f"The label query returned no rows: check its WHERE. {labels_there_are(catalog, run_id)}"
        )
    return _unique_rows(_nan_as_null(answer))


def concept_names(answer: pa.Table) -> list[str]:
    """Its label columns."""
    reserved = {"clip_id", *GROUP_COLUMNS, SPLIT_COLUMN}
    return [name for name in answer.column_names if name not in reserved]


def labels_there_are(catalog: Path, run_id: str) -> str:
    """A sentence with the labels of a run's dataset, and with one of them a query to copy."""
    known = "SELECT dataset, name FROM labels JOIN runs USING (dataset) WHERE run_id = $run"
    found = Catalog(catalog).rows(f"{known} GROUP BY ALL ORDER BY name", run=run_id)
    if not found:
        return "The dataset of this run has no labels of its own: bring some with --table NAME=PATH."
    names = [str(row["name"]) for row in found]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    example = f'--labels "SELECT clip_id, {_identifier(names[0])} FROM clips"'  # noqa: S608 (shown)
    return f"Labels of {found[0]['dataset']}: {', '.join(names[:MOST_NAMED])}{more}; for example {example}."


def _identifier(name: str) -> str:
    """A query as it stands inside the double quotes of a shell."""
    return name if name.isidentifier() else '\\"' + name.replace('"', '""') + '\\"'


def _nan_as_null(answer: pa.Table) -> pa.Table:
    for place, field in enumerate(answer.schema):
        if pa.types.is_floating(field.type):
            column = answer.column(place)
            known = pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
            answer = answer.set_column(place, field, known)
    return answer


def _unique_rows(answer: pa.Table) -> tuple[pa.Table, list[str]]:
    """One row per clip; raises `InvalidInput` where two rows of a clip disagree."""
    texts = answer["clip_id"].cast(pa.string())
    answer = answer.set_column(answer.column_names.index("clip_id"), "clip_id", texts)
    nameless = texts.null_count
    rows = counted(nameless, "row of the label query has", "rows of the label query have")
    notes = [f"{rows} no clip_id (NULL)."] if nameless else []
    if nameless:
        answer = answer.filter(texts.is_valid())
    if pc.count_distinct(answer["clip_id"]).as_py() == len(answer):
        return answer, notes
    first, differing = _first_rows(answer, answer["clip_id"].to_pylist())
    if differing:
        raise InvalidInput(
            f"The label query labels {counted(len(differing), 'clip')} more than once, and differently, for "
            f"example {min(differing)}: choose one row per clip with WHERE or GROUP BY."
        )
    return answer.take(pa.array(list(first.values()), pa.int64())), notes


def _first_rows(answer: pa.Table, clip_ids: Sequence[str]) -> tuple[dict[str, int], set[str]]:
    """The first row of every clip, and clips of which a later row says something else."""
    first: dict[str, int] = {}
    differing: set[str] = set()
    for row, clip in enumerate(clip_ids):
        if first.setdefault(clip, row) != row:
            one, other = (answer.slice(place, 1).to_pylist() for place in (first[clip], row))
            differing |= {clip} if one != other else set()
    return first, differing


def read_column(name: str, column: pa.ChunkedArray) -> Concept:
    """Text and booleans become codes of sorted classes, numbers stay numbers.

    Raises:
        InvalidInput: the column holds something else, or an infinite number.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _classes(name, column.cast(pa.string()))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(name, column)
    raise InvalidInput(
        f"Label {name!r} has type {kind}; text and booleans make classes, numbers are regressed. "
        f"CAST it to VARCHAR or DOUBLE in the query."
    )


def _classes(name: str, column: pa.ChunkedArray) -> Concept:
    classes = sorted(pc.unique(column.drop_null()).to_pylist())
    codes = pc.index_in(column, value_set=pa.array(classes, pa.string()))
    return Concept(name, "class", pc.fill_null(codes, -1).to_numpy().astype(np.int64), tuple(classes))


def _numbers(name: str, column: pa.ChunkedArray) -> Concept:
    try:
        numbers = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
    except pa.ArrowInvalid as error:
        raise InvalidInput(
            f"Label {name!r} holds whole numbers of more digits than can be regressed; if they are names, "
            f"make classes of them in the query: CAST({name} AS VARCHAR) AS {name}."
        ) from error
    if np.isinf(numbers).any():
        raise InvalidInput(f"Label {name!r} is infinite for {counted(int(np.isinf(numbers).sum()), 'clip')}.")
    return Concept(name, "number", numbers)
