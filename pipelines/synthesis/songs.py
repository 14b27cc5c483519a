"""The factors of a piece in a style, each drawn independently of the others."""

from dataclasses import dataclass
from typing import Literal

from pipelines.synthesis.accompaniment import KITS
from pipelines.synthesis.instruments import LEADS
from pipelines.synthesis.streams import pick, stream
from pipelines.synthesis.theory import NOTE_NAMES

STYLES = ("rock", "jazz", "classical", "electronic")
TEMPOS_BPM = range(70, 161)
TEXTURES = ("thin", "full", "lush")
QUIETEST_DB = -9.0
PERIOD_BARS = 8

# None of these is a lead, so that the lead instrument of a clip is heard once.
COMPING_PROGRAMS = {"rock": (27, 30), "jazz": (4, 26), "classical": (6, 48), "electronic": (62, 90)}
BASS_PROGRAMS = {"rock": (33, 34), "jazz": (32, 35), "classical": (42, 43), "electronic": (38, 39)}
STYLE_KITS = {
    "rock": ("standard kit", "power kit", "room kit"),
    "jazz": ("jazz kit", "brush kit"),
    "classical": ("orchestra kit",),
    "electronic": ("electronic kit", "tr-808 kit"),
}

Band = Literal["any", "typical"]
"""Whether chords, bass and drums are played by whatever any style uses, or as the style would.

A typical band tells the style by itself: a probe of styles may then hear the drum kit alone.
"""
BANDS: tuple[Band, ...] = ("any", "typical")


@dataclass(frozen=True, slots=True)
class Song:
    """A composition: the notes, whoever plays them."""

    style: str
    key: str
    mode: str
    tempo_bpm: int
    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class Rendering:
    """One performance of a song, and which excerpt of it is heard."""

    lead: str
    texture: str
    comping_program: int
    bass_program: int
    drum_pattern: str | None
    """None without drums."""
    drum_kit: str | None
    start_beats: float
    level_db: float


def draw_song(style: str, number: int, seed: int) -> Song:
    """Draws key, mode and tempo of a song."""
    key = (seed, "song", number)
    return Song(
        style=style,
        key=pick(NOTE_NAMES, *key, "key"),
        mode=pick(("major", "minor"), *key, "mode"),
        tempo_bpm=pick(TEMPOS_BPM, *key, "tempo"),
        number=number,
        seed=seed,
    )


def draw_rendering(style: str, index: int, seed: int, *, band: Band = "any") -> Rendering:
    """Draws the performers and the excerpt of a clip."""
    key = (seed, "rendering", index)
    drums = pick((False, True), *key, "drums")
    pattern, comping, bass, kit = (
        style if band == "typical" else pick(STYLES, *key, part, "style")
        for part in ("drums", "comping", "bass", "kit")
    )
    return Rendering(
        lead=pick(tuple(LEADS), *key, "lead"),
        texture=pick(TEXTURES, *key, "texture"),
        comping_program=pick(COMPING_PROGRAMS[comping], *key, "comping"),
        bass_program=pick(BASS_PROGRAMS[bass], *key, "bass"),
        drum_pattern=pattern if drums else None,
        drum_kit=pick(STYLE_KITS[kit] if band == "typical" else tuple(KITS), *key, "kit") if drums else None,
        start_beats=float(stream(*key, "start").random()) * 4 * PERIOD_BARS,
        level_db=float(stream(*key, "level").random()) * QUIETEST_DB,
    )
