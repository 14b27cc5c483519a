"""Speed of writing shards and of reading layers, against one plain file with the same bytes.

    python -m benchmarks.shards [--folder DIR] [--repetitions N] [--workload pooled|frames]

A ratio is the rate of a candidate over that of the plain file, within one repetition, so a disk that changes
its mood does so for all. Writes end with fsync; reads find their bytes in the page cache and fill a fresh
array.
"""

import argparse
import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore
import zarr

from benchmarks.measure import interleaved, ratio_line, seconds_of
from store.arrays.assembly import ShardAssembly
from store.arrays.collection import Collection, create_collection
from store.arrays.sealing import seal_shard
from store.arrays.shards import as_bytes, checksum
from store.objects.local import LocalObjects
from store.records import ArraySpec, ClipStatus, PlannedClip, Unit

Array = np.ndarray[Any, np.dtype[Any]]
PLAIN = "plain file"
LAYERS, WIDTH, FRAMES = 24, 1024, 200
"""MusicGen-small and clips of 4 s."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of array."""

    spec: ArraySpec
    unit_clips: int
    units: int
    """Units that a layer is read from; writes take one unit of one shard at a time."""


WORKLOADS = {
    "pooled": Workload(
        ArraySpec("resid.mean", ("layer", "feature"), (LAYERS, WIDTH), "float32"), unit_clips=64, units=64
    ),
    "frames": Workload(
        ArraySpec("resid.frames", ("layer", "time", "feature"), (LAYERS, FRAMES, WIDTH), "float16"),
        unit_clips=16,
        units=8,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where to write (default: the system's temporary folder)")
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--workload", choices=WORKLOADS, action="append")
    options = parser.parse_args()
    for title in options.workload or WORKLOADS:
        workload = WORKLOADS[title]
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            compare_writes(title, workload, Path(folder), options.repetitions)
            compare_reads(title, workload, Path(folder), options.repetitions)
        compare_checksums(title, random_block(workload), options.repetitions)


def compare_writes(title: str, workload: Workload, folder: Path, repetitions: int) -> None:
    """Write one unit after the other, as a worker does; what was timed is removed before the next."""
    block = random_block(workload)
    plain = np.ascontiguousarray(block.swapaxes(0, 1))
    writers: dict[str, Callable[[Collection, Unit], None]] = {
        PLAIN: lambda collection, _: write_plain(folder_of(collection) / "c.plain", plain),
        "undertone, shard": lambda collection, unit: write_shard(collection, unit, block),
        "undertone, unit with its marker": lambda collection, unit: commit(collection, unit, block),
        "TensorStore": lambda collection, unit: write_tensorstore(collection, unit, block),
        "zarr-python": lambda collection, unit: write_zarr(collection, unit, block),
    }
    collection = new_collection(workload, folder / "written", units=(repetitions + 1) * len(writers))
    units = iter(collection.units())

    def timed(write: Callable[[Collection, Unit], None]) -> float:
        os.sync()
        seconds = seconds_of(partial(write, collection, next(units)))
        for path in folder_of(collection).glob("c.*"):
            path.unlink()
        return seconds

    report(
        f"write, {title}",
        {name: partial(timed, write) for name, write in writers.items()},
        plain,
        repetitions,
    )


def compare_reads(title: str, workload: Workload, folder: Path, repetitions: int) -> None:
    """Read one layer of all units into a fresh array."""
    collection = new_collection(workload, folder / "read", units=workload.units)
    block = random_block(workload)
    for unit in collection.units():
        commit(collection, unit, block)
    name, layer = workload.spec.name, LAYERS // 2
    expected, _ = collection.read_layer(name, layer)
    plain = folder / "plain"
    plain.write_bytes(as_bytes(expected))
    outside: Any = collection.as_zarr()[name]
    driver = open_tensorstore(collection)
    readers: dict[str, Callable[[], Array]] = {
        PLAIN: lambda: read_plain(plain, expected.shape, expected.dtype),
        "undertone": lambda: collection.read_layer(name, layer)[0],
        "TensorStore": lambda: driver[:, layer].read().result(),
        "zarr-python": lambda: outside[:, layer],
    }
    for reader, read in readers.items():
        assert np.array_equal(read(), expected), reader
    report(
        f"read layer, {title}",
        {reader: partial(seconds_of, read) for reader, read in readers.items()},
        expected,
        repetitions,
    )


def compare_checksums(title: str, block: Array, repetitions: int) -> None:
    """CRC-32C, which markers hold, and SHA-256, against a mere copy."""
    candidates: dict[str, Callable[[], object]] = {
        "copy": block.copy,
        "CRC-32C": lambda: checksum(as_bytes(block)),
        "SHA-256": lambda: hashlib.sha256(as_bytes(block)).hexdigest(),
    }
    timed = {name: partial(seconds_of, run) for name, run in candidates.items()}
    report(f"checksum, {title}", timed, block, repetitions, base="copy")


def report(
    title: str,
    candidates: Mapping[str, Callable[[], float]],
    values: Array,
    repetitions: int,
    *,
    base: str = PLAIN,
) -> None:
    """Print the rate of the base, and one ratio for each other candidate; the first repetition warms up."""
    seconds = {
        name: found[1:] for name, found in interleaved(candidates, repetitions=repetitions + 1).items()
    }
    rate = values.nbytes / float(np.median(seconds[base])) / 1e6
    print(f"\n{title}: {values.nbytes / 1e6:.0f} MB, {base} at {rate:,.0f} MB/s")
    for name in candidates:
        if name != base:
            print(ratio_line(f"  {name} over {base}", seconds[base], seconds[name]), flush=True)


def new_collection(workload: Workload, root: Path, *, units: int) -> Collection:
    clips = [PlannedClip(f"clip-{i:06d}", "a.wav", 0.0, 4.0) for i in range(units * workload.unit_clips)]
    return create_collection(
        LocalObjects(root),
        "runs/benchmark",
        document={},
        arrays=[workload.spec],
        clips=clips,
        unit_clips=workload.unit_clips,
    )


def random_block(workload: Workload) -> Array:
    generator = np.random.default_rng(0)
    shape = (workload.unit_clips, *workload.spec.shape)
    return generator.standard_normal(shape, dtype=np.float32).astype(workload.spec.dtype)


def commit(collection: Collection, unit: Unit, block: Array) -> None:
    with collection.begin(unit, provenance={}) as pending:
        pending.add(next(iter(collection.arrays)), 0, block)
        pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})


def write_plain(path: Path, values: Array) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    memory = as_bytes(values)
    while memory:
        memory = memory[os.write(descriptor, memory) :]
    os.fsync(descriptor)
    os.close(descriptor)


def write_shard(collection: Collection, unit: Unit, block: Array) -> None:
    for name, layout in collection.layouts.items():
        for shard, buffer in ShardAssembly(layout, unit).add(0, block):
            key = f"{collection.group}/{name}/{layout.shard_key(shard)}"
            seal_shard(collection.objects, layout, key, buffer, lambda: False)


def folder_of(collection: Collection) -> Path:
    return Path(collection.objects.url) / collection.group / next(iter(collection.arrays))


def open_tensorstore(collection: Collection) -> Any:
    url = f"file://{folder_of(collection)}/"
    return tensorstore.open({"driver": "zarr3", "kvstore": url}, open=True).result()


def write_tensorstore(collection: Collection, unit: Unit, block: Array) -> None:
    open_tensorstore(collection)[unit.first_row : unit.first_row + len(block)].write(block).result()


def write_zarr(collection: Collection, unit: Unit, block: Array) -> None:
    """With the fsync that zarr-python leaves out."""
    zarr.open_array(folder_of(collection), mode="r+")[unit.first_row : unit.first_row + len(block)] = block
    for path in folder_of(collection).glob("c.*"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def read_plain(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    values = np.empty(shape, dtype)
    memory = as_bytes(values)
    with path.open("rb", buffering=0) as file:
        while memory:
            memory = memory[file.readinto(memory) :]
    return values


if __name__ == "__main__":
    main()
