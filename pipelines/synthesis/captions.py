"""Descriptions of styles in varied words, as a listener might ask for them."""

from pipelines.synthesis.songs import Rendering, Song
from pipelines.synthesis.streams import pick

STYLE_WORDS = {
    "rock": ("rock", "rock", "guitar rock", "rock and roll"),
    "jazz": ("jazz", "jazz", "swing", "swinging jazz"),
    "classical": ("classical", "classical", "orchestral", "chamber"),
    "electronic": ("electronic", "electronic", "techno", "electronic dance"),
}
LEAD_WORDS = {
    "piano": ("piano", "grand piano"),
    "vibraphone": ("vibraphone", "vibes"),
    "organ": ("organ", "hammond organ"),
    "acoustic guitar": ("acoustic guitar", "steel guitar"),
    "electric guitar": ("electric guitar", "overdriven guitar"),
    "violin": ("violin", "fiddle"),
    "trumpet": ("trumpet",),
    "saxophone": ("saxophone", "sax"),
    "flute": ("flute",),
    "synthesizer": ("synthesizer", "synth"),
}
TEMPO_WORDS = (
    (100, ("slow", "relaxed")),
    (130, ("medium-tempo", "moderate")),
    (float("inf"), ("fast", "upbeat")),
)
"""Below so many beats per minute: these words."""
DRUM_WORDS = {True: ("with drums", "with a drum kit"), False: ("without drums", "no drums")}
TEMPLATES = (
    "{tempo} {style} music with {lead} in {key} {mode}, {drums}",
    "{style} music, {lead} lead, {tempo}, {key} {mode}, {drums}",
    "a {tempo} {style} piece featuring {lead}, {key} {mode}, {drums}",
    "{lead} playing {tempo} {style} in {key} {mode}, {drums}",
)


def describe(song: Song, rendering: Rendering, *key: str | int) -> str:
    """Words a clip; the key chooses template and synonyms."""
    drums = DRUM_WORDS[rendering.drum_pattern is not None]
    tempo = next(words for below, words in TEMPO_WORDS if song.tempo_bpm < below)
    return pick(TEMPLATES, *key, "template").format(
        tempo=pick(tempo, *key, "tempo words"),
        style=pick(STYLE_WORDS[song.style], *key, "style words"),
        lead=pick(LEAD_WORDS[rendering.lead], *key, "lead words"),
        key=song.key,
        mode=song.mode,
        drums=pick(drums, *key, "drum words"),
    )
