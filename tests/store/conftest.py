"""A small world to store, and the two kinds of storage that every test of the store runs against.

`UNDERTONE_S3_ENDPOINT` (and the usual AWS_* variables) point the same suite at a real S3 server; without it
one runs in a subprocess, in memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.arrays.collection import Collection, create_collection
from store.objects.protocol import ObjectStore
from store.objects.storage import open_objects
from store.records import ArraySpec, ClipStatus, Failure, PlannedClip, Receipt, Unit

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class World:
    """A collection of every kind of array, with values that follow from clip and array alone."""

    unit_clips: int = 8
    layers: tuple[int, ...] = (0, 3, 7)
    arrays: tuple[ArraySpec, ...] = field(init=False)
    clips: tuple[PlannedClip, ...] = tuple(
        PlannedClip(f"clip{number:04d}", f"gänre {number % 3}/{number}.wav", 1.5 * number, 4.0)
        for number in range(21)
    )

    def __post_init__(self) -> None:
        layers = {"layers": list(self.layers)}
        count = len(self.layers)
        arrays = (
            ArraySpec("resid.mean", ("layer", "feature"), (count, 6), "float32", layers),
            ArraySpec("resid.frames", ("layer", "time", "feature"), (count, 5, 6), "float16", layers),
            ArraySpec(
                "mlp.segments", ("layer", "segment", "feature"), (count, 2, 6), "float32", layers, "zstd"
            ),
            ArraySpec("mlp.std", ("layer", "feature"), (count, 6), "float32", layers, "zstd"),
            ArraySpec("codes", ("codebook", "time"), (4, 9), "int16"),
        )
        object.__setattr__(self, "arrays", arrays)

    def create(self, objects: ObjectStore, prefix: str = "runs/world", **changes: Any) -> Collection:
        """The collection, without any unit written."""
        given = {"document": {"model": {"name": "tiny"}}, "arrays": self.arrays, "clips": self.clips}
        return create_collection(objects, prefix, unit_clips=self.unit_clips, **(given | changes))

    def values(self, name: str, clip_ids: Sequence[str]) -> Array:
        """What a model would say of these clips, (clips, *axes)."""
        spec = next(spec for spec in self.arrays if spec.name == name)
        return np.stack([self._row(spec, clip) for clip in clip_ids])

    def write(
        self, collection: Collection, unit: Unit, *, failed: Sequence[str] = (), blocks: int = 3
    ) -> Receipt[Any]:
        """Compute and commit one unit in a few blocks; failed clips are rows of the fill value."""
        ids = [clip.clip_id for clip in unit.clips]
        with collection.begin(unit, provenance={"device": "cpu"}) as pending:
            for start in range(0, len(ids), blocks):
                for name in collection.arrays:
                    pending.add(
                        name, start, self.block(collection, name, ids[start : start + blocks], failed)
                    )
            return pending.commit([self.status(clip, failed) for clip in ids], {"forward": 0.5})

    def write_all(self, collection: Collection, *, failed: Sequence[str] = ()) -> list[Receipt[Any]]:
        """Compute and commit what is missing."""
        return [self.write(collection, unit, failed=failed) for unit in collection.missing_units()]

    def block(self, collection: Collection, name: str, ids: Sequence[str], failed: Sequence[str]) -> Array:
        """The values of some clips, the failed ones filled."""
        block = self.values(name, ids)
        for place, clip in enumerate(ids):
            if clip in failed:
                block[place] = collection.layouts[name].fill
        return block

    @staticmethod
    def status(clip: str, failed: Sequence[str]) -> ClipStatus:
        """The status of one clip."""
        if clip in failed:
            return ClipStatus(clip, "failed", Failure(clip, "decode", "AudioError", "broken"))
        return ClipStatus(clip, "ok")

    @staticmethod
    def _row(spec: ArraySpec, clip: str) -> Array:
        digest = sha256(f"{spec.name} {clip}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        if spec.dtype == "int16":
            return generator.integers(0, 2048, spec.shape).astype(np.int16)
        return generator.standard_normal(spec.shape).astype(spec.dtype)


@pytest.fixture
def world() -> World:
    """21 clips in units of 8, five arrays."""
    return World()


@pytest.fixture(params=["local", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a store: a folder with an awkward name, or a prefix in a bucket."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3_url"))
    return str(tmp_path / "größe store")


@pytest.fixture
def objects(store_url: str) -> ObjectStore:
    """Empty storage of either kind."""
    return open_objects(store_url)


@pytest.fixture
def local_objects(tmp_path: Path) -> ObjectStore:
    """Empty storage in a local folder."""
    return open_objects(tmp_path / "local store")


@pytest.fixture
def contents() -> Callable[[ObjectStore, str], dict[str, bytes]]:
    """Every object below a prefix with its bytes."""
    return lambda objects, prefix: {key: objects.get(key) for key, _ in objects.list(prefix)}
