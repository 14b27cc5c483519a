"""Read the files of a store that the catalog is made of, and turn each into rows.

A part is one immutable (or versioned) Parquet or JSON file, named by its key. Its rows go to tables of
`store/catalog/views.sql`; every row remembers its part, so that a part can be taken out again.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import pyarrow as pa

from store.arrays.commits import STATES, Commits, others_of
from store.arrays.document_checks import check_dataset_document, collection_layouts
from store.arrays.manifests import decode_manifest, standing
from store.arrays.markers import decode_marker
from store.arrays.plan import has_new_clips
from store.catalog.damage import UNRECORDED
from store.errors import CorruptData, NotFound, UndertoneError
from store.objects.ledger import (
    RECORDS,
    decode_record,
    plain_key,
    read_committed,
    read_record,
    record_key,
    recorded_name,
)
from store.objects.parquet import parquet_table
from store.objects.protocol import ObjectStore, Survey
from store.objects.sealed import opened_json
from store.results.schemas import with_present_names
from store.tags import named_run
from store.upkeep.unrecorded import unrecorded

LISTING_THREADS = 16
RESULTS = "results"
PART = "_part"
"""Column of every table: the key of the part a row came from."""
PartRows = Mapping[str, pa.Table]
"""Table of the catalog ("clips", "results/probes", …) → rows for it."""

_OF_VERSION = r"datasets/([^/]+)(?:/versions/\d+)?"
_DATASET = re.compile(rf"{_OF_VERSION}/dataset\.json")
_HASH = r"(?:-[0-9a-f]{16})?"
_CHANGES = re.compile(rf"datasets/([^/]+)/versions/(\d+)/changes{_HASH}\.parquet")
_RUN = re.compile(r"runs/([^/]+)/run\.json")
_TAG = re.compile(r"tags/([^/]+)\.json")
_RECORDED_PART = re.compile(r"runs/[^/]+/plan/part-\d+\.parquet|results/[^/]+/[^/]+\.parquet")
_COMPLETION = re.compile(r"runs/([^/]+)/complete/(\d+)")
_COMMITS = re.compile(r"runs/([^/]+)/commits(?:/.+(?<!\.json)(?<!\.parquet))?")
_MANIFEST = re.compile(r"runs/([^/]+)/commits/([^/]+)\.parquet")
_MARKER = re.compile(r"runs/([^/]+)/commits/([^/]+)\.json")


@dataclass(frozen=True, slots=True)
class DamagedPart:
    """A file that cannot be read."""

    message: str
    feeds: tuple[str, ...]
    """Tables that would have rows of it, as "schema.table"."""


_CLIP_COLUMNS = (
    "clip_id", "uri", "start_seconds", "duration_seconds", "group_id", "split", "sha256", "tail_seconds"
)  # fmt: skip


def list_parts(objects: ObjectStore) -> dict[str, str]:
    """Key of every part that exists now → a text that changes when the part is written anew.

    What no record names does not exist. Lists records, results and markers and reads the small dataset
    documents, nothing else. A folder of records or markers that cannot be listed is a (damaged) part itself.
    Under the key `UNRECORDED` stands what has files and no record.
    """
    results = objects.survey(RESULTS).versions
    records = objects.survey(RECORDS)
    parts = _refused(objects, records) | _newest_completions(records)
    if lost := unrecorded(objects, records, results):
        parts[UNRECORDED] = json.dumps(lost)
    recorded = {recorded_name(key): version for key, version in records.versions.items()}
    lists = [partial(_dataset_parts, objects, folders) for folders in _versions(recorded).values()]
    for name, version in recorded.items():
        if match := _RUN.fullmatch(name):
            lists.append(partial(_run_parts, objects, match[1], version))
        elif _TAG.fullmatch(name):
            lists.append(partial(_rewritten_part, objects, name))
        elif _RECORDED_PART.fullmatch(name):
            parts[name] = f"{version} {results.get(name)}"
    with ThreadPoolExecutor(LISTING_THREADS) as pool:
        for found in pool.map(lambda listed: listed(), lists):
            parts.update(found)
    return parts


def read_parts(objects: ObjectStore, keys: Sequence[str]) -> Iterator[tuple[str, PartRows | DamagedPart]]:
    """Each key with its rows, or why it has none; a part that has vanished since the listing is left out."""

    def read(key: str) -> tuple[str, PartRows | DamagedPart] | None:
        try:
            return key, _read_part(objects, key)
        except NotFound:
            return None
        except UndertoneError as error:
            said = str(error) if key in str(error) else f"{key} cannot be read: {error}"
            return key, DamagedPart(said, _fed_by(key))

    with ThreadPoolExecutor(objects.read_threads) as pool:
        yield from (found for found in pool.map(read, keys) if found is not None)


def _newest_completions(records: Survey) -> dict[str, str]:
    """Of each run the record of its longest completion, which names all that the others do."""
    newest = {}
    for key in sorted(records.versions):
        if match := _COMPLETION.fullmatch(recorded_name(key)):
            newest[match[1]] = key
    return {key: records.versions[key] for key in newest.values()}


def _versions(recorded: Mapping[str, str]) -> dict[str, list[str]]:
    """Of each dataset the folders of its versions, in order; where the first is gone there is none."""
    versions: dict[str, list[str]] = {}
    for name in sorted(recorded):  # "dataset.json" comes before "versions"
        if (match := _DATASET.fullmatch(name)) and (match[1] in versions or "/versions/" not in name):
            versions.setdefault(match[1], []).append(name.rpartition("/")[0])
    return versions


def _dataset_parts(objects: ObjectStore, folders: Sequence[str]) -> dict[str, str]:
    """All changes, and the files of the newest version, whose document has their hashes."""
    *earlier, folder = folders
    changes = [_file_of(objects, one, _document(objects, one), "changes") for one in earlier[1:]]
    data = _document(objects, folder)
    names = ("clips", "failures", "changes") if earlier else ("clips", "failures")
    files = [_file_of(objects, folder, data, name) for name in names]
    newest = dict.fromkeys([f"{folder}/dataset.json", *files[:2]], sha256(data).hexdigest())
    return dict.fromkeys([*changes, *files[2:]], "") | newest


def _document(objects: ObjectStore, folder: str) -> bytes:
    """The document of a version, or why it cannot be read; reading the part says so again."""
    try:
        return objects.get(f"{folder}/dataset.json")
    except UndertoneError as error:
        return str(error).encode()


def _file_of(objects: ObjectStore, folder: str, data: bytes, name: str) -> str:
    """Key of a file of a version, as its document has it, or its record where that is damaged."""
    document, usual = f"{folder}/dataset.json", f"{folder}/{name}.parquet"
    try:
        keys = [str(entry["key"]) for entry in opened_json(data, document)["files"]]
    except (UndertoneError, LookupError, TypeError):
        try:
            keys = [entry.key for entry in read_record(objects, document).entries]
        except UndertoneError:
            return usual
    return next((key for key in keys if plain_key(key) == usual), usual)


def _rewritten_part(objects: ObjectStore, key: str) -> dict[str, str]:
    """A small document that may be written anew, while its record stays."""
    try:
        data = objects.get(key)
    except UndertoneError as error:  # reading the part says so again
        data = str(error).encode()
    return {key: sha256(data).hexdigest()}


def _run_parts(objects: ObjectStore, run_id: str, version: str) -> dict[str, str]:
    """What the record of one run names, and its markers; further parts of its plan have their own records."""
    folder = f"runs/{run_id}"
    commits = objects.survey(f"{folder}/commits")
    stands = standing(objects, folder)  # after the markers were listed
    markers = {
        key: found
        for key, found in commits.versions.items()
        if key.endswith(".json") and not stands.covers(key)
    }
    markers |= {one.key: commits.versions.get(one.key, "new") for one in stands.by_group.values()}
    first = {f"{folder}/run.json": version, f"{folder}/plan/part-0000.parquet": version}
    return first | markers | _refused(objects, commits)


def _refused(objects: ObjectStore, survey: Survey) -> dict[str, str]:
    """Folders that cannot be listed; where all results are meant, the folder of each kind."""
    found = {key: str(error) for key, error in survey.refused.items()}
    for key in {RECORDS, f"{RECORDS}/{RESULTS}"} & set(found):
        try:
            kinds = objects.folders(RESULTS)
        except UndertoneError:  # then the files in it say so
            continue
        found |= {f"{RECORDS}/{RESULTS}/{kind}": found[key] for kind in kinds}
    return found


def _read_part(objects: ObjectStore, key: str) -> PartRows:
    for reader in _READERS:
        if match := reader.key.fullmatch(key):
            data = _content(objects, key)
            try:
                tables = reader.rows(data, *match.groups())
                return {name: _marked(rows, key) for name, rows in tables.items() if rows.num_rows}
            except CorruptData:
                raise
            except _PARSING_ERRORS as error:
                said = (str(error).splitlines() or [type(error).__name__])[0]
                raise CorruptData(f"{key} cannot be read ({said})") from error
    return {}


_PARSING_ERRORS = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    OSError,
    pa.ArrowException,
)
"""Arrow calls it an OSError when Thrift cannot read the end of a Parquet file."""


def _fed_by(key: str) -> tuple[str, ...]:
    """Tables that get rows from a part."""
    matches = ((reader, reader.key.fullmatch(key)) for reader in _READERS)
    return tuple(name.format(*match.groups()) for reader, match in matches if match for name in reader.feeds)


def _content(objects: ObjectStore, key: str) -> bytes:
    """The bytes of a part, as its record has them; a marker proves itself."""
    proves_itself = _MARKER.fullmatch(key) or key.startswith(f"{RECORDS}/") or key == RECORDS
    return objects.get(key) if proves_itself or _COMMITS.fullmatch(key) else read_committed(objects, key)


def _marked(rows: pa.Table, key: str) -> pa.Table:
    if PART in rows.column_names:
        raise ValueError(f"a column must not be called {PART}: the catalog uses that name")
    return rows.append_column(PART, pa.repeat(pa.scalar(key), rows.num_rows))


def _dataset(data: bytes, name: str) -> PartRows:
    key = f"datasets/{name}/dataset.json"
    info = opened_json(data, key)
    check_dataset_document(info, name, key)
    columns = ("format", "clip_seconds", "hop_seconds", "fingerprint")
    row = {"dataset": name} | {column: info.get(column) for column in columns}
    return {"datasets": _rows([row | {"version": info.get("version", 1)}])}


def _tag(data: bytes, tag: str) -> PartRows:
    key = f"tags/{tag}.json"
    document = opened_json(data, key)
    row = {"tag": tag, "run_id": named_run(document, key), "tagged_at": document.get("tagged_at")}
    return {"tags": _rows([row])}


def _clips(data: bytes, name: str) -> PartRows:
    clips = _with_constant(_parquet(data), "dataset", name)
    labels = [column for column in clips.column_names if column not in ("dataset", *_CLIP_COLUMNS)]
    comments = [
        {"table_name": "clips", "column_name": label, "comment": f"label of {name}"} for label in labels
    ]
    return {"clips": clips, "column_comments": _rows(comments)}


def _dataset_changes(data: bytes, name: str, version: str) -> PartRows:
    rows = _with_constant(_parquet(data), "dataset", name)
    numbers = pa.repeat(pa.scalar(int(version)), rows.num_rows)
    return {"dataset_changes": rows.append_column("version", numbers)}


def _dataset_failures(data: bytes, name: str) -> PartRows:
    return {"dataset_failures": _with_constant(_parquet(data), "dataset", name)}


def _run(data: bytes, run_id: str) -> PartRows:
    key = f"runs/{run_id}/run.json"
    document = opened_json(data, key)
    collection_layouts(document, key)
    return {
        "runs": _rows([{"run_id": run_id, "document": json.dumps(document)}]),
        "arrays": _rows([_array(run_id, array) for array in document["arrays"]]),
    }


def _array(run_id: str, array: Mapping[str, Any]) -> dict[str, Any]:
    columns = ("name", "dimensions", "shape", "dtype")
    numbered = range(array["shape"][0]) if array["dimensions"][0] == "layer" else ()
    layers = list(array["attributes"].get("layers", numbered))
    return {"run_id": run_id, "layers": layers} | {column: array[column] for column in columns}


def _plan(data: bytes, run_id: str, number: str) -> PartRows:
    clips = _parquet(data).select(["clip_id", "row", "unit_id"])
    columns = [("row", "min"), ("clip_id", "count"), ("clip_id", "list")]
    units = clips.group_by("unit_id", use_threads=False).aggregate(columns)
    units = units.rename_columns({"row_min": "first_row", "clip_id_count": "clips"})
    hashes = [_hash_of(ids) for ids in units["clip_id_list"].to_pylist()]
    units = units.drop_columns("clip_id_list").append_column("clip_ids", pa.array(hashes, pa.string()))
    again = int(number) > 0 and not has_new_clips(data)
    units = units.append_column("supplementary", pa.repeat(pa.scalar(again), units.num_rows))
    return {
        "planned_clips": _with_constant(clips, "run_id", run_id),
        "planned_units": _with_constant(units, "run_id", run_id),
    }


def _hash_of(clip_ids: Iterable[str]) -> str:
    return sha256("\n".join(clip_ids).encode()).hexdigest()


def _commit(data: bytes, run_id: str, unit_id: str) -> PartRows:
    marker = decode_marker(data, f"runs/{run_id}/commits/{unit_id}.json")
    states = [status for status in marker.statuses if status.state != "ok"]
    unit = {"run_id": run_id, "unit_id": marker.unit_id}
    commit = unit | {
        "failed": marker.failed,
        "silent": sum(status.state == "silent" for status in states),
        "bytes": marker.nbytes,
        "committed_at": marker.committed_at,
        "provenance": json.dumps(marker.provenance),
        "seconds": json.dumps(marker.seconds),
        "first_row": marker.first_row,
        "clip_ids": _hash_of(status.clip_id for status in marker.statuses),
    }
    rows = [
        {**unit, "clip_id": status.clip_id, "state": status.state, **_failure(status)} for status in states
    ]
    return {"commits": _rows([commit]), "clip_states": _rows(rows)}


def _manifest(data: bytes, run_id: str, name: str) -> PartRows:
    """What the markers of many units say, as the same rows."""
    commits, states = [], []
    columns = ["unit_id", "first_row", "clips_sha256", "states", "others", "shards", "provenance", "seconds"]
    table = decode_manifest(data, f"runs/{run_id}/commits/{name}.parquet")
    for row in Commits(table).rows([*columns, "committed_at"]):
        unit = {"run_id": run_id, "unit_id": row["unit_id"]}
        said = Counter(row["states"])
        commits.append(
            unit
            | {"failed": said[STATES.index("failed")], "silent": said[STATES.index("silent")]}
            | {"bytes": sum(shard["bytes"] for shard in row["shards"])}
            | {name: row[name] for name in ("committed_at", "provenance", "seconds", "first_row")}
            | {"clip_ids": row["clips_sha256"].hex()}
        )
        for place, clip_id, failure in others_of(row):
            state = STATES[row["states"][place]]
            if state != "ok":
                states.append({**unit, "clip_id": clip_id, "state": state, **_said(failure or {})})
    return {"commits": _rows(commits), "clip_states": _rows(states)}


def _said(failure: Mapping[str, str]) -> dict[str, str | None]:
    return {column: failure.get(column) for column in ("item", "uri", "stage", "error", "message")}


def _failure(status: Any) -> dict[str, str | None]:
    columns = ("item", "uri", "stage", "error", "message")
    return {column: getattr(status.failure, column, None) for column in columns}


def _completion(data: bytes, run_id: str, units: str) -> PartRows:
    name = f"runs/{run_id}/complete/{units}"
    record = decode_record(data, name, record_key(name))
    rows = [{"run_id": run_id, "units": int(units), "marker": entry.key} for entry in record.entries]
    return {"completed": _rows(rows)}


def _unlisted(_: bytes, *_names: str) -> PartRows:
    """A folder in the list of parts could not be looked into; if it can now, the next listing shows it."""
    raise CorruptData("it is no folder that can be listed")


def _result(data: bytes, kind: str) -> PartRows:
    rows = with_present_names(kind, _parquet(data))
    comments = [
        {
            "table_name": f"{RESULTS}/{kind}",
            "column_name": field.name,
            "comment": field.metadata[b"comment"].decode(),
        }
        for field in rows.schema
        if field.metadata and b"comment" in field.metadata
    ]
    return {f"{RESULTS}/{kind}": rows, "column_comments": _rows(comments)}


@dataclass(frozen=True, slots=True)
class _Reader:
    """How files of one kind are read, and which tables they give rows to."""

    key: re.Pattern[str]
    rows: Callable[..., PartRows]
    feeds: tuple[str, ...]


_OF_DATASETS = ("parts.datasets", "parts.clips", "parts.dataset_failures", "parts.dataset_changes")
_OF_RUNS = (
    "parts.runs", "parts.arrays", "parts.planned_clips", "parts.planned_units", "parts.commits",
    "parts.clip_states",
)  # fmt: skip
_READERS = (
    _Reader(_DATASET, _dataset, ("parts.datasets",)),
    _Reader(re.compile(rf"{_OF_VERSION}/clips{_HASH}\.parquet"), _clips, ("parts.clips",)),
    _Reader(
        re.compile(rf"{_OF_VERSION}/failures{_HASH}\.parquet"), _dataset_failures, ("parts.dataset_failures",)
    ),
    _Reader(_CHANGES, _dataset_changes, ("parts.dataset_changes",)),
    _Reader(_TAG, _tag, ("parts.tags",)),
    _Reader(_RUN, _run, ("parts.runs", "parts.arrays")),
    _Reader(
        re.compile(r"runs/([^/]+)/plan/part-(\d+)\.parquet"),
        _plan,
        ("parts.planned_clips", "parts.planned_units"),
    ),
    _Reader(re.compile(rf"records/{_COMPLETION.pattern}\.json"), _completion, ("parts.completed",)),
    _Reader(_COMMITS, _unlisted, ("parts.commits", "parts.clip_states")),
    _Reader(re.compile(r"records/results/([^/]+)(?:/.*)?"), _unlisted, ("results.{}",)),
    _Reader(re.compile(r"records(?:/datasets.*)?"), _unlisted, _OF_DATASETS),
    _Reader(re.compile(r"records(?:/runs.*)?"), _unlisted, _OF_RUNS),
    _Reader(_MARKER, _commit, ("parts.commits", "parts.clip_states")),
    _Reader(_MANIFEST, _manifest, ("parts.commits", "parts.clip_states")),
    _Reader(re.compile(r"results/([^/]+)/[^/]+\.parquet"), _result, ("results.{}",)),
)


def _rows(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))


def _with_constant(table: pa.Table, name: str, value: str) -> pa.Table:
    return table.append_column(name, pa.repeat(pa.scalar(value), table.num_rows))


def _parquet(data: bytes) -> pa.Table:
    """All rows of a file, in types that can be united with those of other parts."""
    table = parquet_table(data, "the part")
    table.validate(full=True)  # DuckDB trusts offsets, and refuses text that is no UTF-8
    return table.cast(pa.schema([field.with_type(_plain(field.type)) for field in table.schema]))


def _plain(kind: pa.DataType) -> pa.DataType:
    """DuckDB has no column for FLOAT[768] together with FLOAT[1024], nor for two sets of ENUM values."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_type)
    return kind.value_type if pa.types.is_dictionary(kind) else kind
