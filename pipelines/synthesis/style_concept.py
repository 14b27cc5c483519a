"""Styles as a concept: songs in two renderings each, arranged for their instruments."""

from collections.abc import Callable, Iterable
from math import ceil

from pipelines.synthesis.accompaniment import BASS_LINES, COMPING, KITS, Chord, drum_bar, progressions
from pipelines.synthesis.captions import describe
from pipelines.synthesis.concepts import Concept, Specimen, balanced_choice
from pipelines.synthesis.instruments import LEADS, NAMES, family
from pipelines.synthesis.melodies import phrase
from pipelines.synthesis.scores import Note, Part, Score
from pipelines.synthesis.songs import PERIOD_BARS, STYLES, Band, Rendering, Song, draw_rendering, draw_song
from pipelines.synthesis.streams import stream
from pipelines.synthesis.theory import NOTE_NAMES, nearest

BAR_BEATS = 4
PAD_PROGRAM = 48
LEAD_GAIN, COMPING_GAIN, BASS_GAIN, DRUM_GAIN, PAD_GAIN = 1.0, 0.4, 0.6, 0.8, 0.3


def arrange(
    song: Song, rendering: Rendering, clip_seconds: float, *, lead_program: int | None = None
) -> Score:
    """Writes out as many bars as the excerpt reaches; the lead is played by its usual program or another."""
    if lead_program is None:
        lead_program = LEADS[rendering.lead]
    end_beats = rendering.start_beats + clip_seconds * song.tempo_bpm / 60
    first, last = int(rendering.start_beats // BAR_BEATS), ceil(end_beats / BAR_BEATS)
    bars = range(max(first - 1, 0), last)
    return Score(
        list(parts(song, rendering, bars, lead_program)),
        tempo_bpm=song.tempo_bpm,
        start_seconds=rendering.start_beats * 60 / song.tempo_bpm,
        level_db=rendering.level_db,
    )


def parts(song: Song, rendering: Rendering, bars: range, lead_program: int) -> Iterable[Part]:
    """Lists the parts that play, the lead first."""
    generator = stream(song.seed, "composition", song.number)
    tonic = NOTE_NAMES.index(song.key)
    choices = progressions(song.style, song.mode, tonic)
    chords = choices[int(generator.integers(len(choices)))]
    variant = int(generator.integers(2))
    melody = [
        bar
        for _ in range(PERIOD_BARS // len(chords))
        for bar in phrase(song.style, song.mode, tonic, chords, generator)
    ]

    def chord_at(bar: int) -> Chord:
        return chords[bar % len(chords)]

    yield Part(lead_program, write(bars, lambda bar: melody[bar % PERIOD_BARS]), gain=LEAD_GAIN)
    comp = COMPING[song.style]
    comping = write(bars, lambda bar: comp(chord_at(bar), variant))
    yield Part(rendering.comping_program, comping, gain=COMPING_GAIN)
    if rendering.texture != "thin":
        line = BASS_LINES[song.style]
        bass = write(bars, lambda bar: line(chord_at(bar), chord_at(bar + 1)))
        yield Part(rendering.bass_program, bass, gain=BASS_GAIN)
    if rendering.texture == "lush":
        yield Part(PAD_PROGRAM, write(bars, lambda bar: pad_bar(chord_at(bar))), gain=PAD_GAIN)
    if rendering.drum_pattern and rendering.drum_kit:
        pattern = rendering.drum_pattern
        drums = write(bars, lambda bar: drum_bar(pattern, bar))
        yield Part(KITS[rendering.drum_kit], drums, drums=True, gain=DRUM_GAIN)


def pad_bar(chord: Chord) -> list[Note]:
    """Holds a chord for a bar."""
    return [Note(0, BAR_BEATS, nearest(chord.root + step, 60), 70) for step in chord.intervals]


def write(bars: range, compose: Callable[[int], list[Note]]) -> list[Note]:
    """Puts bars of beats 0 … 4 one after the other."""
    return [
        Note(bar * BAR_BEATS + note.start, bar * BAR_BEATS + note.end, note.pitch, note.velocity)
        for bar in bars
        for note in compose(bar)
    ]


SONGS, RENDERINGS_PER_SONG = 1_000_000, 2


def style_concept(*, renderings_per_song: int = RENDERINGS_PER_SONG, band: Band = "any") -> Concept:
    """Builds the concept; see `Band` for how far instruments may tell the style."""

    def at(seed: int, index: int) -> Specimen:
        number = index // renderings_per_song
        style = str(balanced_choice(STYLES, number, seed, "styles"))
        rendering = draw_rendering(style, index, seed, band=band)
        return style_specimen(draw_song(style, number, seed), rendering, index)

    return Concept(
        "styles",
        "songs in 4 styles: 10 lead instruments × drums or none × 3 textures × 24 keys × 91 tempos",
        "style",
        SONGS * renderings_per_song,
        at,
    )


def style_specimen(song: Song, rendering: Rendering, index: int, *, program: int | None = None) -> Specimen:
    """One rendering of a song; the song is the group. `program` plays the lead instead of its usual one."""
    program = LEADS[rendering.lead] if program is None else program
    return Specimen(
        group=f"song-{song.seed}-{song.number:06d}",
        labels={
            "style": song.style,
            "key": song.key,
            "mode": song.mode,
            "tempo_bpm": song.tempo_bpm,
            "song": song.number,
            "instrument": rendering.lead,
            "instrument_family": family(program),
            "program": program,
            "texture": rendering.texture,
            "drums": rendering.drum_pattern is not None,
            "drum_pattern": rendering.drum_pattern,
            "drum_kit": rendering.drum_kit,
            "comping": NAMES[rendering.comping_program],
        },
        caption=describe(song, rendering, song.seed, "caption", index),
        score=lambda clip_seconds: arrange(song, rendering, clip_seconds, lead_program=program),
    )
