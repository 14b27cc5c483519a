"""Frames follow their predecessors, whatever a container says or leaves out of their time stamps."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from pipelines.audio.frame_positions import StampClock, place
from store.errors import AudioError

RATE = 48_000
SAMPLES = StampClock(Fraction(1), 0)
MILLISECONDS = StampClock(Fraction(48), 0)


@dataclass
class Frame:
    """What is asked of FFmpeg's frames."""

    pts: int | None
    samples: int = 1_000
    sample_rate: int = RATE


def positions(stamps: Sequence[int | None], clock: StampClock, following: int | None = 0) -> list[int]:
    frames: Any = (Frame(stamp) for stamp in stamps)
    return [placed.position for placed in place(frames, clock, following)]


@pytest.mark.parametrize("start", [0, -312, 1_105])
def test_stamps_that_name_samples_count_from_the_first_frames(start: int) -> None:
    stamps = [start, start + 1_000, start + 2_000]
    assert positions(stamps, StampClock(Fraction(1), start)) == [0, 1_000, 2_000]


def test_a_frame_without_a_stamp_follows_its_predecessor() -> None:
    stamps = [0, None, None, 3_000, None]
    assert positions(stamps, SAMPLES) == [0, 1_000, 2_000, 3_000, 4_000]


@pytest.mark.parametrize("clock", [StampClock(Fraction(1), None), MILLISECONDS])
def test_frames_without_any_stamp_are_counted(clock: StampClock) -> None:
    assert positions([None] * 4, clock) == [0, 1_000, 2_000, 3_000]


def test_after_a_jump_nothing_is_placed_before_the_first_stamp() -> None:
    assert positions([None, None, 7_000, None], SAMPLES, following=None) == [7_000, 8_000]


def test_missing_samples_leave_a_gap_under_exact_stamps() -> None:
    assert positions([0, 1_000, 5_000, 6_000], SAMPLES) == [0, 1_000, 5_000, 6_000]


def test_one_stamp_that_both_neighbours_contradict_is_mended() -> None:
    assert positions([0, 1_400, 2_000, 3_000], SAMPLES) == [0, 1_000, 2_000, 3_000]


def test_exact_stamps_that_go_back_are_refused_and_not_passed_over() -> None:
    with pytest.raises(AudioError, match=r"go back at 0\.06 s"):
        positions([0, 1_000, 2_000, 0, 1_000], SAMPLES)


def test_coarse_stamps_are_counted_and_their_rounding_does_not_add_up() -> None:
    stamps = [round(index * 1_000 / 48) for index in range(500)]
    assert positions(stamps, MILLISECONDS) == [index * 1_000 for index in range(500)]


def test_coarse_stamps_that_jump_ahead_leave_a_gap() -> None:
    stamps = [0, 21, 42, 1_042, 1_063]
    assert positions(stamps, MILLISECONDS) == [0, 1_000, 2_000, 49_984 + 16, 51_000]


def test_coarse_stamps_that_begin_anew_lose_nothing() -> None:
    assert positions([0, 21, 0, 21], MILLISECONDS) == [0, 1_000, 2_000, 3_000]


@pytest.mark.parametrize(
    ("tick", "is_exact"),
    [(Fraction(1, 320), True), (Fraction(1), True), (Fraction(2), True), (Fraction(48), False)],
)
def test_stamps_are_exact_where_they_tell_samples_apart(tick: Fraction, is_exact: bool) -> None:
    assert StampClock(tick, 0).is_exact == is_exact
    assert not StampClock(tick, None).is_exact
