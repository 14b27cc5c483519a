"""Do the seven concepts sound like their labels?"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.synthesis import CONCEPTS
from pipelines.synthesis.concepts import Specimen
from pipelines.synthesis.instruments import TONAL_PROGRAMS
from pipelines.synthesis.theory_concepts import chord_specimen, note_specimen

Samples = NDArray[np.float32]

RATE = 32_000
CLEAR_PROGRAMS = (0, 40, 48, 56, 60, 71, 73, 74)
"""Piano, violin, strings, trumpet, horn, clarinet, flute, recorder."""
CHORDAL_PROGRAMS = (0, 4, 6, 16, 24, 48, 71)
NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


@pytest.mark.parametrize(
    ("concept", "published_rows"),
    [
        ("notes", 9_936),
        ("intervals", 39_744),
        ("scales", 15_456),
        ("chords", 13_248),
        ("chord_progressions", 20_976),
        ("tempos", 4_025),
        ("time_signatures", 1_200),
    ],
)
def test_a_grid_has_as_many_cells_as_the_paper_says(concept: str, published_rows: int) -> None:
    assert CONCEPTS[concept].size == published_rows


def test_a_note_has_the_pitch_of_its_label(
    find_clips: Callable[..., Iterator[Any]],
    listen: Callable[[Specimen], Samples],
    midi_pitch: Callable[[Samples], float],
) -> None:
    for clip in find_clips("notes", 40, program=CLEAR_PROGRAMS, octave=(4, 5, 6)):
        expected = 12 * clip.labels["octave"] + NAMES.index(clip.labels["root"])
        assert midi_pitch(listen(clip)[4000:]) == pytest.approx(expected, abs=0.35), clip.caption


@pytest.mark.parametrize(
    ("program", "octave", "root"), [(65, 5, "E"), (67, 6, "A"), (68, 2, "G"), (10, 0, "C")]
)
def test_keys_that_the_bank_lacks_are_borrowed_from_a_neighbour_and_retuned(
    program: int,
    octave: int,
    root: str,
    listen: Callable[[Specimen], Samples],
    midi_pitch: Callable[[Samples], float],
) -> None:
    sound = listen(note_specimen(root=root, octave=octave, program=program))
    assert np.abs(sound).max() > 0.5
    if octave > 1:
        expected = 12 * octave + NAMES.index(root)
        assert midi_pitch(sound[4000:]) == pytest.approx(expected, abs=0.35)


def test_every_one_of_the_92_instruments_sounds_at_both_ends_of_the_range(
    listen: Callable[[Specimen], Samples],
) -> None:
    assert len(TONAL_PROGRAMS) == 92
    for program in TONAL_PROGRAMS:
        for octave in (0, 8):
            sound = listen(note_specimen(root="C", octave=octave, program=program))
            assert np.sqrt(np.mean(sound**2)) > 0.003, (program, octave)


def test_an_interval_is_as_wide_and_goes_as_its_labels_say(
    find_clips: Callable[..., Iterator[Any]],
    listen: Callable[[Specimen], Samples],
    midi_pitch: Callable[[Samples], float],
) -> None:
    for direction, sign in (("up", 1), ("down", -1)):
        for clip in find_clips("intervals", 12, program=(16, 71, 73), direction=direction):
            sound = listen(clip)
            first, second = (midi_pitch(sound[start : start + 14_000][3000:]) for start in (0, 16_000))
            assert (second - first) * sign == pytest.approx(clip.labels["interval_semitones"], abs=0.4)


def test_a_unison_interval_sounds_both_notes_at_once(
    find_clips: Callable[..., Iterator[Any]], listen: Callable[[Specimen], Samples]
) -> None:
    for clip in find_clips(
        "intervals", 12, program=(71, 73), direction="unison", interval=("perfect fourth", "minor sixth")
    ):
        spectrum = np.abs(np.fft.rfft(listen(clip)[2000:14_000], 65_536))
        lower = 60 + NAMES.index(clip.labels["root"])
        levels = [
            spectrum[round(440 * 2 ** ((pitch - 69) / 12) * 65_536 / RATE) + np.arange(-4, 5)].max()
            for pitch in (lower, lower + clip.labels["interval_semitones"], lower + 2)
        ]
        assert min(levels[:2]) > 3 * levels[2]


@pytest.mark.parametrize(
    ("scale", "whole_and_half_steps"),
    [
        ("ionian", "WWHWWWH"),
        ("dorian", "WHWWWHW"),
        ("phrygian", "HWWWHWW"),
        ("lydian", "WWWHWWH"),
        ("mixolydian", "WWHWWHW"),
        ("aeolian", "WHWWHWW"),
        ("locrian", "HWWHWWW"),
    ],
)
def test_a_scale_climbs_by_the_steps_of_its_mode(
    scale: str,
    whole_and_half_steps: str,
    find_clips: Callable[..., Iterator[Any]],
    listen: Callable[[Specimen], Samples],
    midi_pitch: Callable[[Samples], float],
) -> None:
    steps = [2 if step == "W" else 1 for step in whole_and_half_steps]
    for direction, signed in (("up", steps), ("down", [-step for step in reversed(steps)])):
        clip = next(find_clips("scales", 1, scale=scale, direction=direction, program=(16, 71, 73)))
        beats = listen(clip).reshape(8, -1)
        pitches = [midi_pitch(beat[3000:]) for beat in beats]
        assert np.round(np.diff(pitches)).tolist() == signed
        tonic = pitches[0 if direction == "up" else -1]
        assert NAMES[round(tonic) % 12] == clip.labels["root"]


def test_a_chord_has_the_pitch_classes_of_its_root_and_quality(
    find_clips: Callable[..., Iterator[Any]],
    listen: Callable[[Specimen], Samples],
    pitch_classes: Callable[[Samples], frozenset[int]],
) -> None:
    thirds = {"major": (4, 7), "minor": (3, 7), "augmented": (4, 8), "diminished": (3, 6)}
    clips = list(find_clips("chords", 60, program=CHORDAL_PROGRAMS))
    right = 0
    for clip in clips:
        root = NAMES.index(clip.labels["root"])
        expected = {root, *((root + step) % 12 for step in thirds[clip.labels["chord_quality"]])}
        right += pitch_classes(listen(clip)) == expected
    assert right >= 54, f"{right} of 60"


@pytest.mark.parametrize(("inversion", "lowest"), [("root", 60), ("first", 64), ("second", 67)])
def test_the_inversion_puts_another_chord_tone_into_the_bass(inversion: str, lowest: int) -> None:
    clip = chord_specimen(chord_quality="major", root="C", inversion=inversion, program=0)
    assert min(note.pitch for note in clip.score(4.0).parts[0].notes) == lowest


def test_a_progression_goes_through_the_triads_of_its_degrees(
    find_clips: Callable[..., Iterator[Any]],
    listen: Callable[[Specimen], Samples],
    pitch_classes: Callable[[Samples], frozenset[int]],
) -> None:
    scales = {"major": [0, 2, 4, 5, 7, 9, 11], "minor": [0, 2, 3, 5, 7, 8, 10]}
    right = total = 0
    for clip in find_clips("chord_progressions", 20, program=CHORDAL_PROGRAMS):
        mode, degrees = clip.labels["progression"].split()
        assert clip.labels["mode"] == mode
        key = NAMES.index(clip.labels["key"])
        for degree, second in zip(degrees.split("-"), listen(clip).reshape(4, -1), strict=True):
            thirds = {(key + scales[mode][(int(degree) - 1 + third) % 7]) % 12 for third in (0, 2, 4)}
            right += pitch_classes(second) == thirds
            total += 1
    assert right >= 0.9 * total, f"{right} of {total}"


def test_clicks_are_one_beat_apart(
    find_clips: Callable[..., Iterator[Any]],
    listen: Callable[[Specimen], Samples],
    onset_strength: Callable[[Samples], NDArray[np.float64]],
) -> None:
    for clip in find_clips("tempos", 60):
        onsets = onset_strength(listen(clip))
        peaks = np.flatnonzero(onsets > 0.5 * onsets.max())
        starts = peaks[np.concatenate([[True], np.diff(peaks) > 10])]
        beats = np.diff(starts) / 100
        assert np.median(beats) == pytest.approx(60 / clip.labels["tempo_bpm"], abs=0.015), clip.caption


def test_downbeats_recur_after_the_beats_of_the_metre(find_clips: Callable[..., Iterator[Any]]) -> None:
    spacing = {"2/2": 4, "2/4": 2, "3/4": 3, "3/8": 1.5, "4/4": 4, "6/8": 3, "9/8": 4.5, "12/8": 6}
    for metre, quarters in spacing.items():
        clip = next(find_clips("time_signatures", 1, time_signature=metre))
        accents = [note.start for note in clip.score(4.0).parts[0].notes if note.velocity == 100]
        assert np.allclose(np.diff([0, quarters, *accents[2:]]), quarters)


def test_a_hall_rings_longer_than_a_dry_room(
    find_clips: Callable[..., Iterator[Any]], listen: Callable[[Specimen], Samples]
) -> None:
    def share_between_clicks(reverb: str) -> float:
        sound = listen(
            next(
                find_clips("time_signatures", 1, time_signature="2/2", click="light woodblock", reverb=reverb)
            )
        )
        energy = np.sort(np.square(sound).reshape(400, -1).sum(axis=1))
        return float(energy[:200].sum() / energy.sum())

    dry, room, hall = map(share_between_clicks, ("dry", "room", "hall"))
    assert dry < room / 3
    assert room < hall
