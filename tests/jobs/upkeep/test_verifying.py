"""A verification in tasks: interrupted, of a sample, and with progress."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.progress.reporters import told
from jobs.progress.reporting import Progress
from jobs.upkeep import verifying
from jobs.upkeep.verify_options import VerifyOptions
from jobs.upkeep.verifying import Verification, amount_read, parse_share, run_verification
from store.arrays.vouched import Vouched, checked
from store.errors import InvalidInput
from store.opening import open_store
from store.records import ArraySpec, ClipStatus, PlannedClip

ARRAY = ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32")
UNITS = 20


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run of twenty shards, each a task of its own."""
    monkeypatch.setattr(verifying, "TASK_OBJECTS", 1)
    monkeypatch.setattr("os.fsync", lambda _: None)
    opened = open_store(tmp_path / "music.store", create=True)
    clips = [PlannedClip(f"clip{number:02d}", "a.wav", float(number), 1.0) for number in range(UNITS)]
    run = opened.create_run("run", document={}, arrays=[ARRAY], clips=clips, unit_clips=1)
    for unit in run.units():
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, np.ones((1, 1, 2), np.float32))
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()
    return opened.url


def shard(number: int) -> str:
    return f"runs/run/activations.zarr/resid.mean/c.{number}.0.0"


def damage(store: str, number: int) -> None:
    path = Path(store, shard(number))
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def verified(store: str, **options: Any) -> Verification:
    return run_verification(VerifyOptions(store, workers=1, **options))


def interrupted_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next verification is stopped in its task of this number."""
    check, left = checked, [count]

    def stopped(objects: Any, task: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return check(objects, task)

    monkeypatch.setattr(verifying, "checked", stopped)


def test_an_interrupted_verification_goes_on_where_it_stopped_and_tells_all_damage(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(store, 2)
    with monkeypatch.context() as patched:
        interrupted_after(8, patched)
        with pytest.raises(KeyboardInterrupt):
            verified(store)
    damage(store, 15)
    done = verified(store)
    assert {entry.key for entry in done.found} == {shard(2), shard(15)}
    assert (done.read, done.known, done.total) == (UNITS - 7, 7, UNITS), "what is damaged is read again"
    assert "7 an interrupted verification had read (--again" in amount_read(done)
    assert verified(store).read == UNITS, "one that came to its end leaves nothing"


def test_again_begins_anew(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        interrupted_after(8, patched)
        with pytest.raises(KeyboardInterrupt):
            verified(store)
    damage(store, 0)
    assert [entry.key for entry in verified(store, again=True).found] == [shard(0)]


def test_a_sample_reads_a_share_of_the_shards_and_all_markers(store: str) -> None:
    damage(store, 3)
    manifest = next(Path(store, "runs/run/commits").iterdir())
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-1])
    assert verified(store, sample="1%").found[0].key == str(manifest.relative_to(store))
    manifest.write_bytes(whole)
    reads, finds = [], []
    for _ in range(30):
        done = verified(store, sample="0.5")
        reads.append(done.read)
        finds.append(len(done.found))
        assert done.total == UNITS
    assert 0.4 * UNITS < np.mean(reads) < 0.6 * UNITS
    assert set(finds) == {0, 1}, "drawn anew each time"


@pytest.mark.parametrize("text", ["0", "101%", "half", "", "1%%", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no share: say for example 1% or 0\.01"):
        parse_share(text)


def test_progress_tells_bytes_rate_and_what_is_left(store: str) -> None:
    seen: list[Progress] = []
    with told(seen.append):
        verified(store)
    assert seen[-1].done == seen[-1].total == sum(Path(store, shard(n)).stat().st_size for n in range(UNITS))
    assert seen[-1].values["files"] == UNITS
    assert "/s · " in seen[-1].line
    assert "ETA" in seen[-1].line


def test_a_task_travels_to_another_process(store: str) -> None:
    layout = open_store(store).run("run").layouts["resid.mean"]
    task = [Vouched(shard(n), 1, "00000000", layout, f"unit-{n:06d}") for n in range(256)]
    data = pickle.dumps(task)
    assert pickle.loads(data) == task
    assert len(data) < 256 * 150, "the layout once, not with every shard"


def test_a_cache_that_cannot_be_written_costs_only_the_going_on(
    store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert verified(store).read == UNITS
