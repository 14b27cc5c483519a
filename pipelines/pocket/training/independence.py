"""Measures mutual information between labels of the training clips, corrected for chance."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import log

from pipelines.pocket.training.clips import Part, draw_clip, specimen
from pipelines.synthesis.captions import TEMPO_WORDS

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
