"""Datasets: clips and failures as Parquet, sealed by dataset.json, written in bounded memory."""

import io
import json
import mmap
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from store.dataset_columns import LabelTypes, clip_from_row, clip_schema, failure_schema, row_of_clip
from store.errors import Conflict, CorruptData, NotFound
from store.layout import LONGEST_DATASET_NAME, check_name
from store.objects import ObjectStore
from store.parquet import parquet_batches, parquet_table
from store.records import Clip, Failure
from store.zarr_metadata import encoded_json

ROW_GROUP_CLIPS = 16_384
_USERS = {"runs": "run.json", "codes": "codes.json", "features": "features.json"}


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as it stands in a store."""

    name: str
    info: Mapping[str, Any]
    """The content of dataset.json (see store/FORMAT.md)."""
    objects: ObjectStore

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the ordered clips and failures."""
        return str(self.info["fingerprint"])

    def clips(self) -> Iterator[Clip]:
        """Every clip in order."""
        labels = self.info["labels"]
        for batch in parquet_batches(self._bytes("clips")):
            for row in batch.to_pylist():
                yield clip_from_row(row, labels)

    def table(self) -> pa.Table:
        """clips.parquet: one row per clip, one column per label."""
        return parquet_table(self._bytes("clips"))

    @property
    def failures(self) -> list[Failure]:
        """What could not be used."""
        return [Failure(**row) for row in parquet_table(self._bytes("failures")).to_pylist()]

    def _bytes(self, name: str) -> bytes:
        key = f"datasets/{self.name}/{name}.parquet"
        data = self.objects.get(key)
        if len(data) != self.info["files"][f"{name}.parquet"]:
            raise CorruptData(
                f"{key} has {len(data)} bytes, not those of dataset.json: add the dataset again."
            )
        return data


def add_dataset(
    objects: ObjectStore,
    name: str,
    info: Mapping[str, Any],
    clips: Iterable[Clip],
    failures: Iterable[Failure],
    *,
    replace: bool = False,
) -> Dataset:
    """Write a dataset; writing the same content again changes nothing.

    Raises `Conflict` where the name holds other content, unless `replace` is said and no run uses it yet.
    """
    check_name(name, "a dataset", longest=LONGEST_DATASET_NAME)
    failed = list(failures)
    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as parquet:
        types, count, digest = _spool(clips, spool)
        fingerprint = _fingerprint(digest, failed)
        whole = {**info, "format_version": 1, "name": name, "fingerprint": fingerprint}
        whole["counts"] = {**dict(info.get("counts", {})), "clips": count, "failures": len(failed)}
        whole["labels"] = types.columns()
        if not _to_write(objects, name, fingerprint, replace=replace):
            return _sealed(objects, name, whole)
        _write_clips(spool, types, parquet)
        with mmap.mmap(parquet.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
            objects.put(f"datasets/{name}/clips.parquet", view)
            sizes = {"clips.parquet": len(data)}
    failure_bytes = _failure_bytes(failed)
    objects.put(f"datasets/{name}/failures.parquet", failure_bytes)
    whole["files"] = {**sizes, "failures.parquet": len(failure_bytes)}
    objects.put(f"datasets/{name}/dataset.json", encoded_json(whole))
    return read_dataset(objects, name)


def read_dataset(objects: ObjectStore, name: str) -> Dataset:
    """Open a dataset; raises `NotFound` naming those there are."""
    try:
        info = json.loads(objects.get(f"datasets/{check_name(name, 'a dataset')}/dataset.json"))
    except NotFound as error:
        known = ", ".join(dataset_names(objects)) or "none"
        raise NotFound(f"There is no dataset {name!r} in {objects.url}; it has: {known}.") from error
    return Dataset(name, info, objects)


def dataset_names(objects: ObjectStore) -> list[str]:
    """Names of all complete datasets."""
    names = objects.folders("datasets")
    return [name for name in names if objects.exists(f"datasets/{name}/dataset.json")]


def users_of(objects: ObjectStore, name: str) -> list[str]:
    """Prefixes of the collections whose document names this dataset."""
    found = []
    for kind, document in _USERS.items():
        for folder in objects.folders(kind):
            key = f"{kind}/{folder}/{document}"
            if objects.exists(key) and _dataset_of(json.loads(objects.get(key))) == name:
                found.append(f"{kind}/{folder}")
    return found


def _dataset_of(document: Mapping[str, Any]) -> str | None:
    dataset = document.get("dataset")
    return dataset.get("name") if isinstance(dataset, dict) else dataset


def _to_write(objects: ObjectStore, name: str, fingerprint: str, *, replace: bool) -> bool:
    """Whether the content must be written; raises `Conflict` where it may not be."""
    if not objects.exists(f"datasets/{name}/dataset.json"):
        return True
    if read_dataset(objects, name).fingerprint == fingerprint:
        return False
    if not replace:
        raise Conflict(
            f"Dataset {name!r} already exists with other content. Choose another name, or add --replace."
        )
    if users := users_of(objects, name):
        raise Conflict(
            f"Dataset {name!r} cannot be replaced: {', '.join(users)} used it. Choose another name."
        )
    objects.delete(f"datasets/{name}/dataset.json")
    return True


def _sealed(objects: ObjectStore, name: str, whole: Mapping[str, Any]) -> Dataset:
    """The dataset that is there; what is said about it (its root, notes) may be new."""
    existing = read_dataset(objects, name)
    updated = {**whole, "files": existing.info["files"]}
    if updated == existing.info:
        return existing
    objects.put(f"datasets/{name}/dataset.json", encoded_json(updated))
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
    with pq.ParquetWriter(parquet, schema, compression="zstd") as writer:
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
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([asdict(failure) for failure in failures], failure_schema()), buffer)
    return buffer.getvalue()
