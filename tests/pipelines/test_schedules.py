"""Schedules against their definitions, frame by frame."""

import math

import numpy as np
import pytest

from pipelines.steering.schedules import CONSTANT, Clock, Schedule, crossfade, parse_schedule
from store.errors import InvalidInput


def strengths(text: str, frames: int = 100, *, frame_rate: float = 50.0) -> list[float]:
    clock = Clock(np.arange(frames), frames=frames, frame_rate=frame_rate)
    return [float(strength) for strength in parse_schedule(text).strengths(clock)]


def test_no_schedule_is_one_throughout() -> None:
    assert strengths("constant") == strengths("") == [1.0] * 100
    assert parse_schedule("constant") == CONSTANT


def test_a_ramp_without_a_length_spans_the_generation() -> None:
    up = strengths("linear-up")
    assert up[0] == 0.0
    assert up[-1] == 1.0
    assert np.allclose(np.diff(up), 1 / 99)
    assert np.allclose(np.add(up, strengths("linear-down")), 1.0)


def test_a_ramp_with_a_length_ends_there_and_stays() -> None:
    up = strengths("linear-up:1")
    assert up[25] == pytest.approx(0.5)
    assert up[50:] == [1.0] * 50


def test_an_exponential_decays_by_its_rate_per_frame() -> None:
    assert strengths("exponential:0.9", 4) == pytest.approx([1.0, 0.9, 0.81, 0.729])
    assert strengths("exponential", 2)[1] == pytest.approx(0.998)


def test_a_window_is_open_from_its_start_up_to_but_without_its_end() -> None:
    assert [t for t, s in enumerate(strengths("window:0.5-1")) if s] == list(range(25, 50))
    assert [t for t, s in enumerate(strengths("window:1.5-")) if s] == list(range(75, 100))
    assert [t for t, s in enumerate(strengths("window:-0.1")) if s] == list(range(5))


def test_every_nth_frame_begins_with_the_first() -> None:
    assert [t for t, s in enumerate(strengths("every:25")) if s] == [0, 25, 50, 75]


def test_a_bernoulli_gate_opens_as_often_as_it_says_and_is_a_function_of_frame_and_random_state() -> None:
    many = strengths("bernoulli:0.3:7", 20_000)
    assert set(many) == {0.0, 1.0}
    assert abs(np.mean(many) - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 20_000)
    assert strengths("bernoulli:0.3:7", 50) == many[:50]
    assert strengths("bernoulli:0.3:8", 50) != many[:50]


def test_factors_multiply() -> None:
    both = np.multiply(strengths("linear-down:1"), strengths("every:5"))
    assert strengths("linear-down:1,every:5") == both.tolist()


def test_the_two_sides_of_a_crossfade_add_up_to_one() -> None:
    clock = Clock(np.arange(80), frames=80, frame_rate=50.0)
    fading, rising = crossfade(1.0)
    assert np.allclose(fading.strengths(clock) + rising.strengths(clock), 1.0)
    assert rising.strengths(clock)[-1] == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "linear-down:4,every:5",
        "window:5-10",
        "window:5-",
        "window:-5",
        "window:0.00001-5",
        "bernoulli:0.3:7",
        "bernoulli:0.5:12345678",
        "exponential:0.9",
        "exponential:0.99812345",
    ],
)
def test_the_text_of_a_schedule_reads_back_as_the_same(text: str) -> None:
    schedule = parse_schedule(text)
    assert str(schedule) == text
    assert parse_schedule(str(schedule)) == schedule


def test_the_text_of_no_schedule_is_constant() -> None:
    assert str(Schedule()) == "constant"


@pytest.mark.parametrize(
    "text",
    [
        "sometimes",
        "linear-up:0",
        "linear-up:x",
        "linear-up:1:2",
        "exponential:1.5",
        "exponential:nan",
        "window:5",
        "window:-",
        "window:5-5",
        "window:9-4",
        "every",
        "every:0",
        "every:2.5",
        "every:1e30",
        "bernoulli",
        "bernoulli:1.2",
        "bernoulli:0.5:-1",
        "linear-up:inf",
    ],
)
def test_what_is_no_schedule_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="schedule"):
        parse_schedule(text)
