"""A tiny store that holds every kind of file there is."""

import io
import shutil
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from analysis.clustering.kmeans import Search, Spread
from analysis.linear.moments import Moments
from jobs.generate.records import audio_key
from jobs.kmeans.state import save_state
from jobs.probe.kept import KeptMoments, keep_moments
from store.arrays.collection import Collection, create_collection
from store.objects.ledger import Entry, entry_of
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, Failure, PlannedClip
from store.results.parts import write_results

LAYERS = 2
CLIPS = 6
UNIT_CLIPS = 2
GENERATION = "generations"
Array = np.ndarray[Any, np.dtype[Any]]


def make_whole_store(folder: Path) -> Store:
    """Dataset with audio of its own, run with a retried clip, codes, features, results, sounds, caches."""
    store = open_store(folder, create=True)
    _add_dataset(store)
    clips = [PlannedClip(f"clip{number}", f"{number}.flac", 0.0, 1.0) for number in range(CLIPS)]
    pooled = ArraySpec("resid.mean", ("layer", "feature"), (LAYERS, 3), "float32")
    frames = ArraySpec("attn.frames", ("layer", "time", "feature"), (LAYERS, 2, 3), "float16")
    packed = ArraySpec("mlp.mean", ("layer", "feature"), (LAYERS, 3), "float32", {}, "zstd")
    dataset = {"name": "songs", "fingerprint": store.dataset("songs").fingerprint}
    codes = ArraySpec("codes", ("codebook", "time"), (2, 4), "int16")
    _write(
        store.create_codes("c0de", document={"dataset": dataset}, arrays=[codes], clips=clips, unit_clips=2)
    )
    run = store.create_run(
        "run",
        document={"dataset": dataset, "codes": "c0de", **_SAID},
        arrays=[pooled, frames, packed],
        clips=clips,
        unit_clips=UNIT_CLIPS,
    )
    _write(run, failed=["clip3"])
    run.append_units([clip for clip in clips if clip.clip_id == "clip3"])
    _write(run)
    features = ArraySpec("mel", ("feature",), (4,), "float32")
    _write(
        create_collection(
            store.objects, "features/songs-1", document={"dataset": dataset}, arrays=[features], clips=clips,
            unit_clips=UNIT_CLIPS,
        )
    )  # fmt: skip
    _write_results(store)
    keep_moments(store.objects, "moments/abc/resid.mean.0.npy", KeptMoments(_moments()))
    save_state(store, "state/kmeans/abc.npz", [Search(np.ones((2, 3), np.float32))], Spread(1.0, 1.0))
    return store


_SAID: dict[str, Any] = {
    "model": {"name": "tiny", "random_weights": True},
    "capture": {"sites": ["resid", "attn", "mlp"], "layers": [0, 1], "reductions": ["mean", "frames"]},
    "text": "",
    "dtype": "float32",
}


def value_of(name: str, clip: str, shape: Sequence[int]) -> Array:
    """What is stored of a clip: known without reading anything."""
    start = sum(map(ord, f"{name} {clip}")) % 97
    return (start + np.arange(int(np.prod(shape)))).reshape(tuple(shape))


def _add_dataset(store: Store) -> None:
    sounds: list[Entry] = []
    clips = []
    for number in range(CLIPS):
        key, data = f"datasets/songs/audio/{number}.flac", sound(number)
        store.objects.put(key, data)
        sounds.append(entry_of(key, data))
        clips.append(
            Clip(
                f"clip{number}",
                f"{number}.flac",
                0.0,
                1.0,
                f"g{number}",
                None,
                sha256(data).hexdigest(),
                0.0,
                {"n": number},
            )
        )
    info = {
        "format": "synthesis", "clip_seconds": 1.0, "hop_seconds": 1.0, "notes": "",
        "root": {"kind": "store", "path": "datasets/songs/audio"},
    }  # fmt: skip
    failures = [Failure("bad.wav", "probe", "AudioError", "no sound", "bad.wav")]
    store.add_dataset("songs", info, clips, failures, sounds=sounds)


def _write(collection: Collection, *, failed: Sequence[str] = ()) -> None:
    for unit in collection.missing_units():
        ids = [clip.clip_id for clip in unit.clips]
        with collection.begin(unit, provenance={"device": "cpu"}) as pending:
            for name, spec in collection.arrays.items():
                block = np.stack([value_of(name, clip, spec.shape) for clip in ids]).astype(spec.dtype)
                for place, clip in enumerate(ids):
                    if clip in failed:
                        block[place] = collection.layouts[name].fill
                pending.add(name, 0, block)
            pending.commit([_status(clip, failed) for clip in ids], {})
    collection.note_complete()


def _status(clip: str, failed: Sequence[str]) -> ClipStatus:
    if clip in failed:
        return ClipStatus(clip, "failed", Failure(clip, "decode", "AudioError", "broken"))
    return ClipStatus(clip, "ok")


def _write_results(store: Store) -> None:
    probes = pa.table({"run_id": ["run"] * 3, "layer": [0, 1, 2], "score": [0.5, 0.75, 0.875]})
    write_results(store, "measured", {"x": 1}, probes)
    entries = []
    for number in range(2):
        key = audio_key(f"made{number}")
        store.objects.create(key, [sound(10 + number)])
        entries.append(entry_of(key, store.objects.get(key)))
    rows = pa.table({"generation_id": ["made0", "made1"], "audio": [entry.key for entry in entries]})
    write_results(store, GENERATION, {"x": 2}, rows, sounds=entries)


def sound(number: int) -> bytes:
    """A short FLAC."""
    stream = io.BytesIO()
    samples = (1000 * np.sin(np.arange(400) * (number + 1) / 20)).astype(np.int16)
    with soundfile.SoundFile(stream, "w", 8000, 1, "PCM_16", format="FLAC") as file:
        file.comment = "{}"
        file.write(samples)
    return stream.getvalue()


def _moments() -> Moments:
    grams = np.arange(18, dtype=np.float64).reshape(2, 3, 3)
    return Moments(np.zeros(3), np.array([3, 4]), np.ones((2, 3)), grams)


@pytest.fixture(scope="session")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store, which no test may change."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    make_whole_store(folder)
    return folder


@pytest.fixture
def store(intact: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(intact, tmp_path / "store"))


@pytest.fixture
def stored_value() -> Callable[[str, str, Sequence[int]], Array]:
    """What is stored of an array and a clip."""
    return value_of
