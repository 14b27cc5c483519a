"""Writing one unit: whole shards as they fill, then the commit marker."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from store.arrays.assembly import ShardAssembly
from store.arrays.encodings import encoded
from store.arrays.layout import ArrayLayout, marker_key
from store.arrays.markers import Marker, ShardEntry, encode_marker
from store.arrays.sealing import seal_shard
from store.arrays.shards import Array, ShardBuffer
from store.errors import Conflict, InvalidInput, StorageError
from store.objects.protocol import ObjectStore
from store.records import ClipStatus, Receipt, Unit


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a unit goes."""

    objects: ObjectStore
    prefix: str
    """Key of the collection."""
    group: str
    """Key of its Zarr group."""
    layouts: Mapping[str, ArrayLayout]
    is_committed: Callable[[str], bool]
    """Whether a unit has a marker now, or a manifest says what its marker said."""
    marker: Callable[[Unit], Marker]
    """That marker."""


class PendingUnit:
    """A unit being written, a context manager. Nothing of it can be read before `commit`."""

    def __init__(
        self,
        destination: Destination,
        unit: Unit,
        provenance: Mapping[str, Any],
        on_commit: Callable[[Marker], None],
    ) -> None:
        self._to = destination
        self._unit = unit
        self._provenance = provenance
        self._on_commit = on_commit
        self._marker_key = marker_key(destination.prefix, unit.unit_id)
        self._lost = False
        self._shards: list[ShardEntry] = []
        self._writing: dict[str, Future[ShardEntry | None]] = {}
        """By array, the shard that is on its way to a bucket."""
        many = len(destination.layouts) > 1 and destination.objects.read_threads > 1
        threads = min(len(destination.layouts), destination.objects.read_threads)
        self._threads = ThreadPoolExecutor(threads, "shards") if many else None
        self._write_seconds = 0.0
        self._assemblies = {name: ShardAssembly(layout, unit) for name, layout in destination.layouts.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._assemblies.clear()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def add(self, name: str, first_clip: int, block: Array) -> None:
        """Take a block (clips, *axes) whose first clip has that place in the unit; blocks come in order.

        Failed clips are rows of NaN (-1 for integers) or are left out. Full shards are written at once.
        Raises `InvalidInput` for a wrong shape or order, and for numbers that the array's type cannot hold.
        """
        if name not in self._assemblies:
            raise InvalidInput(
                f"There is no array {name!r}; this collection has {', '.join(self._to.layouts)}."
            )
        for array, numbers in encoded(self._to.layouts[name], block):
            for shard, buffer in self._assemblies[array].add(first_clip, numbers):
                self._seal(array, shard, buffer)

    def commit(
        self,
        statuses: Sequence[ClipStatus],
        seconds: Mapping[str, float],
        *,
        found: Mapping[str, Any] | None = None,
    ) -> Receipt[None]:
        """Write what is left and then the marker; `won` is False where another worker was first.

        What was `found` on the way stands with the provenance.
        """
        self._provenance = {**self._provenance, **(found or {})}
        self._check(statuses)
        for name, assembly in self._assemblies.items():
            for shard, buffer in assembly.finish():
                self._seal(name, shard, buffer)
        for name in list(self._writing):
            self._wait_for(name)
        if not self._lost:
            if self._to.objects.is_local:  # a bucket has said that they are there
                self._check_shards()
            self._lost = not self._mark(statuses, seconds)
        failed = sum(status.state == "failed" for status in statuses)
        nbytes = 0 if self._lost else sum(shard.nbytes for shard in self._shards)
        return Receipt(
            self._unit.unit_id, len(statuses), failed, nbytes, not self._lost, self._all_seconds(seconds)
        )

    def _seal(self, name: str, shard: int, buffer: ShardBuffer) -> None:
        """Put one shard into place: at once on a disk, beside those of other arrays in a bucket."""
        if self._lost:
            return
        started = time.perf_counter()
        if self._threads is None:
            self._note(self._sealed(name, shard, buffer))
        else:
            self._assemblies[name].detach()
            self._wait_for(name)
            self._writing[name] = self._threads.submit(self._sealed, name, shard, buffer)
        self._write_seconds += time.perf_counter() - started

    def _sealed(self, name: str, shard: int, buffer: ShardBuffer) -> ShardEntry | None:
        layout = self._to.layouts[name]
        key = f"{self._to.group}/{name}/{layout.shard_key(shard)}"
        entry = seal_shard(self._to.objects, layout, key, buffer, self._committed)
        return ShardEntry(name, key.removeprefix(f"{self._to.prefix}/"), *entry) if entry else None

    def _wait_for(self, name: str) -> None:
        started = time.perf_counter()
        if (writing := self._writing.pop(name, None)) is not None:
            self._note(writing.result())
        self._write_seconds += time.perf_counter() - started

    def _note(self, entry: ShardEntry | None) -> None:
        if entry is None:
            self._lost = True
        else:
            self._shards.append(entry)

    def _committed(self) -> bool:
        return self._to.is_committed(self._unit.unit_id)

    def _check(self, statuses: Sequence[ClipStatus]) -> None:
        """Statuses must name the unit's clips, and agree with the rows that hold numbers."""
        planned = [clip.clip_id for clip in self._unit.clips]
        if [status.clip_id for status in statuses] != planned:
            raise InvalidInput(
                f"The statuses of {self._unit.unit_id} do not name its {len(planned)} clips in order."
            )
        for name, assembly in self._assemblies.items():
            for status, filled in zip(statuses, assembly.filled, strict=True):
                if filled == (status.state == "failed"):
                    problem = (
                        "failed but has numbers" if filled else f"is {status.state!r} but has no numbers"
                    )
                    raise InvalidInput(
                        f"Clip {status.clip_id} {problem} in array {name!r} of {self._unit.unit_id}."
                    )

    def _check_shards(self) -> None:
        for shard in self._shards:
            if self._to.objects.size(f"{self._to.prefix}/{shard.key}") != shard.nbytes:
                raise StorageError(
                    f"{shard.key} vanished before its marker was written: run the command again."
                )

    def _mark(self, statuses: Sequence[ClipStatus], seconds: Mapping[str, float]) -> bool:
        marker = Marker(
            self._unit.unit_id,
            self._unit.first_row,
            tuple(statuses),
            tuple(sorted(self._shards, key=lambda shard: shard.key)),
            dict(self._provenance),
            self._all_seconds(seconds),
            time.time(),
            uuid4().hex,
        )
        won = self._to.objects.create(self._marker_key, [encode_marker(marker)])
        if not won:
            marker = self._to.marker(self._unit)
            if set(marker.shards) != set(self._shards):
                raise Conflict(
                    f"Two workers computed {self._unit.unit_id} differently at the same time. "
                    "Run `undertone verify`, then `undertone repair`."
                )
        self._on_commit(marker)
        return won

    def _all_seconds(self, seconds: Mapping[str, float]) -> dict[str, float]:
        return {**seconds, "write": seconds.get("write", 0.0) + self._write_seconds}
