"""The synthesizer: time, level, independence of clips, and the bank behind it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.synthesis import synthesizer
from pipelines.synthesis.scores import Note, Part, Score
from pipelines.synthesis.synthesizer import new_synthesizer, play, render_score, schedule
from store.errors import NotFound

RATE = 32_000


def first_sound(samples: NDArray[np.float32]) -> float:
    return int(np.flatnonzero(np.abs(samples) > 1e-3)[0]) / RATE


@pytest.mark.parametrize(("tempo_bpm", "start_seconds"), [(120, 0.0), (90, 0.0), (120, 0.3), (60, 1.4)])
def test_a_note_begins_on_its_beat(tempo_bpm: int, start_seconds: float) -> None:
    score = Score([Part(115, [Note(2, 3, 60)])], tempo_bpm=tempo_bpm, start_seconds=start_seconds)
    sound = render_score(score, seconds=3.0, sample_rate=RATE)
    assert first_sound(sound) == pytest.approx(2 * 60 / tempo_bpm - start_seconds, abs=0.01)


def test_an_excerpt_begins_in_the_middle_of_a_held_note() -> None:
    """Slow strings would need a second to swell if they were struck where the excerpt begins."""

    def swelling(start_seconds: float) -> float:
        score = Score([Part(49, [Note(0, 16, 60)])], start_seconds=start_seconds)
        sound = render_score(score, seconds=2.0, sample_rate=RATE)
        return float(np.square(sound[-RATE // 2 :]).mean() / np.square(sound[: RATE // 50]).mean())

    assert swelling(0.0) > 50
    assert swelling(1.0) < 5


def test_a_note_falls_silent_after_its_end() -> None:
    sound = render_score(Score([Part(16, [Note(0, 1, 60)])]), seconds=2.0, sample_rate=RATE)
    assert np.abs(sound[: RATE // 2]).max() > 100 * np.abs(sound[RATE:]).max()


@pytest.mark.parametrize("level_db", [0.0, -6.0, -20.0])
def test_the_peak_is_one_decibel_below_full_scale_plus_the_level(level_db: float) -> None:
    score = Score([Part(0, [Note(0, 2, 60)])], level_db=level_db)
    sound = render_score(score, seconds=1.0, sample_rate=RATE)
    assert 20 * np.log10(np.abs(sound).max()) == pytest.approx(level_db - 1, abs=0.01)


def test_an_empty_score_is_silence() -> None:
    assert not render_score(Score([]), seconds=0.5, sample_rate=RATE).any()


def test_nothing_of_one_clip_is_heard_in_the_next() -> None:
    long = Score([Part(48, [Note(0, 100, pitch) for pitch in (48, 55, 64)], gain=1.0)])
    short = Score([Part(0, [Note(0, 1, 60)])])
    alone = render_score(short, seconds=1.0, sample_rate=RATE)
    render_score(long, seconds=1.0, sample_rate=RATE)
    assert np.array_equal(render_score(short, seconds=1.0, sample_rate=RATE), alone)


def test_parts_with_a_gain_are_as_loud_as_it_says_whatever_the_program() -> None:
    def level(program: int, gain: float) -> float:
        synthesizer = new_synthesizer(RATE)
        score = Score([Part(program, [Note(0, 2, 60, 100)], gain=gain)])
        sound = play(synthesizer, sorted(schedule(synthesizer, score, 0.0, RATE)), RATE)
        return float(np.sqrt(np.square(sound).reshape(10, -1).mean(axis=1).max()))

    levels = [20 * np.log10(level(program, 1.0)) for program in (0, 16, 40, 56, 73, 81)]
    assert max(levels) - min(levels) < 1.5
    assert level(0, 0.5) == pytest.approx(level(0, 1.0) / 2, rel=0.02)


def test_a_missing_bank_names_the_package_that_carries_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesizer, "find_spec", lambda _: None)
    with pytest.raises(NotFound, match="pretty_midi"):
        synthesizer.bank_path()
