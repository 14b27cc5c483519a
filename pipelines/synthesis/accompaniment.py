"""The idiom of each style: chord progressions, comping, bass lines and drum patterns, bar by bar."""

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.synthesis.scores import Note
from pipelines.synthesis.theory import nearest

QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "add9": (0, 4, 7, 14),
    "m9": (0, 3, 7, 14),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
}
"""Semitones above the root, as chord symbols name them."""

# Each chord: semitones of its root above the tonic, then its quality.
VOCABULARY = {
    ("rock", "major"): ("0 7 9m 5", "0 10 5 0", "0 5 7 5", "9m 5 0 7"),
    ("rock", "minor"): ("0m 8 10 0m", "0m 10 8 10", "0m 3 10 5", "0m 0m 10 8"),
    ("jazz", "major"): ("2m7 7:7 0maj7 9m7", "0maj7 9:7 2m7 7:7", "4m7 9:7 2m7 7:7", "0:6 5maj7 2m7 7:7"),
    ("jazz", "minor"): ("2m7b5 7:7 0m7 0m6", "0m7 5m7 2m7b5 7:7", "0m6 8:7 2m7b5 7:7", "5m7 10:7 3maj7 7:7"),
    ("classical", "major"): ("0 5 7:7 0", "0 9m 2m 7", "0 7 0 7:7", "5 0 7:7 0"),
    ("classical", "minor"): ("0m 5m 7:7 0m", "0m 8 2dim 7", "0m 7 0m 7:7", "5m 0m 7:7 0m"),
    ("electronic", "major"): (
        "0add9 0add9 5add9 5add9",
        "5add9 7sus4 9m9 9m9",
        "0add9 9m9 0add9 7sus4",
        "9m9 5add9 0 0",
    ),
    ("electronic", "minor"): (
        "0m9 0m9 8 10sus4",
        "0m9 8add9 3add9 10",
        "0m9 0m9 0m9 5m9",
        "0m9 10 8add9 8add9",
    ),
}


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord of a song."""

    root: int
    """Pitch class, 0 … 11."""
    intervals: tuple[int, ...]
    """Semitones above the root."""


def progressions(style: str, mode: str, tonic: int) -> list[list[Chord]]:
    """Lists the four-bar progressions of a style in a key; one chord per bar."""
    return [[parse_chord(symbol, tonic) for symbol in line.split()] for line in VOCABULARY[style, mode]]


def parse_chord(symbol: str, tonic: int) -> Chord:
    """Reads "9m7" (or "7:7" where the quality begins with a digit): minor seventh chord 9 above the tonic."""
    digits = (
        symbol.partition(":")[0]
        if ":" in symbol
        else symbol[: len(symbol) - len(symbol.lstrip("0123456789"))]
    )
    quality = symbol[len(digits) :].lstrip(":")
    return Chord((tonic + int(digits)) % 12, QUALITIES[quality])


SWING = 2 / 3
"""Where the second eighth of a swung beat falls."""

Comping = Callable[[Chord, int], list[Note]]
"""From a chord and the song's variant (0 or 1) to the notes of a bar, beats 0 … 4."""


def rock_chords(chord: Chord, variant: int) -> list[Note]:
    """Power chords in driving eighths, or pushed before the third beat."""
    root = nearest(chord.root, 45)
    starts = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5] if variant == 0 else [0, 0.5, 1.5, 2.5, 3, 3.5]
    return [
        Note(start, start + 0.45, root + step, 100 if start % 2 == 1 else 80)
        for start in starts
        for step in (0, 7, 12)
    ]


def jazz_chords(chord: Chord, variant: int) -> list[Note]:
    """Rootless voicings in Charleston rhythm, or on the swung second halves of beats 2 and 4."""
    hits = (
        [(0, 0.4), (1 + SWING, 1.1)]
        if variant == 0
        else [(1 + SWING, 0.3), (2 + SWING, 0.3), (3 + SWING, 0.33)]
    )
    voicing = [nearest(chord.root + step, 62) for step in (*chord.intervals[1:], 14)]
    return [Note(start, start + length, pitch, 78) for start, length in hits for pitch in voicing]


def classical_chords(chord: Chord, variant: int) -> list[Note]:
    """An Alberti figure (low, high, middle, high), or a triad broken upwards and down again."""
    low, middle, high = sorted(nearest(chord.root + step, 60) for step in chord.intervals[:3])
    order = (
        [low, high, middle, high] * 2
        if variant == 0
        else [low, middle, high, low + 12, high, middle, low, middle]
    )
    return [Note(place / 2, place / 2 + 0.5, pitch, 70) for place, pitch in enumerate(order)]


def electronic_chords(chord: Chord, variant: int) -> list[Note]:
    """An arpeggio in sixteenths, or stabs in three-three-two sixteenths."""
    tones = sorted(nearest(chord.root + step, 67) for step in chord.intervals)
    if variant == 0:
        ladder = [*tones, tones[0] + 12]
        return [Note(place / 4, place / 4 + 0.2, ladder[place * 3 % len(ladder)], 85) for place in range(16)]
    starts = [0, 0.75, 1.5, 2, 2.75, 3.5]
    return [Note(start, start + 0.3, pitch, 85) for start in starts for pitch in tones]


COMPING: dict[str, Comping] = {
    "rock": rock_chords,
    "jazz": jazz_chords,
    "classical": classical_chords,
    "electronic": electronic_chords,
}


CENTRE = 38
"""The bass plays around this pitch."""

BassLine = Callable[[Chord, Chord], list[Note]]
"""From a chord and the next bar's chord to the notes of a bar, beats 0 … 4."""


def rock_bass(chord: Chord, _following: Chord) -> list[Note]:
    """Roots in eighths, the fifth at the end."""
    root = nearest(chord.root, CENTRE)
    pitches = [root] * 6 + [root + 7, root + 7]
    return [Note(place / 2, place / 2 + 0.45, pitch, 95) for place, pitch in enumerate(pitches)]


def jazz_bass(chord: Chord, following: Chord) -> list[Note]:
    """A walking line: root, third, fifth, and a semitone above the next root."""
    root = nearest(chord.root, CENTRE)
    pitches = [
        root,
        root + chord.intervals[1],
        root + chord.intervals[2],
        nearest(following.root + 1, CENTRE + 2),
    ]
    return [Note(beat, beat + 0.95, pitch, 90) for beat, pitch in enumerate(pitches)]


def classical_bass(chord: Chord, _following: Chord) -> list[Note]:
    """Root and fifth in held half notes."""
    root = nearest(chord.root, CENTRE + 4)
    return [Note(0, 2, root, 75), Note(2, 4, root + chord.intervals[2], 70)]


def electronic_bass(chord: Chord, _following: Chord) -> list[Note]:
    """Octaves in sixteenths that leave every beat to the bass drum."""
    root = nearest(chord.root, CENTRE - 2)
    places = [place for place in range(16) if place % 4]
    return [Note(place / 4, place / 4 + 0.2, root + 12 * (place % 4 == 2), 95) for place in places]


BASS_LINES: dict[str, BassLine] = {
    "rock": rock_bass,
    "jazz": jazz_bass,
    "classical": classical_bass,
    "electronic": electronic_bass,
}


KITS = {
    "standard kit": 0,
    "room kit": 8,
    "power kit": 16,
    "electronic kit": 24,
    "tr-808 kit": 25,
    "jazz kit": 32,
    "brush kit": 40,
    "orchestra kit": 48,
}

KICK, SNARE, CLAP = 36, 38, 39
CLOSED_HAT, PEDAL_HAT, OPEN_HAT = 42, 44, 46
CRASH, RIDE = 49, 51
HIT_BEATS = 0.2

# Key, velocity, and the beats of the bar on which it is struck.
PATTERNS: dict[str, list[tuple[int, int, list[float]]]] = {
    "rock": [
        (KICK, 115, [0, 2, 2.5]),
        (SNARE, 112, [1, 3]),
        (CLOSED_HAT, 78, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]),
    ],
    "jazz": [
        (RIDE, 118, [0, 1, 1 + SWING, 2, 3, 3 + SWING]),
        (PEDAL_HAT, 110, [1, 3]),
        (KICK, 80, [0, 2]),
        (SNARE, 85, [1 + SWING]),
    ],
    "classical": [
        (KICK, 90, [0]),
        (SNARE, 62, [0, 1, 1.5, 2, 3, 3.25, 3.5, 3.75]),
    ],
    "electronic": [
        (KICK, 120, [0, 1, 2, 3]),
        (CLAP, 95, [1, 3]),
        (OPEN_HAT, 85, [0.5, 1.5, 2.5, 3.5]),
        (CLOSED_HAT, 65, [0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75]),
    ],
}


def drum_bar(pattern: str, bar: int) -> list[Note]:
    """Returns a bar of a pattern, beats 0 … 4; rock marks every fourth bar with a crash."""
    hits = PATTERNS[pattern]
    if pattern == "rock" and bar % 4 == 0:
        hits = [*hits, (CRASH, 90, [0])]
    return [Note(beat, beat + HIT_BEATS, key, velocity) for key, velocity, beats in hits for beat in beats]
