"""SynTheory's seven concepts with its published composition (Wei et al. 2024, arXiv:2410.00872).

At the published 4 seconds that is 120 beats per minute. Longer clips repeat the figure, at a tempo for which
the last one ends with the clip; shorter clips play it faster, so nothing that a label names is cut off.
"""

from collections.abc import Iterable, Sequence

from pipelines.synthesis.clicks import CLICKS, REVERBS, TIME_SIGNATURES, click_score, is_compound, parse_meter
from pipelines.synthesis.concepts import Axes, Concept, Factors, Specimen, grid_concept
from pipelines.synthesis.instruments import NAMES, TONAL_PROGRAMS, family
from pipelines.synthesis.scores import Note, Part, Score
from pipelines.synthesis.streams import stream
from pipelines.synthesis.theory import (
    INTERVALS,
    INVERSIONS,
    MIDDLE_C,
    MODES,
    NOTE_NAMES,
    PROGRESSIONS,
    SCALES,
    TRIADS,
    degree_triad,
    invert,
    scale_pitches,
    tonic_pitch,
)

FIGURE_BEATS = 8
FIGURE_SECONDS = 4.0


def figure_score(program: int, figure: Sequence[Note], clip_seconds: float) -> Score:
    """Repeats a figure until the clip is full."""
    repeats = max(1, round(clip_seconds / FIGURE_SECONDS))
    notes = [
        Note(note.start + FIGURE_BEATS * turn, note.end + FIGURE_BEATS * turn, note.pitch, note.velocity)
        for turn in range(repeats)
        for note in figure
    ]
    return Score([Part(program, notes)], tempo_bpm=60 * FIGURE_BEATS * repeats / clip_seconds)


def melody(pitches: Iterable[int], beats: float) -> list[Note]:
    """Plays pitches one after the other."""
    return chords(([pitch] for pitch in pitches), beats)


def chords(pitch_sets: Iterable[Iterable[int]], beats: float) -> list[Note]:
    """Plays sets of pitches one after the other."""
    return [
        Note(beats * place, beats * (place + 1), pitch)
        for place, pitches in enumerate(pitch_sets)
        for pitch in pitches
    ]


def interval_figure(lower: int, semitones: int, direction: str) -> list[Note]:
    """Plays two pitches in turn, "up" or "down", or together ("unison"), four times."""
    pair = (lower, lower + semitones)
    if direction == "unison":
        return chords([pair] * FIGURE_BEATS, 1)
    return melody((pair if direction == "up" else pair[::-1]) * 4, 1)


TEMPO_OFFSETS, METER_OFFSETS = 5, 10
TEMPO_TRACK_SECONDS, METER_TRACK_SECONDS = 20.0, 30.0
METER_TEMPO_BPM = 120


def theory_concepts() -> list[Concept]:
    """Lists the seven concepts; the first axis of each grid is its main label."""
    roots: Axes = {"root": NOTE_NAMES}
    programs: Axes = {"program": TONAL_PROGRAMS}
    clicks: Axes = {"click": tuple(CLICKS)}
    return [
        grid_concept(
            "notes",
            "one note, struck twice a second: 12 pitch classes × 9 octaves × 92 instruments",
            {**roots, "octave": range(9), **programs},
            note_specimen,
        ),
        grid_concept(
            "intervals",
            "two notes up, down or together: 12 intervals × 12 roots × 3 directions × 92 instruments",
            {"interval": INTERVALS, **roots, "direction": ("up", "down", "unison"), **programs},
            interval_specimen,
        ),
        grid_concept(
            "scales",
            "the seven church modes up or down: 7 × 12 roots × 2 directions × 92 instruments",
            {"scale": tuple(SCALES), **roots, "direction": ("up", "down"), **programs},
            scale_specimen,
        ),
        grid_concept(
            "chords",
            "a repeated triad: 4 qualities × 12 roots × 3 inversions × 92 instruments",
            {"chord_quality": tuple(TRIADS), **roots, "inversion": INVERSIONS, **programs},
            chord_specimen,
        ),
        grid_concept(
            "chord_progressions",
            "four triads in a key: 10 major and 9 minor progressions × 12 keys × 92 instruments",
            {"progression": _progression_names(), "key": NOTE_NAMES, **programs},
            progression_specimen,
        ),
        grid_concept(
            "tempos",
            "a metronome in 4/4: 50 … 210 beats per minute × 5 clicks × 5 offsets",
            {"tempo_bpm": range(50, 211), **clicks, "offset": range(TEMPO_OFFSETS)},
            tempo_specimen,
        ),
        grid_concept(
            "time_signatures",
            "a metronome at 120 beats per minute: 8 metres × 3 rooms × 5 clicks × 10 offsets",
            {
                "time_signature": TIME_SIGNATURES,
                "reverb": tuple(REVERBS),
                **clicks,
                "offset": range(METER_OFFSETS),
            },
            meter_specimen,
        ),
    ]


def note_specimen(*, root: str, octave: int, program: int) -> Specimen:
    """A pitch from C−1 (MIDI 0) to B7 (MIDI 107); "octave" counts from 0 at MIDI 0, as in SynTheory."""
    pitch = 12 * octave + NOTE_NAMES.index(root)
    labels: Factors = {"root": root, "octave": octave, "pitch": pitch}
    return tonal_specimen(program, labels, f"the note {root} in octave {octave}", melody([pitch] * 4, 2))


def interval_specimen(*, interval: str, root: str, direction: str, program: int) -> Specimen:
    """The root lies between C4 and B4, the other note above it."""
    semitones = INTERVALS.index(interval) + 1
    figure = interval_figure(MIDDLE_C + NOTE_NAMES.index(root), semitones, direction)
    manner = "together" if direction == "unison" else f"going {direction}"
    labels: Factors = {
        "interval": interval,
        "interval_semitones": semitones,
        "root": root,
        "direction": direction,
    }
    return tonal_specimen(program, labels, f"{with_article(interval)} on {root} {manner}", figure)


def scale_specimen(*, scale: str, root: str, direction: str, program: int) -> Specimen:
    """Seven steps and the octave, one per beat."""
    upwards = scale_pitches(_tonic(root), SCALES[scale])
    labels: Factors = {"scale": scale, "root": root, "direction": direction}
    caption = f"{with_article(scale)} scale on {root} going {direction}"
    return tonal_specimen(program, labels, caption, melody(upwards[:: 1 if direction == "up" else -1], 1))


def chord_specimen(*, chord_quality: str, root: str, inversion: str, program: int) -> Specimen:
    """A close triad around middle C, four times."""
    root_position = [_tonic(root) + step for step in TRIADS[chord_quality]]
    pitches = invert(root_position, INVERSIONS.index(inversion))
    position = "root position" if inversion == "root" else f"{inversion} inversion"
    labels: Factors = {"chord_quality": chord_quality, "root": root, "inversion": inversion}
    caption = f"{with_article(root)} {chord_quality} chord in {position}"
    return tonal_specimen(program, labels, caption, chords([pitches] * 4, 2))


def progression_specimen(*, progression: str, key: str, program: int) -> Specimen:
    """Four triads of two beats."""
    mode, degrees = progression.split()
    triads = [degree_triad(_tonic(key), MODES[mode], int(degree)) for degree in degrees.split("-")]
    labels: Factors = {"progression": progression, "key": key, "mode": mode}
    caption = f"the chord progression {degrees} in {key} {mode}"
    return tonal_specimen(program, labels, caption, chords(triads, 2))


def tonal_specimen(program: int, labels: Factors, caption: str, figure: list[Note]) -> Specimen:
    """A figure on one instrument; the instrument is the group, so that test timbres are new ones."""
    name = NAMES[program]
    return Specimen(
        group=f"program-{program:03d}",
        labels={**labels, "program": program, "instrument": name, "instrument_family": family(program)},
        caption=f"{caption}, played on {name}",
        score=lambda clip_seconds: figure_score(program, figure, clip_seconds),
    )


def tempo_specimen(*, tempo_bpm: int, click: str, offset: int) -> Specimen:
    """An excerpt of a 20-second track; excerpts of one track stay together."""
    return click_specimen(
        f"tempo-{tempo_bpm}-{click.replace(' ', '-')}",
        f"a metronome at {tempo_bpm} bpm, {click}",
        tempo_bpm=tempo_bpm,
        time_signature="4/4",
        click=click,
        reverb="dry",
        offset=offset,
        track_seconds=TEMPO_TRACK_SECONDS,
    )


def meter_specimen(*, time_signature: str, reverb: str, click: str, offset: int) -> Specimen:
    """An excerpt of a 30-second track; excerpts of one track stay together."""
    return click_specimen(
        f"meter-{time_signature.replace('/', '-')}-{click.replace(' ', '-')}-{reverb}",
        f"a metronome in {time_signature}, {click}, {reverb}",
        tempo_bpm=METER_TEMPO_BPM,
        time_signature=time_signature,
        click=click,
        reverb=reverb,
        offset=offset,
        track_seconds=METER_TRACK_SECONDS,
    )


def click_specimen(
    track: str,
    caption: str,
    *,
    tempo_bpm: int,
    time_signature: str,
    click: str,
    reverb: str,
    offset: int,
    track_seconds: float,
) -> Specimen:
    """A click track from a random place on; the track is the group."""
    place = float(stream(track, offset).random())
    beats, unit = parse_meter(time_signature)
    return Specimen(
        group=track,
        labels={
            "tempo_bpm": tempo_bpm,
            "time_signature": time_signature,
            "beats_per_bar": beats,
            "beat_unit": unit,
            "compound": is_compound(time_signature),
            "click": click,
            "reverb": reverb,
        },
        caption=caption,
        score=lambda clip_seconds: click_score(
            CLICKS[click],
            tempo_bpm=tempo_bpm,
            time_signature=time_signature,
            start_seconds=place * max(track_seconds - clip_seconds, 0.0),
            clip_seconds=clip_seconds,
            reverb=reverb,
        ),
    )


def with_article(words: str) -> str:
    """Puts "a" or "an" before a word or a note name ("an F# minor chord")."""
    return f"{'an' if words[0] in 'aeioAEF' else 'a'} {words}"


def _progression_names() -> tuple[str, ...]:
    return tuple(f"{mode} {degrees}" for mode, listed in PROGRESSIONS.items() for degrees in listed)


def _tonic(name: str) -> int:
    return tonic_pitch(NOTE_NAMES.index(name))
