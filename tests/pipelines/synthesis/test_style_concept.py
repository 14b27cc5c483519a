"""Do styles sound apart, and are their factors independent?"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import combinations
from math import log2

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipelines.synthesis import LABELS, plan_dataset, render_samples
from pipelines.synthesis.concepts import Specimen
from pipelines.synthesis.dataset import split_of
from pipelines.synthesis.instruments import LEADS
from pipelines.synthesis.songs import BANDS, STYLES, Band, draw_rendering, draw_song
from pipelines.synthesis.style_concept import arrange, style_concept, style_specimen
from store.records import Label

RATE = 16_000
SONG_FACTORS = ("style", "key", "mode", "tempo")
RENDERING_FACTORS = ("instrument", "texture", "drums")


@pytest.fixture(scope="module")
def labels() -> list[dict[str, Label]]:
    """Labels of 6,000 songs in one rendering each, tempo in four ranges."""
    concept = style_concept(renderings_per_song=1, band="any")
    drawn = [concept.specimen(0, index).labels for index in range(6000)]
    return [{**row, "tempo": int(str(row["tempo_bpm"])) // 25} for row in drawn]


def mutual_information_bits(first: list[Label], second: list[Label]) -> float:
    """Plug-in estimate less the Miller–Madow bias."""
    joint: Counter[tuple[Label, Label]] = Counter(zip(first, second, strict=True))
    rows, columns = Counter(first), Counter(second)
    total = len(first)
    plain = sum(n / total * log2(n * total / (rows[r] * columns[c])) for (r, c), n in joint.items())
    return float(plain - (len(rows) - 1) * (len(columns) - 1) / (2 * total * np.log(2)))


@pytest.mark.parametrize(("first", "second"), list(combinations((*SONG_FACTORS, *RENDERING_FACTORS), 2)))
def test_no_factor_tells_anything_of_another(first: str, second: str, labels: list[dict[str, Label]]) -> None:
    values = [[row[name] for row in labels] for name in (first, second)]
    assert mutual_information_bits(*values) <= 0.01


@pytest.mark.parametrize("part", ["drum_pattern", "drum_kit", "comping"])
def test_a_band_of_any_kind_does_not_tell_the_style(part: str, labels: list[dict[str, Label]]) -> None:
    playing = [row for row in labels if row[part] is not None]
    values = [[row[name] for row in playing] for name in ("style", part)]
    assert mutual_information_bits(*values) <= 0.01


def permutation_p_value(first: list[Label], second: list[Label]) -> float:
    """How often shuffled labels share as much information: 1 in 200 at the least."""
    shuffled = np.random.default_rng(0)
    told = mutual_information_bits(first, second)
    chance = [
        mutual_information_bits([first[place] for place in shuffled.permutation(len(first))], second)
        for _ in range(199)
    ]
    return (1 + sum(value >= told for value in chance)) / 200


@pytest.mark.parametrize("part", ["kit", "pattern", "comping", "bass"])
def test_what_a_dataset_renders_does_not_tell_the_style_by_its_band(part: str) -> None:
    def drawn(band: Band) -> list[tuple[Label, Label]]:
        renderings = [
            (STYLES[index % 4], draw_rendering(STYLES[index % 4], index, 77, band=band))
            for index in range(800)
        ]
        parts = {
            "kit": lambda one: one.drum_kit,
            "pattern": lambda one: one.drum_pattern,
            "comping": lambda one: one.comping_program,
            "bass": lambda one: one.bass_program,
        }
        found = [(style, parts[part](one)) for style, one in renderings]
        return [(style, value) for style, value in found if value is not None]

    any_band, typical = ([list(side) for side in zip(*drawn(band), strict=True)] for band in BANDS)
    assert permutation_p_value(*any_band) > 0.05
    assert permutation_p_value(*typical) == 1 / 200


def test_datasets_are_rendered_with_any_band_unless_they_are_asked_not_to() -> None:
    def kits(**options: Band) -> list[tuple[Label, Label]]:
        planned = plan_dataset(concepts=["styles"], clips=200, seed=0, **options)
        labels = [one.recording.labels for one in planned]
        return [(row["style"], row["drum_pattern"]) for row in labels if row["drums"]]

    assert len(set(kits())) == 16
    assert kits() == kits(band="any")
    assert all(style == pattern for style, pattern in kits(band="typical"))


def test_a_typical_band_plays_the_drums_of_the_style() -> None:
    concept = style_concept(band="typical")
    for index in range(100):
        row = concept.specimen(0, index).labels
        assert row["drum_pattern"] == (row["style"] if row["drums"] else None)


def test_nobody_in_the_band_plays_an_instrument_that_may_lead() -> None:
    for index in range(100):
        rendering = draw_rendering("rock", index, 0, band="any")
        lead, *others = arrange(draw_song("rock", index, 0), rendering, 4.0).parts
        assert lead.program == LEADS[rendering.lead]
        assert not {part.program for part in others if not part.drums} & set(LEADS.values())


def test_two_renderings_of_a_song_share_its_notes_and_its_split() -> None:
    concept = style_concept()
    for index in range(0, 40, 2):
        one, other = concept.specimen(0, index), concept.specimen(0, index + 1)
        assert one.group == other.group
        shared = ("style", "key", "mode", "tempo_bpm", "song")
        assert [one.labels[name] for name in shared] == [other.labels[name] for name in shared]
    leads = {concept.specimen(0, index).labels["instrument"] for index in range(40)}
    assert len(leads) == 10


def test_labels_are_documented() -> None:
    labels = style_concept().specimen(0, 0).labels
    assert set(labels) <= set(LABELS)


def features(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and spread of 40 spectral bands, and the autocorrelation of their growth over 2 s."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::320]
    power = np.abs(np.fft.rfft(frames * np.hanning(1024), axis=1)) ** 2
    edges = np.unique(np.geomspace(3, 512, 41).astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6)
    growth = np.maximum(np.diff(bands, axis=0), 0).mean(axis=1)
    growth = growth - growth.mean()
    pulse = np.correlate(growth, growth, "full")[len(growth) : len(growth) + 100] / (growth @ growth)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0), pulse])


@pytest.fixture(scope="module")
def heard() -> Callable[[Band], list[tuple[Specimen, NDArray[np.float64]]]]:
    """Renders 400 clips of 200 songs once per band; returns them with their features."""

    @cache
    def render(band: Band) -> list[tuple[Specimen, NDArray[np.float64]]]:
        concept = style_concept(band=band)
        clips = [concept.specimen(0, index) for index in range(400)]
        return [(clip, features(render_samples(clip, sample_rate=RATE, clip_seconds=4.0))) for clip in clips]

    return render


@pytest.mark.parametrize(
    ("label", "band", "wanted"),
    [
        ("style", "typical", 0.85),
        ("style", "any", 0.65),
        ("drums", "typical", 0.75),
        ("drums", "any", 0.75),
        ("instrument", "typical", 0.3),
    ],
)
def test_a_label_is_recognised_on_unheard_songs(
    label: str,
    band: Band,
    wanted: float,
    heard: Callable[[Band], list[tuple[Specimen, NDArray[np.float64]]]],
) -> None:
    """By a logistic regression; chance is 0.25 for styles, 0.5 for drums, 0.1 for instruments."""
    train, test = (
        [
            (vector, str(clip.labels[label]))
            for clip, vector in heard(band)
            if (split_of(clip.group) == "train") == side
        ]
        for side in (True, False)
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    model.fit(*zip(*train, strict=True))
    guesses = model.predict([vector for vector, _ in test])
    accuracy = np.mean(guesses == [value for _, value in test])
    assert accuracy >= wanted


@pytest.mark.parametrize("style", STYLES)
def test_without_drums_everything_else_stays_the_same(style: str) -> None:
    song = draw_song(style, 0, 0)
    rendering = replace(draw_rendering(style, 0, 0), drum_pattern=style, drum_kit="standard kit")
    silent_drums = replace(rendering, drum_pattern=None, drum_kit=None)
    full, rest = (
        render_samples(style_specimen(song, chosen, 0), sample_rate=RATE, clip_seconds=4.0).astype(np.float64)
        for chosen in (rendering, silent_drums)
    )
    drums = full - (full @ rest) / (rest @ rest) * rest
    assert drums @ drums > 0.05 * (full @ full)
    loudest = np.sort(np.square(drums).reshape(400, -1).sum(axis=1))
    assert loudest[-200:].sum() > 0.75 * loudest.sum()


def test_the_melody_stays_in_the_key() -> None:
    steps = {"major": {0, 2, 4, 5, 7, 9, 11}, "minor": {0, 2, 3, 5, 7, 8, 11}}
    names = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
    for number in range(20):
        song = draw_song("classical", number, 0)
        lead = arrange(song, draw_rendering("classical", number, 0), 8.0).parts[0]
        tonic = names.index(song.key)
        assert {(note.pitch - tonic) % 12 for note in lead.notes} <= steps[song.mode]
