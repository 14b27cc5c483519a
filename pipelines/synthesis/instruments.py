"""General-MIDI instruments: SynTheory's 92 tonal ones, and the leads that styles draw from."""

FAMILIES = {
    "piano": (
        *("acoustic grand piano", "bright acoustic piano", "electric grand piano", "honky-tonk piano"),
        *("electric piano 1", "electric piano 2", "harpsichord", "clavinet"),
    ),
    "chromatic percussion": (
        *("celesta", "glockenspiel", "music box", "vibraphone"),
        *("marimba", "xylophone", "tubular bells", "dulcimer"),
    ),
    "organ": (
        *("drawbar organ", "percussive organ", "rock organ", "church organ"),
        *("reed organ", "accordion", "harmonica", "tango accordion"),
    ),
    "guitar": (
        *("nylon guitar", "steel guitar", "jazz guitar", "clean electric guitar"),
        *("muted guitar", "overdriven guitar", "distortion guitar", "guitar harmonics"),
    ),
    "bass": (
        *("acoustic bass", "fingered bass", "picked bass", "fretless bass"),
        *("slap bass 1", "slap bass 2", "synth bass 1", "synth bass 2"),
    ),
    "strings": (
        *("violin", "viola", "cello", "contrabass"),
        *("tremolo strings", "pizzicato strings", "harp", "timpani"),
    ),
    "ensemble": (
        *("string ensemble 1", "string ensemble 2", "synth strings 1", "synth strings 2"),
        *("choir aahs", "voice oohs", "synth voice", "orchestra hit"),
    ),
    "brass": (
        *("trumpet", "trombone", "tuba", "muted trumpet"),
        *("french horn", "brass section", "synth brass 1", "synth brass 2"),
    ),
    "reed": (
        *("soprano saxophone", "alto saxophone", "tenor saxophone", "baritone saxophone"),
        *("oboe", "english horn", "bassoon", "clarinet"),
    ),
    "pipe": (
        *("piccolo", "flute", "recorder", "pan flute"),
        *("blown bottle", "shakuhachi", "whistle", "ocarina"),
    ),
    "synth lead": (
        *("square lead", "sawtooth lead", "calliope lead", "chiff lead"),
        *("charang lead", "voice lead", "fifths lead", "bass and lead"),
    ),
    "synth pad": (
        *("new age pad", "warm pad", "polysynth pad", "choir pad"),
        *("bowed pad", "metallic pad", "halo pad", "sweep pad"),
    ),
    "synth effects": (
        *("rain", "soundtrack", "crystal", "atmosphere"),
        *("brightness", "goblins", "echoes", "sci-fi"),
    ),
    "ethnic": (
        *("sitar", "banjo", "shamisen", "koto"),
        *("kalimba", "bagpipe", "fiddle", "shanai"),
    ),
    "percussive": (
        *("tinkle bell", "agogo", "steel drums", "woodblock"),
        *("taiko drum", "melodic tom", "synth drum", "reverse cymbal"),
    ),
    "sound effects": (
        *("fret noise", "breath noise", "seashore", "bird tweet"),
        *("telephone ring", "helicopter", "applause", "gunshot"),
    ),
}
"""Eight programs each, in the order of their numbers."""

NAMES = tuple(name for programs in FAMILIES.values() for name in programs)
"""By program number, 0 … 127."""


def family(program: int) -> str:
    """Returns the General-MIDI family of a program."""
    return tuple(FAMILIES)[program // 8]


# SynTheory leaves out effects and percussion, strong overtones that blur the root, and gestures.
ATONAL_FAMILIES = {"synth effects", "percussive", "sound effects"}
AMBIGUOUS_ROOT = {8, 9, 14, 21, 23, 47, 86}
EXPRESSIVE = {22, 31, 55, 77, 78}

TONAL_PROGRAMS = tuple(
    program
    for program in range(128)
    if family(program) not in ATONAL_FAMILIES and program not in AMBIGUOUS_ROOT | EXPRESSIVE
)

LEADS = {
    "piano": 0,
    "vibraphone": 11,
    "organ": 16,
    "acoustic guitar": 25,
    "electric guitar": 29,
    "violin": 40,
    "trumpet": 56,
    "saxophone": 66,
    "flute": 73,
    "synthesizer": 81,
}
"""Lead instruments of the styles and their programs."""
