"""Where the General-MIDI SoundFont is, and which of its keys have no sound.

TimGM6mb (Tim Brechbill, GNU General Public License 2) is used from the installed package `pretty_midi`,
which carries it; this project does not ship it. It is also SynTheory's bank.
"""

from importlib.util import find_spec
from pathlib import Path

from store.errors import NotFound

BANK_FILE = "TimGM6mb.sf2"

# Keys that the bank has sound for; the others of the 92 tonal programs have them all.
KEY_RANGES = {10: (12, 127), 56: (12, 127), 67: (0, 79), 68: (36, 127)}
# Holes inside a range: the alto saxophone lacks E4.
HOLES = {(65, 64): 65}


def bank_path() -> Path:
    """Finds the SoundFont without importing the package around it (that would take a second).

    Raises:
        NotFound: `pretty_midi` is not installed or no longer carries the bank.
    """
    package = find_spec("pretty_midi")
    for folder in (package.submodule_search_locations or []) if package else []:
        if (path := Path(folder) / BANK_FILE).is_file():
            return path
    raise NotFound(f"{BANK_FILE} was not found; it comes with pretty_midi: install it with `make setup`")


def playable_key(program: int, pitch: int) -> tuple[int, int]:
    """Returns the nearest key that sounds, and by how many semitones it must be retuned.

    SynTheory leaves such notes silent (88 of its 9,936 notes, and chords with a voice missing).
    """
    lowest, highest = KEY_RANGES.get(program, (0, 127))
    key = HOLES.get((program, pitch), min(max(pitch, lowest), highest))
    return key, pitch - key
