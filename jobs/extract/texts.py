"""Texts of clips: a template whose braces name labels, filled in for all clips at once."""

import string
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from store import Dataset
from store.arrays.plan import CLIP_SCHEMA, MELODY
from store.errors import InvalidInput


def template_fields(template: str) -> list[str]:
    """Names of the labels a text template uses.

    Raises:
        InvalidInput: the braces do not match.
    """
    try:
        fields = [parts[1:] for parts in string.Formatter().parse(template) if parts[1] is not None]
    except ValueError as error:
        raise InvalidInput(f"Text template {template!r} cannot be read: {error}.") from error
    if any(not name or form or conversion for name, form, conversion in fields):
        raise InvalidInput(f"Text template {template!r}: write label names in plain braces, like {{genre}}.")
    return [str(name) for name, _, _ in fields]


def planned_clips(dataset: Dataset, template: str) -> pa.Table:
    """The clips of a dataset as a plan lists them, each with its text condition.

    Raises:
        InvalidInput: the template names a label that a clip lacks.
    """
    table, columns = dataset.table(), dataset.info["labels"]
    names = template_fields(template)
    labels = {name: _labels(table, columns.get(name)) for name in names}
    _refuse_absent(table, template, labels, sorted(columns))
    texts, codes = np.array([template], dtype=object), np.zeros(len(table), np.int64)
    for name in names:
        values = labels[name].dictionary.to_pylist()
        pairs = codes * len(values) + labels[name].indices.to_numpy()
        met, codes = np.unique(pairs, return_inverse=True)
        told = [(texts[pair // len(values)], values[pair % len(values)]) for pair in met.tolist()]
        texts = np.array([text.replace(f"{{{name}}}", str(value)) for text, value in told], dtype=object)
    text = pa.array(texts.tolist(), pa.string()).take(pa.array(codes))
    said = {name: text if name == "text" else table[name] for name in CLIP_SCHEMA.names}
    return pa.table(said, schema=CLIP_SCHEMA)


def with_melodies(
    clips: pa.Table, dataset: Dataset, column: str, *, option: str = "--melody-column"
) -> pa.Table:
    """Clips of a dataset, in its order, each with the melody that a label names; "" where it names none.

    Raises:
        InvalidInput: there is no such label, it names no files, or none for any clip.
    """
    columns = dataset.info["labels"]
    values = dataset.table()[columns[column]].combine_chunks() if column in columns else None
    if values is not None and pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if values is None or not pa.types.is_string(values.type):
        why = "is no label" if values is None else f"holds values of type {values.type}, not paths"
        raise InvalidInput(
            f"{option}: {column!r} {why} of dataset {dataset.name!r}; its labels are "
            f"{', '.join(sorted(columns)) or 'none'}. Add the dataset with a table that has a column of "
            "paths, relative to the folder of the recordings."
        )
    melodies = values.fill_null("")
    if not any(melodies.to_pylist()):
        raise InvalidInput(f"{option}: {column!r} is empty for every clip of {dataset.name!r}.")
    return clips.append_column(MELODY, pa.chunked_array([melodies], pa.string()))


def _labels(table: pa.Table, column: str | None) -> pa.DictionaryArray:
    """The values of a label as codes, null where a clip lacks it."""
    values = pa.nulls(len(table), pa.string()) if column is None else table[column].combine_chunks()
    return values.dictionary_encode()


def _refuse_absent(
    table: pa.Table, template: str, labels: Mapping[str, pa.DictionaryArray], known: Sequence[str]
) -> None:
    absent = {name: np.flatnonzero(values.is_null()) for name, values in labels.items() if values.null_count}
    if absent:
        place = min(int(places[0]) for places in absent.values())
        name = next(name for name, places in absent.items() if places[0] == place)
        clip = table.select(["clip_id", "uri"]).slice(place, 1).to_pylist()[0]
        raise InvalidInput(
            f"Text template {template!r} needs {name!r}, which clip {clip['clip_id']} ({clip['uri']}) lacks; "
            f"its labels are {', '.join(known) or 'none'}."
        )


def without_text(clips: pa.Table) -> pa.Table:
    """Clips as the plan of their codes lists them: no condition."""
    if MELODY in clips.column_names:
        clips = clips.drop_columns(MELODY)
    place = clips.schema.get_field_index("text")
    return clips.set_column(place, "text", pa.repeat(pa.scalar(""), len(clips)))
