"""Datasets in a store: write, read and list them, with their versions; clips and failures are Parquet.

A dataset that grew has versions. Each is whole, with a document, clips, failures and a record of its own, and
says what it changed.
"""

import json
import mmap
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import IO, Any

import pyarrow as pa

from store.arrays.document_checks import check_dataset_document, collection_layouts
from store.arrays.known_fields import Fields
from store.arrays.layout import LONGEST_DATASET_NAME, check_name, document_key
from store.dataset_changes import ADDED, CHANGED, COMPARED, GONE, changes, decode_changes
from store.dataset_changes import SCHEMA as CHANGES
from store.dataset_columns import LabelTypes, clip_from_row, clip_schema, failure_schema, row_of_clip
from store.errors import Conflict, CorruptData, NotFound, UndertoneError
from store.objects.ledger import (
    Entry,
    Record,
    encode_record,
    entry_of,
    is_recorded,
    plain_key,
    proves_itself,
    read_committed,
    read_entry,
    read_record,
    record_key,
    recorded_names,
    view_committed,
    write_record,
)
from store.objects.parquet import ParquetGroups, parquet_batches, parquet_bytes, parquet_table, parquet_writer
from store.objects.protocol import Buffer, ObjectStore
from store.objects.sealed import opened_json, sealed_json
from store.records import Clip, Failure

ROW_GROUP_CLIPS = 16_384
MOST_RIVALS = 100
"""So often a version is begun anew because another command was faster."""
FORMAT = 2
_USERS = ("runs", "codes", "features")
_VERSION = re.compile(r"datasets/[^/]+/versions/(\d{4,9})/dataset\.json")
_LENGTHS = ("clip_seconds", "hop_seconds")
_DECIDE_IDS = ("format", *_LENGTHS)
"""Where one of these differs, the clips are others, and the dataset no later version."""
_OF_VERSIONS = ("version", "origin", "changes")
"""Fields that only documents of later versions have."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A version of a dataset as it stands in a store."""

    name: str
    info: Mapping[str, Any]
    """The content of dataset.json (see store/FORMAT.md)."""
    objects: ObjectStore

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the ordered clips and failures."""
        return str(self.info["fingerprint"])

    @property
    def version(self) -> int:
        """1 for what was added first."""
        return int(self.info.get("version", 1))

    @property
    def origin(self) -> str:
        """Fingerprint of version 1, by which runs, codes and features know all versions."""
        return str(self.info.get("origin", self.fingerprint))

    def clips(self) -> Iterator[Clip]:
        """Every clip in order."""
        labels = self.info["labels"]
        for batch in parquet_batches(self._bytes("clips"), self._place("clips")):
            for row in batch.to_pylist():
                yield clip_from_row(row, labels)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """clips.parquet, or some of its columns: one row per clip, one column per label."""
        return parquet_table(self._bytes("clips"), self._place("clips"), columns)

    def changes(self) -> pa.Table:
        """What this version added, changed and took away (see `store.dataset_changes`); not for version 1."""
        return decode_changes(self._bytes("changes"), self._place("changes"))

    @property
    def failures(self) -> list[Failure]:
        """What could not be used."""
        rows = parquet_table(self._bytes("failures"), self._place("failures")).to_pylist()
        return [Failure(**row) for row in rows]

    def view(self, name: str) -> memoryview:
        """The bytes of a file of it ("clips"), without a copy where there need be none."""
        return view_committed(self.objects, self._key(name))

    def _bytes(self, name: str) -> bytes:
        return read_committed(self.objects, self._key(name))

    def _place(self, name: str) -> str:
        return f"{self.objects.url}/{self._key(name)}"

    def _key(self, name: str) -> str:
        keys = (str(entry["key"]) for entry in self.info["files"])
        usual = dataset_key(self.name, f"{name}.parquet", self.version)
        return next((key for key in keys if plain_key(key) == usual), usual)


def add_dataset(
    objects: ObjectStore,
    name: str,
    info: Mapping[str, Any],
    clips: Iterable[Clip],
    failures: Iterable[Failure],
    *,
    replace: bool = False,
    extend: bool = False,
    sounds: Sequence[Entry] = (),
) -> Dataset:
    """Write a dataset; writing the same content again changes nothing.

    `sounds` are audio files of its own in the store; they may come to be listed while `clips` are taken.
    With `extend`, other content that shares clips with the newest version becomes the next one. Several
    commands may add at once: their versions follow one another.

    Raises `Conflict` where the name holds other content, unless `replace` is said and no run uses it yet.
    """
    check_name(name, "a dataset", longest=LONGEST_DATASET_NAME)
    failed = list(failures)
    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as parquet:
        types, count, digest = _spool(clips, spool)
        fingerprint = _fingerprint(digest, failed)
        said = {field: value for field, value in info.items() if field not in _OF_VERSIONS}
        whole = {**said, "format_version": FORMAT, "name": name, "fingerprint": fingerprint}
        whole["counts"] = {**dict(info.get("counts", {})), "clips": count, "failures": len(failed)}
        whole["labels"] = types.columns()
        for _ in range(MOST_RIVALS):
            former = _to_extend(objects, name, whole) if extend and not replace else None
            if former is None and not _to_write(objects, name, whole, replace=replace):
                return _said_anew(objects, name, whole)
            if not parquet.tell():
                _write_clips(spool, types, parquet)
            with mmap.mmap(parquet.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
                if _added(objects, former, whole, view, failed, sounds):
                    return read_dataset(objects, name, former.version + 1 if former else 1)
    raise Conflict(f"Other commands add to dataset {name!r} without end: run this again once they are done.")


def _added(
    objects: ObjectStore,
    former: Dataset | None,
    whole: Mapping[str, Any],
    clips: memoryview,
    failed: Sequence[Failure],
    sounds: Sequence[Entry],
) -> bool:
    """Write the version after `former`; False where another command was faster.

    Whoever creates the document has added the version: no file of another command is ever replaced, and what
    was begun up to its document is finished by whoever comes next.
    """
    name, document, version = str(whole["name"]), dict(whole), former.version + 1 if former else 1
    changed = _changes_of(former, clips, document)
    files = [
        _put_beside(objects, dataset_key(name, "clips.parquet", version), clips),
        _put_beside(objects, dataset_key(name, "failures.parquet", version), _failure_bytes(failed)),
    ]
    if sounds:
        record = Record(sounds_name(name), "sounds", tuple(sounds))
        files.append(_put(objects, record_key(record.name), encode_record(record)))
    if changed is not None:
        changes_key = dataset_key(name, "changes.parquet", version)
        files.append(_put_beside(objects, changes_key, changed))
    document["files"] = [asdict(entry) for entry in files]
    is_first = objects.create(dataset_key(name, version=version), [sealed_json(document)])
    if not is_first:
        _finish(objects, name, version)
        return False
    write_record(objects, dataset_record(name, document))
    return True


def _changes_of(former: Dataset | None, clips: memoryview, document: dict[str, Any]) -> Buffer | None:
    """The file of changes from a version to the next; None of the first."""
    if former is None:
        return None
    with tempfile.TemporaryFile() as file:
        _write_changes(former, clips, document, file)
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _put_beside(objects: ObjectStore, key: str, data: Buffer) -> Entry:
    """Put a file of a version; where another command's lies there, under a name made of its content."""
    if objects.create(key, [data]):
        return entry_of(key, data)
    if objects.get(key) != data:
        stem, _, suffix = key.rpartition(".")
        key = f"{stem}-{sha256(data).hexdigest()[:16]}.{suffix}"
    return _put(objects, key, data)  # also of what is there: it is younger then, and no litter


def _finish(objects: ObjectStore, name: str, version: int) -> None:
    """Write the record of a version of which there is the document; without its files the document goes."""
    key = dataset_key(name, version=version)
    if is_recorded(objects, key):
        return
    try:
        record = dataset_record(name, opened_json(objects.get(key), key))
        for entry in record.entries:
            read_entry(objects, entry)
    except NotFound:  # it was removed since
        return
    except UndertoneError:
        record = None
    if record is not None and record.name == key:
        write_record(objects, record)
    elif not is_recorded(objects, key):
        objects.delete(key)


def dataset_key(name: str, file: str = "dataset.json", version: int = 1) -> str:
    """Key of a file of a version of a dataset."""
    return f"datasets/{name}/{file}" if version == 1 else f"datasets/{name}/versions/{version:04d}/{file}"


def sounds_name(name: str) -> str:
    """Name of the record of the audio that a dataset keeps in the store."""
    return dataset_key(name, "audio")


def forget_dataset(objects: ObjectStore, name: str) -> None:
    """Take a dataset's records away, each with what it named: the newest first, or it comes back."""
    for version in (*reversed(_later_versions(objects, name)), 1):
        key = dataset_key(name, version=version)
        try:
            files = [entry.key for entry in read_record(objects, key).entries]
        except UndertoneError:  # there is none, or nobody knows what it named
            files = []
        objects.delete(record_key(key))
        objects.delete(key)
        for file in files:
            objects.delete(file)
    objects.delete(record_key(sounds_name(name)))


def versions_of(objects: ObjectStore, name: str) -> list[int]:
    """The versions of a dataset that is there, in order."""
    return [1, *_later_versions(objects, name)]


def _later_versions(objects: ObjectStore, name: str) -> list[int]:
    found = (_VERSION.fullmatch(record) for record in recorded_names(objects, f"datasets/{name}/versions"))
    return sorted(int(match[1]) for match in found if match)


def dataset_record(name: str, info: Mapping[str, Any]) -> Record:
    """The record of a dataset, as it follows from its document, which proves itself; raises `CorruptData`."""
    check_dataset_document(info, name, dataset_key(name))
    key = dataset_key(name, version=int(info.get("version", 1)))
    files = [Entry(**entry) for entry in info["files"]]
    entries = (*files, proves_itself(key))
    return Record(key, "dataset", entries, {"fingerprint": info["fingerprint"]})


def _put(objects: ObjectStore, key: str, data: Buffer) -> Entry:
    objects.put(key, data)
    return entry_of(key, data)


def read_dataset(objects: ObjectStore, name: str, version: int | None = None) -> Dataset:
    """Open a dataset, in its newest version unless one is said.

    Raises `NotFound` naming those there are, and `CorruptData` naming what is damaged.
    """
    if not is_recorded(objects, dataset_key(check_name(name, "a dataset"))):
        known = ", ".join(dataset_names(objects)) or "none"
        raise NotFound(f"There is no dataset {name!r} in {objects.url}; it has: {known}.")
    versions = versions_of(objects, name)
    if version is not None and version not in versions:
        raise NotFound(f"Dataset {name!r} has no version {version}; it has {', '.join(map(str, versions))}.")
    key = dataset_key(name, version=version or versions[-1])
    record = read_record(objects, key)
    info = opened_json(read_committed(objects, key), f"{objects.url}/{key}")
    check_dataset_document(info, name, f"{objects.url}/{key}")
    if dataset_record(name, info) != record:
        raise CorruptData(f"{objects.url}/{key} is the document of another dataset: run `undertone repair`.")
    return Dataset(name, Fields(info, f"{objects.url}/{key}"), objects)


def dataset_names(objects: ObjectStore) -> list[str]:
    """Names of all complete datasets."""
    return [name for name in objects.folders("records/datasets") if is_recorded(objects, dataset_key(name))]


def users_of(objects: ObjectStore, name: str) -> list[str]:
    """Prefixes of the collections whose document names this dataset."""
    return [prefix for prefix, dataset, _ in _named_datasets(objects) if dataset == name]


def dataset_of(document: Mapping[str, Any]) -> str | None:
    """Name of the dataset that the document of a collection is about; None where it is about none.

    A run of what was generated calls its clips a dataset too, but has no other.
    """
    if document.get("mode") == "generate":
        return None
    dataset = document.get("dataset")
    return dataset.get("name") if isinstance(dataset, dict) else dataset


def _named_datasets(objects: ObjectStore) -> Iterator[tuple[str, str | None, str | None]]:
    """Prefix of every collection with name and, where it says so, fingerprint of the dataset it is about."""
    for kind in _USERS:
        for folder in objects.folders(f"records/{kind}"):
            key = document_key(f"{kind}/{folder}")
            try:
                document = opened_json(read_committed(objects, key), f"{objects.url}/{key}")
                collection_layouts(document, key)
            except (CorruptData, NotFound):  # `undertone verify` names it; it cannot say what it is about
                continue
            dataset = document.get("dataset")
            fingerprint = dataset.get("fingerprint") if isinstance(dataset, dict) else None
            yield f"{kind}/{folder}", dataset_of(document), fingerprint


def refuse_another_cut(objects: ObjectStore, name: str, info: Mapping[str, Any], *, replace: bool) -> None:
    """Raise `Conflict` where clips of other lengths have this name; told before any recording is read."""
    if not is_recorded(objects, dataset_key(name)):
        return
    stored = read_dataset(objects, name).info
    if all(stored.get(field) == info[field] for field in _LENGTHS):
        return
    if replace:
        _refuse_replacing(objects, name)
        return
    clip, hop = (stored.get(field) for field in _LENGTHS)
    raise Conflict(
        f"Dataset {name!r} already exists with clips of {clip:g} s every {hop:g} s; these would be "
        f"{info['clip_seconds']:g} s every {info['hop_seconds']:g} s. Say --clip-seconds {clip:g} "
        f"{'' if hop == clip else f'--hop-seconds {hop:g} '}to add to it, choose another name, or add "
        "--replace."
    )


def _to_write(objects: ObjectStore, name: str, whole: Mapping[str, Any], *, replace: bool) -> bool:
    """Whether the content must be written; raises `Conflict` where it may not be."""
    if not is_recorded(objects, dataset_key(name)):
        _refuse_another(objects, name, whole["fingerprint"])
        return True
    existing = read_dataset(objects, name)
    if existing.fingerprint == whole["fingerprint"]:
        return False
    if not replace:
        former, now = existing.info.get("format"), whole.get("format")
        other = "other content" if former == now else f"content of format {former!r}, and this is {now!r}"
        raise Conflict(
            f"Dataset {name!r} already exists with {other}. Choose another name, or add --replace."
        )
    _refuse_replacing(objects, name)
    forget_dataset(objects, name)
    return True


def _refuse_replacing(objects: ObjectStore, name: str) -> None:
    if users := users_of(objects, name):
        raise Conflict(
            f"Dataset {name!r} cannot be replaced: {', '.join(users)} used it. Choose another name."
        )


def _refuse_another(objects: ObjectStore, name: str, fingerprint: str) -> None:
    """A name stays reserved for what collections were made from, also where the dataset is gone."""
    for prefix, dataset, wanted in _named_datasets(objects):
        if dataset == name and wanted not in (None, fingerprint):
            raise Conflict(
                f"{prefix} was made from a dataset {name!r} with other content, which is gone. Add the same "
                "recordings again, or choose another name."
            )


def _to_extend(objects: ObjectStore, name: str, whole: Mapping[str, Any]) -> Dataset | None:
    """The version that new content follows; None where there is none, or it holds that content already."""
    if not is_recorded(objects, dataset_key(name)):
        return None
    newest = read_dataset(objects, name)
    is_cut_alike = all(newest.info.get(field) == whole.get(field) for field in _DECIDE_IDS)
    return newest if is_cut_alike and newest.fingerprint != whole["fingerprint"] else None


def _write_changes(former: Dataset, clips: memoryview, whole: dict[str, Any], file: IO[bytes]) -> None:
    """Write what changes from a version to the next, whose document gets to say so."""
    before = former.view("clips")

    def old() -> Iterator[pa.RecordBatch]:
        return parquet_batches(before, f"the clips of {former.name} before", COMPARED)

    def new() -> Iterator[pa.RecordBatch]:
        return parquet_batches(clips, "the new clips", COMPARED)

    counts = dict.fromkeys((ADDED, CHANGED, GONE), 0)
    with parquet_writer(file, CHANGES) as writer:
        for table in changes(old, new):
            counts[table["change"][0].as_py()] += len(table)
            writer.write_table(table)
    file.flush()
    if counts[GONE] == ParquetGroups(before, former.name).rows:
        raise Conflict(
            f"Dataset {former.name!r} already exists with other content, and none of its clips is among the "
            "new ones. Choose another name, or add --replace."
        )
    whole |= {"version": former.version + 1, "origin": former.origin, "changes": counts}


def _said_anew(objects: ObjectStore, name: str, whole: Mapping[str, Any]) -> Dataset:
    """The dataset that is there; what is said about it (its root, notes) may be new."""
    existing = read_dataset(objects, name)
    kept = {field: existing.info[field] for field in ("files", *_OF_VERSIONS) if field in existing.info}
    updated = {**whole, **kept}
    if updated == existing.info:
        return existing
    objects.put(dataset_key(name, version=existing.version), sealed_json(updated))
    return read_dataset(objects, name)


def _spool(clips: Iterable[Clip], spool: IO[bytes]) -> tuple[LabelTypes, int, bytes]:
    """Write clips to a file as JSON lines, for only the last tells the columns; returns count and digest."""
    types, count, digest = LabelTypes(), 0, sha256()
    for clip in clips:
        count += 1
        types.see(clip.labels)
        line = json.dumps(asdict(clip), ensure_ascii=False).encode() + b"\n"
        digest.update(line)
        spool.write(line)
    spool.seek(0)
    return types, count, digest.digest()


def _write_clips(spool: IO[bytes], types: LabelTypes, parquet: IO[bytes]) -> None:
    schema, labels = clip_schema(types), types.columns()
    with parquet_writer(parquet, schema) as writer:
        for lines in _batches(spool):
            rows = [row_of_clip(json.loads(line), types, labels) for line in lines]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    parquet.flush()


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) == ROW_GROUP_CLIPS:
            yield batch
            batch = []
    if batch:
        yield batch


def _fingerprint(clips: bytes, failures: Sequence[Failure]) -> str:
    """Messages are left out: they change with the versions of libraries."""
    digest = sha256(clips)
    for failure in failures:
        digest.update(json.dumps([failure.item, failure.stage, failure.error]).encode() + b"\n")
    return digest.hexdigest()


def _failure_bytes(failures: Sequence[Failure]) -> bytes:
    return parquet_bytes(pa.Table.from_pylist([asdict(failure) for failure in failures], failure_schema()))
