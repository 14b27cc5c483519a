"""Runs writers and kills them: `python crash_worker.py SCENARIO FOLDER` prints one JSON line per trial.

Writers are forked children of this process, which itself stays single-threaded; "event" counts the calls that
touch the disk, so that killing at every event in turn visits every point of the protocol.
"""

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from store.arrays.collection import create_collection
from store.arrays.verification import repair, verify
from store.objects.local import LocalObjects
from store.records import ArraySpec, ClipStatus, PlannedClip

PREFIX = "runs/crash"
ARRAYS = (
    ArraySpec("resid.mean", ("layer", "feature"), (2, 8), "float32"),
    ArraySpec("resid.frames", ("layer", "time", "feature"), (2, 6, 8), "float16"),
)
CLIPS = tuple(PlannedClip(f"clip{number}", "a.wav", float(number), 1.0) for number in range(7))
EVENTS = ("write", "fsync", "link", "unlink")
Event = Callable[[int, str], None]


def write_run(folder: Path, event: Event | None = None) -> None:
    """What a driver does: create the run or find it, then compute what is missing."""
    if event:
        intercept(event)
    collection = create_collection(
        LocalObjects(folder), PREFIX, document={}, arrays=ARRAYS, clips=CLIPS, unit_clips=4
    )
    for unit in collection.missing_units():
        with collection.begin(unit, provenance={"pid": os.getpid()}) as pending:
            for place, clip in enumerate(unit.clips):
                for spec in ARRAYS:
                    pending.add(spec.name, place, row(spec, clip.clip_id)[np.newaxis])
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})


def row(spec: ArraySpec, clip: str) -> np.ndarray[Any, np.dtype[Any]]:
    """Values that follow from array and clip."""
    seed = int.from_bytes(sha256(f"{spec.name} {clip}".encode()).digest()[:4], "little")
    return np.random.default_rng(seed).standard_normal(spec.shape).astype(spec.dtype)


def intercept(event: Event) -> None:
    """Call `event` with a running number before each system call that touches the disk."""
    count = 0

    def wrap(name: str) -> None:
        original = getattr(os, name)

        def called(*arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            event(count, name)
            return original(*arguments, **options)

        setattr(os, name, called)

    for name in EVENTS:
        wrap(name)


def fork(task: Callable[[], object]) -> int:
    """Start a child that runs the task and exits with 0, or 1 on an error."""
    pid = os.fork()
    if pid == 0:
        try:
            task()
        except BaseException:  # noqa: BLE001 – whatever it is, the child must not return into the parent's code
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def finish(pid: int) -> int:
    """Wait for a child; its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(task: Callable[[], object]) -> int:
    return finish(fork(task))


def arrays_of(folder: Path) -> dict[str, str]:
    """Path and hash of everything in the Zarr group."""
    group = folder / PREFIX / "activations.zarr"
    return {
        path.relative_to(group).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(group.rglob("*"))
        if path.is_file()
    }


def markers_of(folder: Path) -> dict[str, str]:
    commits = folder / PREFIX / "commits"
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(commits.glob("*"))}


def check(folder: Path) -> None:
    """Exit code 1 unless verify is clean and every clip is there once."""
    collection = create_collection(
        LocalObjects(folder), PREFIX, document={}, arrays=ARRAYS, clips=CLIPS, unit_clips=4
    )
    assert verify(collection) == []
    ids = [clip.clip_id for clip in CLIPS]
    assert collection.rows()["clip_id"].to_pylist() == ids
    for spec in ARRAYS:
        expected = np.stack([row(spec, clip) for clip in ids])
        assert np.array_equal(collection.read_clips(spec.name, ids), expected)


def reference(folder: Path) -> tuple[dict[str, str], int]:
    """An uninterrupted run, and how many events it has."""
    assert run(lambda: write_run(folder)) == 0
    counted = folder.with_name("counted")
    descriptor = os.open(folder.with_name("events"), os.O_CREAT | os.O_RDWR)

    def record(number: int, _: str) -> None:
        os.pwrite(descriptor, str(number).encode().ljust(10), 0)

    assert run(lambda: write_run(counted, record)) == 0
    assert arrays_of(counted) == arrays_of(folder)
    return arrays_of(folder), int(os.pread(descriptor, 10, 0))


def kill_at_every_event(top: Path) -> None:
    expected, events = reference(top / "reference")
    folder = top / "store"
    for number in range(1, events + 1):
        shutil.rmtree(folder, ignore_errors=True)
        killed = run(partial(write_run, folder, kill_at(number)))
        report_trial(folder, expected, at=number, killed=killed)


def kill_at(at: int) -> Event:
    def event(number: int, _: str) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return event


def kill_at_random_times(top: Path) -> None:
    """Kill again and again until one attempt survives, as a cluster that loses its machines does."""
    expected, _ = reference(top / "reference")
    generator = np.random.default_rng(0)
    folder = top / "store"
    for number in range(15):
        shutil.rmtree(folder, ignore_errors=True)
        codes = [0]
        for _ in range(4):
            pid = fork(lambda: write_run(folder))
            time.sleep(generator.uniform(0, 0.02))
            os.kill(pid, signal.SIGKILL)
            codes.append(finish(pid))
        report_trial(folder, expected, at=number, killed=min(codes))


def report_trial(folder: Path, expected: dict[str, str], **facts: int) -> None:
    rerun = run(lambda: write_run(folder))
    same, clean = arrays_of(folder) == expected, run(lambda: check(folder)) == 0
    tell({**facts, "rerun": rerun, "same": same, "clean": clean})


def tell(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def stop_at_every_event(top: Path) -> None:
    """A zombie: stopped at an event, overtaken by another writer, then woken."""
    _, events = reference(top / "reference")
    folder = top / "store"
    for number in range(1, events + 1):
        shutil.rmtree(folder, ignore_errors=True)
        zombie = fork(partial(write_run, folder, stop_at(number)))
        os.waitpid(zombie, os.WUNTRACED)
        other = run(lambda: write_run(folder))
        arrays, markers = arrays_of(folder), markers_of(folder)
        os.kill(zombie, signal.SIGCONT)
        facts = {"at": number, "other": other, "zombie": finish(zombie)}
        facts["same"] = (arrays, markers) == (arrays_of(folder), markers_of(folder))
        facts["markers"] = len(markers)
        facts["clean"] = run(lambda: check(folder)) == 0
        tell(facts)


def stop_at(at: int) -> Event:
    def event(number: int, _: str) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGSTOP)

    return event


def write_at_once(top: Path) -> None:
    expected, _ = reference(top / "reference")
    folder = top / "store"
    for number in range(15):
        shutil.rmtree(folder, ignore_errors=True)
        writers = [fork(lambda: write_run(folder)) for _ in range(3)]
        codes = [finish(pid) for pid in writers]
        report_trial(folder, expected, at=number, failed=sum(code != 0 for code in codes))


def repair_under_fire(top: Path) -> None:
    """Kill `repair` at every event; repairing and running once more mends the store all the same."""
    expected, _ = reference(top / "reference")
    folder = top / "store"
    number, killed = 0, -signal.SIGKILL
    while killed:
        number += 1
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(top / "reference", folder)
        shard = folder / PREFIX / "activations.zarr/resid.mean/c.1.0.0"
        shard.write_bytes(shard.read_bytes()[:-1] + b"!")
        killed = run(partial(mend, folder, kill_at(number)))
        mended = run(lambda: mend(folder))
        report_trial(folder, expected, at=number, killed=killed, mended=mended)


def mend(folder: Path, event: Event | None = None) -> None:
    if event:
        intercept(event)
    collection = create_collection(
        LocalObjects(folder), PREFIX, document={}, arrays=ARRAYS, clips=CLIPS, unit_clips=4
    )
    repair(collection, verify(collection))


SCENARIOS = (kill_at_every_event, kill_at_random_times, stop_at_every_event, write_at_once, repair_under_fire)

if __name__ == "__main__":
    pa.table({"warm up": ["once, for all children"]})  # makes pyarrow import pandas
    {scenario.__name__: scenario for scenario in SCENARIOS}[sys.argv[1]](Path(sys.argv[2]))
