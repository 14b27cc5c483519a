"""Count the objects and requests of an extraction by writing a small one of the same shape in memory.

No second description of the layout is needed: plan, shards, markers and records come from the code that
writes them. Only the arrays are shrunk to one number per clip, while they are cut as the whole ones are.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.engine.stages import StageClock
from jobs.extract.code_source import CodeSource
from jobs.extract.spec import ExtractionSpec
from jobs.extract.texts import without_text
from jobs.extract.units import ExtractionUnit, ExtractionUnits
from store.arrays import manifests
from store.arrays.collection import Collection, open_collection
from store.arrays.encodings import read_dtype
from store.arrays.layout import array_layout
from store.arrays.plan import unit_starts
from store.arrays.shards import shard_bytes
from store.objects.counting import KEYS_PER_LISTING, CountedObjects
from store.objects.ledger import record_key
from store.objects.storage import open_objects
from store.opening import Store
from store.records import ArraySpec, ClipStatus

FEW_STEPS = 2
"""A plan is rehearsed whole where markers are compacted no more often."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What an extraction leaves in a bucket, and what it asks of it."""

    shards: float
    markers: float
    """And the manifests that took the place of most of them, with their records."""
    documents: float
    """Plan, records and descriptions."""
    small_bytes: float
    """Bytes of everything but shards."""
    requests: dict[str, float]
    """PUT, GET, HEAD, LIST and DELETE, of the driver and one worker."""
    manifest_bytes: float
    """Of the manifests and their records, which `small_bytes` has too."""
    manifest_units: float
    """How many units they cover, together."""

    def extrapolated(self, shorter: "Footprint", steps: float) -> "Footprint":
        """What follows after further steps of the same length as that from the shorter one to this."""

        def further(now: float, before: float) -> float:
            return now + (now - before) * steps

        return Footprint(
            further(self.shards, shorter.shards),
            further(self.markers, shorter.markers),
            further(self.documents, shorter.documents),
            further(self.small_bytes, shorter.small_bytes),
            {kind: further(count, shorter.requests[kind]) for kind, count in self.requests.items()},
            further(self.manifest_bytes, shorter.manifest_bytes),
            further(self.manifest_units, shorter.manifest_units),
        )

    def with_manifests(self, groups: int, collections: int, shorter: "Footprint") -> "Footprint":
        """With one more, and its record, for each further group of units of each collection.

        Of the units that were rehearsed one stands for all, so the bytes of all units are counted; what a
        manifest takes without any (its schema and checksums) comes once more with each.
        """
        growth = (self.manifest_bytes - shorter.manifest_bytes) / (
            self.manifest_units - shorter.manifest_units
        )
        empty = self.manifest_bytes - growth * self.manifest_units
        markers = self.markers + 2 * collections * groups
        return replace(self, markers=markers, small_bytes=self.small_bytes + empty * groups)


def rehearse(spec: ExtractionSpec, clips: pa.Table, *, note_attempts: bool = False) -> Footprint:
    """Count what the whole extraction of these clips will write and ask.

    A long plan is rehearsed with few units and with those of one more manifest: the rest grows in step.

    Args:
        spec: of the extraction.
        clips: all of them, as they are planned.
        note_attempts: whether units that are begun are written down, as the inline engine does.
    """
    write = partial(_written, spec, note_attempts=note_attempts)
    step, lengths = manifests.STEP_UNITS, unit_lengths(clips, spec.unit_clips)
    rest = int(lengths[-1]) % spec.unit_clips if len(lengths) else 0
    whole, ends = len(lengths) - (rest > 0), np.cumsum(lengths)
    least = step + whole % step
    if whole <= FEW_STEPS * step:
        return write(clips)
    tail = clips[len(clips) - rest :] if rest else clips[:0]
    short, long = (
        write(pa.concat_tables([clips[: int(ends[units - 1])], tail])) for units in (least, least + step)
    )
    told = long.extrapolated(short, (whole - least) / step - 1)
    return told.with_manifests((whole - 1) // manifests.GROUP_UNITS, 1 + spec.has_codes, short)


def unit_lengths(clips: pa.Table, unit_clips: int) -> NDArray[np.int64]:
    """Clips of each unit that these clips are cut into."""
    return np.diff(unit_starts(clips["uri"], unit_clips), append=len(clips))


def stored(arrays: Sequence[ArraySpec], unit_clips: int, lengths: NDArray[np.int64]) -> tuple[int, int]:
    """Shards of arrays for units of these lengths, and their bytes uncompressed; the last are whole, too."""
    layouts = [array_layout(array, unit_clips) for array in arrays]
    counts = [int((-(-lengths // layout.shard_clips)).sum()) for layout in layouts]
    return sum(counts), sum(n * shard_bytes(layout) for n, layout in zip(counts, layouts, strict=True))


def _written(spec: ExtractionSpec, clips: pa.Table, *, note_attempts: bool) -> Footprint:
    objects = CountedObjects(open_objects("memory://"))
    store = Store(objects)
    codes = None
    if spec.has_codes:
        codes = store.create_codes(
            spec.codes_key(),
            document=spec.codes_document(),
            arrays=[_in_small(spec.codes_array())],
            clips=without_text(clips),
            unit_clips=spec.codes_unit_clips,
        )
    run = store.create_run(
        spec.run_id(),
        document=spec.document(),
        arrays=[_in_small(array) for array in spec.arrays()],
        clips=clips,
        unit_clips=spec.unit_clips,
    )
    units = ExtractionUnits(run.missing(), codes)
    worker = _Worker(spec, store)
    written = tuple(filter(None, (run, codes)))
    compacted = [open_collection(objects, collection.prefix) for collection in written]
    for number, unit in enumerate(units, start=1):
        if not run.is_committed_by_now(unit.unit_id):
            worker.compute(unit, note_attempts=note_attempts)
        if number % manifests.STEP_UNITS == 0:  # as `jobs.extract.compacting` does
            for collection in compacted:
                collection.compact()
    for collection in written:
        collection.note_complete()
    return _footprint(objects)


def _in_small(array: ArraySpec) -> ArraySpec:
    return replace(array, shape=(1,) * len(array.shape), attributes={}, compression="none")


def _cut_as(collection: Collection, arrays: Sequence[ArraySpec]) -> None:
    """Cut a shrunk collection into shards as the whole arrays are."""
    for array in arrays:
        layout = array_layout(array, collection.unit_clips)
        collection.layouts[array.name] = replace(layout, spec=collection.layouts[array.name].spec)


class _Worker:
    """Does with a store what a worker of an extraction does, without a model."""

    def __init__(self, spec: ExtractionSpec, store: Store) -> None:
        self._run = store.run(spec.run_id())
        _cut_as(self._run, spec.arrays())
        self._codes = _codes(spec, store) if spec.has_codes else None

    def compute(self, unit: ExtractionUnit, *, note_attempts: bool) -> None:
        """Write a unit of nothing."""
        if note_attempts:
            self._run.note_attempt(unit.unit_id)
        statuses = [ClipStatus(clip.clip_id, "ok") for clip in unit.clips]
        if self._codes is not None:
            _, statuses = self._codes.codes_of(unit, StageClock())
        with self._run.begin(unit, provenance={"device": "cpu", "torch": "2.0.0", "threads": 1}) as pending:
            for name, array in self._run.arrays.items():
                pending.add(name, 0, np.zeros((len(unit.clips), *array.shape), read_dtype(array)))
            pending.commit(statuses, {"decode": 0.1, "encode": 0.1, "forward": 0.1, "write": 0.1})


def _codes(spec: ExtractionSpec, store: Store) -> CodeSource:
    codes = store.codes(spec.codes_key())
    _cut_as(codes, [spec.codes_array()])
    return CodeSource(
        codes,
        decode=lambda _: np.zeros(1, np.float32),
        encode=lambda audio: np.zeros((len(audio), 1, 1), np.int16),
        is_silent=lambda _: False,
        decoders=ThreadPoolExecutor(1),
        clip_shape=(1,),
    )


def _footprint(objects: CountedObjects) -> Footprint:
    asked = objects.requests
    kinds = Counter("shards" if _is_shard(key) else _kind(key) for key in asked.written)
    pages = Counter(asked.calls)
    pages["LIST"] += asked.listed // KEYS_PER_LISTING
    compacted = {key: manifest for key in asked.written if (manifest := manifests.manifest_of(key))}
    return Footprint(
        kinds["shards"],
        kinds["markers"],
        kinds["documents"],
        sum(nbytes for key, nbytes in asked.written.items() if not _is_shard(key)),
        {kind: float(pages[kind]) for kind in ("PUT", "GET", "HEAD", "LIST", "DELETE")},
        sum(asked.written[key] + asked.written.get(record_key(key), 0) for key in compacted),
        sum(manifest.units for manifest in compacted.values()),
    )


def _is_shard(key: str) -> bool:
    return ".zarr/" in key and not key.endswith("zarr.json")


def _kind(key: str) -> str:
    return "markers" if "/commits/" in key else "documents"
