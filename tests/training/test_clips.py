"""The training clips: no label can be read from another, and some values are kept for tests."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import log

import numpy as np
import pytest

from pipelines.synthesis.captions import TEMPO_WORDS
from pipelines.synthesis.instruments import LEADS
from training.pocket.clips import (
    CLIP_SAMPLES,
    HELD_OUT_KEYS,
    HELD_OUT_PROGRAMS,
    HELD_OUT_TEMPOS_BPM,
    Part,
    draw_clip,
    render_clip,
    specimen,
)

LABELS = ("style", "instrument", "drums", "tempo", "key", "mode", "texture", "comping", "bass")


def label_columns(part: Part, clips: int) -> dict[str, list[str]]:
    """The labels of the first clips of a part, as words."""
    columns: dict[str, list[str]] = {name: [] for name in LABELS}
    for index in range(clips):
        clip = draw_clip(part, index)
        known = specimen(clip).labels
        tempo = next(words[0] for below, words in TEMPO_WORDS if clip.song.tempo_bpm < below)
        words = {**known, "tempo": tempo, "bass": clip.rendering.bass_program}
        for name, column in columns.items():
            column.append(str(words[name]))
    return columns


def mutual_information_bits(first: Sequence[str], second: Sequence[str]) -> float:
    """Plug-in estimate less its bias (C₁ − 1)(C₂ − 1) / (2 N ln 2) (Miller 1955): about 0 if independent."""
    from sklearn.metrics import mutual_info_score

    bias = (len(set(first)) - 1) * (len(set(second)) - 1) / (2 * len(first))
    return float(mutual_info_score(first, second) - bias) / log(2)


def pairwise_information(columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, float]]:
    """(label, label, bits) of every pair."""
    for first, second in combinations(columns, 2):
        yield first, second, mutual_information_bits(columns[first], columns[second])


MOST_BITS = 0.01


def test_no_label_tells_of_another() -> None:
    told = {
        (first, second): bits for first, second, bits in pairwise_information(label_columns("train", 2500))
    }
    assert len(told) == 36
    assert max(told.values()) <= MOST_BITS, max(told, key=lambda pair: told[pair])


def test_a_label_that_follows_another_is_found_out() -> None:
    generator = np.random.default_rng(0)
    first = generator.integers(4, size=2500)
    following = np.where(generator.random(2500) < 0.3, first, generator.integers(4, size=2500))
    assert mutual_information_bits([*map(str, first)], [*map(str, following)]) > 5 * MOST_BITS


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_what_is_held_out_is_never_trained_on(part: Part) -> None:
    for clip in (draw_clip(part, index) for index in range(300)):
        assert clip.song.key not in HELD_OUT_KEYS
        assert clip.song.tempo_bpm not in HELD_OUT_TEMPOS_BPM
        assert clip.program == LEADS[clip.rendering.lead]


def test_unseen_clips_have_nothing_but_what_is_held_out() -> None:
    for clip in (draw_clip("unseen", index) for index in range(300)):
        assert clip.song.key in HELD_OUT_KEYS
        assert clip.song.tempo_bpm in HELD_OUT_TEMPOS_BPM
        assert clip.program == HELD_OUT_PROGRAMS[clip.rendering.lead]
        assert clip.program not in LEADS.values()
        assert specimen(clip).labels["instrument"] == clip.rendering.lead


def test_parts_share_no_song() -> None:
    parts: tuple[Part, ...] = ("train", "validation", "test", "unseen")
    groups = [{specimen(draw_clip(part, index)).group for index in range(50)} for part in parts]
    assert len(set.union(*groups)) == 200


def test_a_clip_is_the_same_whenever_it_is_rendered() -> None:
    once, again = (render_clip(draw_clip("test", 3)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.shape == (CLIP_SAMPLES,)
    assert not np.array_equal(once, render_clip(draw_clip("test", 4)))


def test_no_stretch_of_a_clip_is_digital_silence() -> None:
    for index in range(5):
        stretches = np.abs(render_clip(draw_clip("test", index))).reshape(-1, 400)
        assert stretches.max(axis=1).min() > 0
