"""How fast shards are written and layers are read, against one plain file with the same bytes.

    python benchmarks/shards.py [--folder DIR] [--repetitions N] [--markdown]

Every repetition times all candidates one after the other, in an order that rotates, and the ratios are taken
within it, so a disk that changes its mood does so for all of them. Writes end with fsync; reads find their
bytes in the page cache and fill a fresh array.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore
import zarr

from store.assembly import ShardAssembly
from store.collection import Collection, create_collection
from store.local_objects import LocalObjects
from store.records import ArraySpec, ClipStatus, PlannedClip, Unit
from store.sealing import seal_shard
from store.shards import as_bytes

Array = np.ndarray[Any, np.dtype[Any]]
Timings = dict[str, float]
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of array, at MusicGen-small's shape."""

    title: str
    spec: ArraySpec
    unit_clips: int
    units: int
    """Units that a layer is read from; writes take one shard at a time."""


@dataclass(slots=True)
class Ratios:
    """Rate of a candidate over the rate of the plain file, one per repetition."""

    values: dict[str, list[float]] = field(default_factory=dict)
    plain_megabytes_per_second: list[float] = field(default_factory=list)

    def add(self, timings: Timings, nbytes: int) -> None:
        self.plain_megabytes_per_second.append(nbytes / timings["plain file"] / 1e6)
        for name, seconds in timings.items():
            if name != "plain file":
                self.values.setdefault(name, []).append(timings["plain file"] / seconds)


LAYERS, WIDTH, FRAMES = 24, 1024, 200
WORKLOADS = (
    Workload(
        "pooled",
        ArraySpec("resid.mean", ("layer", "feature"), (LAYERS, WIDTH), "float32"),
        unit_clips=64,
        units=64,
    ),
    Workload(
        "frames",
        ArraySpec("resid.frames", ("layer", "time", "feature"), (LAYERS, FRAMES, WIDTH), "float16"),
        unit_clips=16,
        units=8,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where to write (default: the system's temporary folder)")
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--workload", choices=[workload.title for workload in WORKLOADS])
    options = parser.parse_args()
    for workload in WORKLOADS:
        if options.workload in (None, workload.title):
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                report(
                    f"write one shard, {workload.title}", writes(workload, Path(folder), options.repetitions)
                )
                report(
                    f"read one layer, {workload.title}", reads(workload, Path(folder), options.repetitions)
                )


def writes(workload: Workload, folder: Path, repetitions: int) -> Ratios:
    """Write one unit after the other, as a worker does; what was timed is removed before the next."""
    collection = new_collection(workload, folder / "written", units=repetitions + 1)
    array = folder / "written" / collection.group / workload.spec.name
    block = random_block(workload)
    plain = np.ascontiguousarray(block.swapaxes(0, 1))
    candidates: dict[str, Callable[[Unit], None]] = {
        "plain file": lambda _: write_plain(folder / "plain", plain),
        "undertone, shard": lambda unit: write_shard(collection, unit, block),
        "undertone, unit with marker": lambda unit: commit(collection, unit, block),
        "TensorStore": lambda unit: write_tensorstore(array, unit, block),
        "zarr-python": lambda unit: write_zarr(array, unit, block),
    }
    ratios = Ratios()
    for repetition, unit in enumerate(collection.units()):
        timings: Timings = {}
        for name in rotated(list(candidates), repetition):
            os.sync()
            timings[name] = seconds_of(partial(candidates[name], unit))
            for path in [folder / "plain", *array.glob("c.*")]:
                path.unlink(missing_ok=True)
        if repetition:  # the first warms up
            ratios.add(timings, plain.nbytes)
    return ratios


def reads(workload: Workload, folder: Path, repetitions: int) -> Ratios:
    """Read one layer of all units into a fresh array."""
    collection = new_collection(workload, folder / "read", units=workload.units)
    block = random_block(workload)
    for unit in collection.units():
        commit(collection, unit, block)
    layer = LAYERS // 2
    expected, _ = collection.read_layer(workload.spec.name, layer)
    plain = folder / "plain"
    plain.write_bytes(as_bytes(expected))
    outside: Any = collection.as_zarr()[workload.spec.name]
    driver = open_tensorstore(Path(collection.objects.url) / collection.group / workload.spec.name)
    candidates: dict[str, Callable[[], Array]] = {
        "plain file": lambda: read_plain(plain, expected.shape, expected.dtype),
        "undertone": lambda: collection.read_layer(workload.spec.name, layer)[0],
        "TensorStore": lambda: driver[:, layer].read().result(),
        "zarr-python": lambda: outside[:, layer],
    }
    for name, read in candidates.items():
        assert np.array_equal(read(), expected), name
    ratios = Ratios()
    for repetition in range(repetitions):
        timings = {name: seconds_of(candidates[name]) for name in rotated(list(candidates), repetition)}
        ratios.add(timings, expected.nbytes)
    return ratios


def report(title: str, ratios: Ratios) -> None:
    rate = np.median(ratios.plain_megabytes_per_second)
    print(f"\n{title}: plain file {rate:,.0f} MB/s, {len(ratios.plain_megabytes_per_second)} repetitions")
    for name, values in ratios.values.items():
        low, high = median_interval(values)
        print(f"  {name:<28} {np.median(values):.2f} × plain   (95 % interval {low:.2f} to {high:.2f})")


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    generator = np.random.default_rng(0)
    medians = np.median(generator.choice(values, (RESAMPLES, len(values))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(low), float(high)


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


def open_tensorstore(folder: Path) -> Any:
    return tensorstore.open({"driver": "zarr3", "kvstore": f"file://{folder}/"}, open=True).result()


def write_tensorstore(array: Path, unit: Unit, block: Array) -> None:
    open_tensorstore(array)[unit.first_row : unit.first_row + len(block)].write(block).result()


def write_zarr(array: Path, unit: Unit, block: Array) -> None:
    zarr.open_array(array, mode="r+")[unit.first_row : unit.first_row + len(block)] = block
    for path in array.glob("c.*"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def read_plain(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    values = np.empty(shape, dtype)
    memory = as_bytes(values)
    with path.open("rb", buffering=0) as file:
        while memory:
            memory = memory[file.readinto(memory) :]
    return values


def rotated(names: list[str], by: int) -> list[str]:
    return names[by % len(names) :] + names[: by % len(names)]


def seconds_of(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
