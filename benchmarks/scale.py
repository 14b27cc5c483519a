"""Laws of growth: what opening, driving, working, status and reading cost at 10k, 100k and 1M clips.

python -m benchmarks.scale [--clips N …] [--unit-clips N] [--no-reads] [--folder DIR]

Stores are synthetic: nine arrays of one layer by four numbers, and codes, so that only what is per clip,
per unit or per object counts. Each measurement runs in a process of its own and is told in processor seconds,
peak memory beyond the interpreter with its libraries, and requests. Writing skips fsync. Questions beside a
commit each second are told by the clock: they mean something on a quiet machine alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import psutil

from jobs.engine.stages import StageClock
from jobs.extract.code_source import CodeSource
from jobs.extract.cutting import unit_clips_for
from jobs.extract.texts import planned_clips, without_text
from jobs.extract.units import ExtractionUnits
from jobs.upkeep.run_states import overviews
from jobs.upkeep.verify_options import VerifyOptions
from jobs.upkeep.verifying import run_verification
from store.arrays.collection import Collection, known_collection, open_collection
from store.arrays.layout import marker_key
from store.arrays.manifests import STEP_UNITS
from store.arrays.reader import CheckedChunks
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.objects.counting import CountedObjects
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus

ARRAYS = [
    ArraySpec(f"{site}.{kept}", ("layer", "feature"), (1, 4), "float32")
    for site in ("resid", "attn", "mlp")
    for kept in ("mean", "std", "last")
]
CODES = ArraySpec("codes", ("codebook", "time"), (1, 4), "int16")
MODEL = {"name": "fixed cost", "random_weights": True}
CAPTURE: dict[str, list[Any]] = {"sites": ["resid"], "layers": [0], "reductions": ["mean"]}
DOCUMENT = {
    "mode": "forward", "model": MODEL, "capture": CAPTURE, "text": "", "dtype": "float32", "codes": "c",
    "dataset": {"name": "many", "fingerprint": ""},
}  # fmt: skip
WIDE_CLIPS, WIDTH = 100_000, 1_024
QUESTIONS = (
    "SELECT genre, count(*) FROM clips GROUP BY ALL ORDER BY ALL LIMIT 5",
    "SELECT count(*) FROM clips",
)
COMMIT_EVERY_SECONDS, ASKED_SECONDS = 1.0, 30.0


def main() -> None:
    """Print a line for each measurement and number of clips."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--unit-clips", type=int, help="as extract chooses by default")
    parser.add_argument("--reads", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "STORE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measured(*options.measure)))
        return
    print(f"{'clips':>9}  {'measured':<44} {'CPU s':>7} {'MB':>7} {'requests':>8}  note")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for clips in options.clips:
            url = f"{folder}/{clips}.store"
            build(url, clips, options.unit_clips or unit_clips_for(ARRAYS, clips))
            for name in MEASURES:
                told(clips, name, url)
        if options.reads:
            wide(f"{folder}/wide.store", options.unit_clips or unit_clips_for(ARRAYS, WIDE_CLIPS))
            told(WIDE_CLIPS, "reads", f"{folder}/wide.store")


def told(clips: int, name: str, url: str) -> None:
    """Measure in a process of its own and print a line."""
    command = [sys.executable, "-m", "benchmarks.scale", "--measure", name, url]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout.splitlines()[-1])
    for line in found:
        title, seconds, megabytes, requests, note = line
        print(f"{clips:>9}  {title:<44} {seconds:>7.2f} {megabytes:>7.0f} {requests:>8}  {note}", flush=True)


def build(url: str, clips: int, unit_clips: int) -> None:
    """A dataset, its codes and a run, complete but for the last unit."""
    os.fsync = lambda _: None  # type: ignore[assignment]
    store = open_store(url, create=True)
    info = {
        "format": "folder",
        "clip_seconds": 10.0,
        "hop_seconds": 10.0,
        "root": {"kind": "local", "url": "/"},
    }
    dataset = store.add_dataset("many", info, clips_of(clips), [])
    planned = planned_clips(dataset, "")
    run, codes = collections_of(store, planned, unit_clips)
    started = time.process_time()
    for collection, specs in ((codes, [CODES]), (run, ARRAYS)):
        for number, unit in enumerate(collection.missing()):
            if collection is codes or unit.first_row + unit_clips < clips:
                write_unit(collection, unit, specs)
            if number % STEP_UNITS == STEP_UNITS - 1:
                collection.compact()
    codes.note_complete()
    files = sum(len(names) for _, _, names in os.walk(url))
    print(
        f"{clips:>9}  {'written and compacted':<44} {time.process_time() - started:>7.2f} {'':>7} {'':>8}  "
        f"{files} objects, {files / clips:.4f} per clip",
        flush=True,
    )


def clips_of(count: int) -> Iterator[Clip]:
    """Three clips a recording."""
    for number in range(count):
        track = number // 3
        name = sha256(b"%d" % number).hexdigest()
        yield Clip(
            clip_id=name[:16],
            uri=f"{track % 100:02d}/track{track:08d}.mp3",
            start_seconds=10.0 * (number % 3),
            duration_seconds=10.0,
            group=f"artist{track % 999}",
            split=None,
            sha256=name,
            tail_seconds=0.0,
            labels={"genre": f"genre{track % 16}"},
        )


def collections_of(store: Store, planned: Any, unit_clips: int) -> tuple[Collection, Collection]:
    """The run and the codes, made or opened."""
    codes = store.create_codes(
        "c", document={"dataset": DOCUMENT["dataset"]}, arrays=[CODES], clips=without_text(planned),
        unit_clips=unit_clips,
    )  # fmt: skip
    run = store.create_run("r", document=DOCUMENT, arrays=ARRAYS, clips=planned, unit_clips=unit_clips)
    return run, codes


def write_unit(collection: Collection, unit: Any, specs: list[ArraySpec]) -> None:
    """Commit a unit of ones."""
    count = len(unit.clips)
    with collection.begin(unit, provenance={"device": "cpu"}) as pending:
        for spec in specs:
            pending.add(spec.name, 0, np.ones((count, *spec.shape), spec.dtype))
        pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {"forward": 0.5})


def measured(name: str, url: str) -> list[Any]:
    """What one measurement finds: title, processor seconds, megabytes, requests and a note, per line."""
    store = open_store(url)
    counted = CountedObjects(store.objects)
    return MEASURES[name](Store(counted), counted) if name in MEASURES else reads(store)


def opening(store: Store, counted: CountedObjects) -> list[Any]:
    """Open the codes, which are complete, and find every clip's row."""
    codes = [0]

    def task() -> None:
        codes[0] = len(store.codes("c").index())

    return [_line("open a complete collection, index it", task, counted, lambda: f"{codes[0]} rows")]


def driving(store: Store, counted: CountedObjects) -> list[Any]:
    """What a driver does before its first unit."""

    def task() -> None:
        planned = planned_clips(store.dataset("many"), "")
        unit_clips = store.run("r").unit_clips
        run, codes = collections_of(store, planned, unit_clips)
        next(iter(ExtractionUnits(run.missing(), codes)))

    return [_line("driver before the first unit", task, counted)]


def working(store: Store, counted: CountedObjects) -> list[Any]:
    """The codes of one unit and its commit, as a worker that was just loaded does it."""
    driver = ExtractionUnits(store.run("r").missing(), store.codes("c"))
    unit = next(iter(driver))
    threads = ThreadPoolExecutor(1)
    lines = []

    def task() -> None:
        run, codes = known_collection(store.objects, "runs/r"), known_collection(store.objects, "codes/c")
        source = CodeSource(
            codes, decode=_nothing, encode=_nothing, is_silent=_nothing, decoders=threads, clip_shape=(1,)
        )
        source.codes_of(unit, StageClock())
        write_unit(run, replace(unit), ARRAYS)

    lines.append(_line("worker: load, one unit of stored codes", task, counted))
    return lines


def _nothing(*_: Any) -> Any:
    raise AssertionError("the codes are stored")


def status(store: Store, counted: CountedObjects) -> list[Any]:
    """What `undertone status` finds out."""
    return [_line("status", lambda: overviews(store), counted)]


def labels(store: Store, counted: CountedObjects) -> list[Any]:
    """Rows of all clips by their ids, in random order."""
    index = store.codes("c").index()
    ids = index.clip_ids.take(np.random.default_rng(0).permutation(len(index))).to_pylist()
    return [_line("rows of all clips by id", lambda: index.select(ids), counted)]


def asking(store: Store, counted: CountedObjects) -> list[Any]:
    """A question of SQL by itself, and one that meets a new commit: the least of eight, in both processes."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        plan = store.run("r").plan()
        unit = plan.unit(len(plan) - 1)
        counted.delete(marker_key("runs/r", unit.unit_id))
        path = refresh_catalog(store)
        seconds: dict[str, list[float]] = {"a question": [], "a question after a commit": []}
        for number in range(16):
            if number % 2:
                write_unit(open_collection(counted, "runs/r"), unit, ARRAYS)
            elif number:
                counted.delete(marker_key("runs/r", unit.unit_id))
                refresh_catalog(store)
            started = time.process_time() + _seconds_of_children()
            path = refresh_catalog(store)
            run_query(path, "SELECT genre, count(*) FROM clips GROUP BY ALL")
            spent = time.process_time() + _seconds_of_children() - started
            seconds["a question after a commit" if number % 2 else "a question"].append(spent)
        counted.delete(marker_key("runs/r", unit.unit_id))
        copied = f"{path.stat().st_size / 1e6:.1f} MB of the catalog copied"
        return [
            [name, min(found), 0, 0, copied if "commit" in name else ""] for name, found in seconds.items()
        ]


def beside_commits(store: Store, counted: CountedObjects) -> list[Any]:
    """Questions of SQL, one after the other, while another thread commits a unit each second."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        plan = store.run("r").plan()
        unit, stopped = plan.unit(len(plan) - 1), Event()
        marker, writer = marker_key("runs/r", unit.unit_id), open_store(store.url)
        run_query(refresh_catalog(store), QUESTIONS[0])

        def commit() -> None:
            while not stopped.wait(COMMIT_EVERY_SECONDS):
                writer.objects.delete(marker)
                write_unit(writer.run("r"), unit, ARRAYS)

        thread = Thread(target=commit)
        thread.start()
        found: list[float] = []
        end, spent = time.monotonic() + ASKED_SECONDS, time.process_time() + _seconds_of_children()
        while time.monotonic() < end:
            started = time.monotonic()
            run_query(refresh_catalog(store), QUESTIONS[len(found) % len(QUESTIONS)])
            found.append(time.monotonic() - started)
        stopped.set()
        thread.join()
        spent = time.process_time() + _seconds_of_children() - spent
        counted.delete(marker)
    middle, late = np.percentile(found, [50, 95])
    clock = f"by the clock: median {middle:.3f} s, 95th percentile {late:.3f} s, n = {len(found)}"
    note = f"{clock}, load {os.getloadavg()[0]:.1f}"
    return [["a question, a commit each second", spent / len(found), 0, 0, note]]


def _seconds_of_children() -> float:
    """Processor seconds of the processes that answer SQL, which live on."""
    children = psutil.Process().children()
    return sum(sum(child.cpu_times()[:2]) for child in children)


MEASURES: dict[str, Callable[[Store, CountedObjects], list[Any]]] = {
    "opening": opening,
    "driving": driving,
    "status": status,
    "labels": labels,
    "working": working,
    "asking": asking,
    "beside_commits": beside_commits,
}


def _line(
    title: str, task: Callable[[], object], counted: CountedObjects, note: Callable[[], str] = lambda: ""
) -> list[Any]:
    before_all = counted.requests.total
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, started = _memory("VmRSS"), time.process_time()
    task()
    seconds, grown = time.process_time() - started, _memory("VmHWM") - before
    return [title, seconds, grown, counted.requests.total - before_all, note()]


def _memory(name: str) -> float:
    """Megabytes, as Linux tells them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def wide(url: str, unit_clips: int) -> None:
    """A run of 100k clips of 1,024 numbers, 410 MB, and the same numbers in one file."""
    store = open_store(url, create=True)
    spec = ArraySpec("resid.mean", ("layer", "feature"), (1, WIDTH), "float32")
    planned = [replace(clip, labels={}) for clip in clips_of(WIDE_CLIPS)]
    dataset = store.add_dataset("wide", {"root": {"kind": "local", "url": "/"}}, planned, [])
    clips = planned_clips(dataset, "")
    run = store.create_run("r", document={"model": MODEL}, arrays=[spec], clips=clips, unit_clips=unit_clips)
    for unit in run.missing():
        write_unit(run, unit, [spec])
    run.note_complete()
    np.ones((WIDE_CLIPS, WIDTH), np.float32).tofile(f"{url}/flat")


def reads(store: Store) -> list[Any]:
    """Reading a layer, and verifying all, beside `np.fromfile`; a shuffled pass beside one in order.

    The best of five.
    """
    run = store.run("r")
    run.index()
    flat = f"{store.url}/flat"

    def afresh() -> None:
        run._checked["resid.mean"] = CheckedChunks()  # noqa: SLF001 (as if it had just been opened)

    def passed(shuffle: int | None) -> None:
        for _ in run.iter_layer("resid.mean", 0, block_clips=256, shuffle=shuffle):
            pass

    tasks: dict[str, Callable[[], object]] = {
        "np.fromfile": lambda: np.fromfile(flat, np.float32),
        "read_layer, first (checked)": lambda: run.read_layer("resid.mean", 0),
        "read_layer, again": lambda: run.read_layer("resid.mean", 0),
        "a pass in order": lambda: passed(None),
        "a shuffled pass": lambda: passed(0),
        "verify": lambda: run_verification(VerifyOptions(store.url, "r", workers=1)),
    }
    best = dict.fromkeys(tasks, 1e9)
    for _ in range(5):
        for name, task in tasks.items():
            if name != "read_layer, again":
                afresh()
            started = time.process_time()
            task()
            best[name] = min(best[name], time.process_time() - started)
    base = {"a shuffled pass": best["a pass in order"]}
    return [
        [name, seconds, 0, 0, f"{base.get(name, best['np.fromfile']) / seconds:.2f} of the speed"]
        for name, seconds in best.items()
    ]


if __name__ == "__main__":
    main()
