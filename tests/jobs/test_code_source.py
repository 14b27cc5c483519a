"""A worker gets the codes of its unit whatever was stored before, and asks for nothing of other units."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.engine.stages import StageClock
from jobs.extract.code_source import CodeSource
from jobs.extract.units import ExtractionUnit, ExtractionUnits
from store.arrays.collection import Collection, create_collection, known_collection, open_collection
from store.errors import AudioError
from store.objects.counting import CountedObjects
from store.objects.local import LocalObjects
from store.objects.protocol import ObjectStore
from store.objects.storage import open_objects
from store.records import ArraySpec, ClipStatus, PlannedClip

UNIT = 4
CODES = ArraySpec("codes", ("codebook", "time"), (2, 3), "int16")
MEANS = ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32")


def clips_of(count: int) -> list[PlannedClip]:
    return [PlannedClip(f"clip{number:05d}", "a.wav", float(number), 1.0, "loud") for number in range(count)]


def number_of(clip: PlannedClip) -> int:
    return int(clip.start_seconds)


def codes_of(clips: Sequence[PlannedClip]) -> np.ndarray:
    return np.stack([np.full((2, 3), number_of(clip) % 1000, np.int16) for clip in clips])


def collections(objects: ObjectStore, count: int) -> tuple[Collection, Collection]:
    clips = clips_of(count)
    common: dict[str, Any] = {"document": {}, "clips": clips, "unit_clips": UNIT}
    run = create_collection(objects, "runs/r", arrays=[MEANS], **common)
    return run, create_collection(objects, "codes/c", arrays=[CODES], **common)


class Encoder:
    """Stands for audio and EnCodec; remembers what it was asked for."""

    def __init__(self) -> None:
        self.decoded: list[int] = []
        self.broken: set[int] = set()

    def decode(self, clip: PlannedClip) -> np.ndarray:
        self.decoded.append(number_of(clip))
        if number_of(clip) in self.broken:
            raise AudioError("broken")
        return np.full(1, number_of(clip), np.float32)

    def source(self, codes: Collection) -> CodeSource:
        return CodeSource(
            codes,
            decode=self.decode,
            encode=lambda audio: np.broadcast_to(audio[:, :, None] % 1000, (len(audio), 2, 3)).astype(
                np.int16
            ),
            is_silent=lambda samples: bool(samples[0] == 1),
            decoders=ThreadPoolExecutor(1),
            clip_shape=(1,),
        )


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


def units_of(run: Collection, codes: Collection) -> list[ExtractionUnit]:
    return list(ExtractionUnits(run.missing(), codes))


def write(collection: Collection, number: int, *, failed: Sequence[int] = ()) -> None:
    unit = collection.plan().unit(number)
    values = codes_of(unit.clips)
    values[list(failed)] = -1
    states = [
        ClipStatus(clip.clip_id, "failed" if place in failed else "ok")
        for place, clip in enumerate(unit.clips)
    ]
    with collection.begin(unit, provenance={}) as pending:
        pending.add("codes", 0, values)
        pending.commit(states, {})


def test_codes_are_computed_once_and_read_afterwards(tmp_path: Path, encoder: Encoder) -> None:
    run, codes = collections(LocalObjects(tmp_path), 6)
    for _ in range(2):
        for unit in units_of(run, codes):
            found, statuses = encoder.source(codes).codes_of(unit, StageClock())
            np.testing.assert_array_equal(found, codes_of(unit.clips))
            assert [status.state for status in statuses] == [
                "silent" if number_of(clip) == 1 else "ok" for clip in unit.clips
            ]
        codes.refresh()
    assert encoder.decoded == list(range(6))
    assert codes.missing_units() == []


def test_a_clip_that_failed_and_was_mended_later_is_read_from_its_newest_row(
    tmp_path: Path, encoder: Encoder
) -> None:
    run, codes = collections(LocalObjects(tmp_path), 8)
    write(codes, 0, failed=[2])
    codes.append_units([codes.plan().unit(0).clips[2]])
    write(codes, 2)
    codes.refresh()
    found, statuses = encoder.source(codes).codes_of(units_of(run, codes)[0], StageClock())
    np.testing.assert_array_equal(found, codes_of(clips_of(4)))
    assert {status.state for status in statuses} == {"ok"}
    assert encoder.decoded == []


def test_a_retried_unit_reads_what_is_there_and_computes_the_rest_without_storing_it(
    tmp_path: Path, encoder: Encoder
) -> None:
    run, codes = collections(LocalObjects(tmp_path), 8)
    write(codes, 0)
    write(codes, 1, failed=[0])
    retried = [clips_of(8)[place] for place in (1, 4, 6)]
    run.append_units(retried)
    codes.refresh()
    unit = units_of(run, codes)[2]
    found, statuses = encoder.source(codes).codes_of(unit, StageClock())
    np.testing.assert_array_equal(found, codes_of(retried))
    assert [status.state for status in statuses] == ["ok"] * 3
    assert encoder.decoded == [4]
    assert len(codes.plan()) == 2


def test_a_trial_computes_its_clips_and_stores_nothing(tmp_path: Path, encoder: Encoder) -> None:
    run, codes = collections(LocalObjects(tmp_path), 8)
    write(codes, 1, failed=[1])
    clips = clips_of(8)
    for number, chosen, decoded in ((0, (1, 3), [1, 3]), (1, (4, 5), [5])):
        encoder.decoded.clear()
        unit = units_of(run, codes)[number]
        wanted = frozenset(clips[place].clip_id for place in chosen)
        found = encoder.source(codes).codes_of_some(unit, wanted, StageClock())
        np.testing.assert_array_equal(found, codes_of([clips[place] for place in chosen]))
        assert encoder.decoded == decoded
    assert len(open_collection(codes.objects, "codes/c").missing_units()) == 1


@pytest.mark.parametrize("stored", [False, True])
def test_what_a_worker_asks_of_the_store_does_not_grow_with_the_plan(
    tmp_path: Path, encoder: Encoder, stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(count: int, sample: Callable[[], None] = lambda: None) -> tuple[int, list[str]]:
        objects = LocalObjects(tmp_path / f"{count}")
        run, codes = collections(objects, count)
        for number in range(len(codes.plan()) if stored else 0):
            write(codes, number)
        codes.refresh()
        unit = units_of(run, codes)[0]
        counted = CountedObjects(objects)
        source = encoder.source(open_collection(counted, "codes/c"))
        writer = open_collection(counted, "runs/r")
        source.codes_of(unit, StageClock())
        with writer.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, np.zeros((len(unit.clips), 1, 2), np.float32))
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
        return counted.requests.total, counted.requests.keys

    few, keys = asked(2 * UNIT)
    many, _ = asked(100 * UNIT)
    assert few == many
    opening, shards, markers, looks = 4, 2, 2, 2  # of codes that are not stored: a marker and manifests
    assert stored or few == opening + shards + markers + looks
    assert not [key for key in keys if "/plan" in key or key in ("codes/c/commits", "runs/r/commits")]


@pytest.mark.parametrize(("stored", "wanted"), [("", 14), ("markers", 11), ("manifests", 11)])
def test_a_unit_of_nine_arrays_is_committed_with_few_requests_and_no_look_after_a_put(
    encoder: Encoder, stored: str, wanted: int
) -> None:
    objects = open_objects("memory://")
    clips, means = clips_of(200 * UNIT), [replace(MEANS, name=f"array{number}") for number in range(9)]
    common: dict[str, Any] = {"document": {}, "clips": clips, "unit_clips": UNIT}
    run = create_collection(objects, "runs/r", arrays=means, **common)
    codes = create_collection(objects, "codes/c", arrays=[CODES], **common)
    for number in range(len(codes.plan()) if stored else 0):
        write(codes, number)
    assert codes.compact() if stored == "manifests" else True
    codes.refresh()
    unit = units_of(run, codes)[3]
    counted = CountedObjects(objects)
    source, writer = encoder.source(known_collection(counted, "codes/c")), known_collection(counted, "runs/r")
    opened = counted.requests.total
    source.codes_of(unit, StageClock())
    with writer.begin(unit, provenance={}) as pending:
        for mean in means:
            pending.add(mean.name, 0, np.zeros((len(unit.clips), 1, 2), np.float32))
        pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    assert (opened, counted.requests.total - opened) == (2, wanted)
    assert counted.requests.calls["HEAD"] == 0
