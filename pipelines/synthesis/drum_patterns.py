"""One bar of drums per style, and the kits of the SoundFont."""

from pipelines.synthesis.comping import SWING
from pipelines.synthesis.scores import Note

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
