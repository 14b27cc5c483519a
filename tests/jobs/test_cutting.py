"""The size of units: what is chosen where nobody says it, and what keeps it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.extract import cutting
from jobs.extract.cutting import UNIT_BYTES, fitting, unit_clips_for
from jobs.extract.options import ExtractOptions
from jobs.extract.planning import resolve
from jobs.extract.running import run_extraction
from store.arrays.plan import unit_starts_of
from store.opening import open_store
from store.records import ArraySpec


def arrays(values_per_clip: int) -> list[ArraySpec]:
    return [ArraySpec("resid.mean", ("layer", "feature"), (1, values_per_clip), "float32")]


@pytest.mark.parametrize(
    ("clips", "clip_bytes", "size"),
    [
        (1, 4, 64),
        (3_000, 4, 64),
        (3_072, 4, 128),
        (10_000, 4, 384),
        (1_000_000, 4, 1024),
        (1_000_000, 9 * 48 * 2048 * 4, 128),
        (1_000_000, 48 * 500 * 2048 * 4, 64),
    ],
)
def test_units_grow_with_the_dataset_as_far_as_they_fit_into_memory(
    clips: int, clip_bytes: int, size: int
) -> None:
    assert unit_clips_for(arrays(clip_bytes // 4), clips) == size
    assert size == 64 or size * clip_bytes <= UNIT_BYTES
    assert size == 64 or clips // size >= 24, "there is work for two dozen workers"


@pytest.mark.parametrize(
    ("longest", "clip_bytes", "size"), [(54, 4, 64), (135, 4, 192), (9_000, 4, 1024), (135, 5_000_000, 64)]
)
def test_units_hold_the_longest_recording_if_memory_does(longest: int, clip_bytes: int, size: int) -> None:
    assert unit_clips_for(arrays(clip_bytes // 4), 500, longest) == size


@pytest.mark.parametrize("length", [1, 3, 33, 54, 135, 300])
@pytest.mark.parametrize("most", [64, 512, 1024])
def test_units_that_can_hold_a_recording_cut_none_and_leave_few_rows_empty(length: int, most: int) -> None:
    ends = length * np.arange(1, 200)
    size = fitting(ends, most)
    starts = unit_starts_of(ends, size)
    assert most // 2 < size <= most
    if length <= most:
        assert set(starts[1:]) <= set(ends.tolist())
    assert len(starts) * size <= 1.07 * (ends[-1] + size)


def test_a_size_that_was_said_is_kept_where_a_run_has_it(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_extraction(options(store, unit_clips=4, sites="resid"))["run"]
    monkeypatch.setattr(cutting, "fitting", lambda _, most: most - 1)
    assert resolve(options(store, unit_clips=4, sites="resid")).spec.run_id() == first
    assert resolve(options(store, unit_clips=4, sites="mlp")).spec.unit_clips == 3


def options(store: str, **more: Any) -> ExtractOptions:
    return ExtractOptions(
        store, "tones", **{"model": "pocket-random", "engine": "inline", "batch_clips": 2, **more}
    )


def test_a_run_keeps_the_size_of_its_units_and_others_read_its_codes_as_they_are_cut(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "STEP_CLIPS", 3)
    first = run_extraction(options(store, unit_clips=4, sites="resid"))["run"]
    assert resolve(options(store, sites="resid")).spec.run_id() == first

    (codes,) = open_store(store).all_codes()
    other = resolve(options(store, sites="mlp")).spec
    assert (other.unit_clips, other.codes_key()) == (3, codes), "nothing is encoded again"


def test_codes_that_are_not_all_there_are_not_waited_for(store: str) -> None:
    run_extraction(options(store, unit_clips=4))
    (key,) = open_store(store).all_codes()
    for record in Path(store, "records/codes", key, "complete").iterdir():
        record.unlink()
    spec = resolve(options(store, sites="mlp")).spec
    assert (spec.unit_clips, spec.codes_unit_clips) == (64, 64)
