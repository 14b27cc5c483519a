"""Styles as a concept: songs in two renderings each, so that a split has something to keep together."""

from pipelines.synthesis.arrangements import arrange
from pipelines.synthesis.captions import describe
from pipelines.synthesis.concepts import Concept, Specimen, balanced_choice
from pipelines.synthesis.instruments import LEADS, NAMES, family
from pipelines.synthesis.songs import STYLES, Band, Rendering, Song, draw_rendering, draw_song

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
