"""Synthesis of a score to samples, through tinysoundfont.

TimGM6mb (Tim Brechbill, GNU General Public License 2) is used from the installed package `pretty_midi`,
which carries it; this project does not ship it. It is also SynTheory's bank.
"""

from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tinysoundfont._tinysoundfont import OutputMode, SoundFont

from pipelines.synthesis.scores import Note, Part, Score
from pipelines.synthesis.streams import stream
from store.errors import NotFound

DECAY_SECONDS = 1.2
"""Until the room is 60 dB down."""


def add_room(sound: NDArray[np.float32], *, share: float, sample_rate: int) -> NDArray[np.float32]:
    """Mixes the room into mono samples of the same length; `share` 0 is dry, 1 is the room alone."""
    response = impulse_response(sample_rate)
    size = 1 << (len(sound) + len(response) - 2).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)]
    mixed: NDArray[np.float32] = ((1 - share) * sound + share * wet).astype(np.float32)
    return mixed


@lru_cache(maxsize=4)
def impulse_response(sample_rate: int) -> NDArray[np.float32]:
    """Returns fading noise of unit energy, so that a click keeps its energy."""
    time = np.arange(round(DECAY_SECONDS * sample_rate)) / sample_rate
    noise = stream("room").standard_normal(len(time)) * 10 ** (-3 * time / DECAY_SECONDS)
    response: NDArray[np.float32] = (noise / np.linalg.norm(noise)).astype(np.float32)
    return response


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


VOICES = 256
PRE_ROLL_SECONDS = 0.25
PEAK = 10 ** (-1 / 20)
REFERENCE_LEVEL = 0.1


class Event(NamedTuple):
    """Press (velocity > 0) or release (velocity 0) of a key; sorted by time, releases first."""

    sample: int
    velocity: int
    channel: int
    key: int


def render_score(score: Score, *, seconds: float, sample_rate: int) -> NDArray[np.float32]:
    """Plays an excerpt.

    Returns:
        Mono samples of shape (round(seconds * sample_rate),), peak at −1 dBFS plus `score.level_db`.
    """
    lead_in = min(PRE_ROLL_SECONDS, score.start_seconds)
    first = round(lead_in * sample_rate)
    samples = first + round(seconds * sample_rate)
    synthesizer = new_synthesizer(sample_rate)
    events = sorted(schedule(synthesizer, score, score.start_seconds - lead_in, sample_rate))
    sound = play(synthesizer, events, samples)
    if score.reverb:
        sound = add_room(sound, share=score.reverb, sample_rate=sample_rate)
    return at_peak(sound[first:], PEAK * 10 ** (score.level_db / 20))


def new_synthesizer(sample_rate: int) -> SoundFont:
    """Returns a silent synthesizer of its own; the bank's samples are shared."""
    synthesizer = SoundFont(_bank())
    synthesizer.set_output(OutputMode.Mono, sample_rate, 0.0)
    synthesizer.set_max_voices(VOICES)
    return synthesizer


@lru_cache(maxsize=1)
def _bank() -> SoundFont:
    return SoundFont(str(bank_path()))


def schedule(
    synthesizer: SoundFont, score: Score, origin_seconds: float, sample_rate: int
) -> Iterator[Event]:
    """Sets up channels and lists their events in samples since `origin_seconds`.

    A note that began before the origin begins there. Every retuning of a program needs a channel.
    """
    channels: dict[tuple[int, int], int] = {}
    samples_per_beat = sample_rate * 60 / score.tempo_bpm
    origin = round(origin_seconds * sample_rate)
    for index, part in enumerate(score.parts):
        for note in part.notes:
            start, end = (round(beat * samples_per_beat) - origin for beat in (note.start, note.end))
            if end <= 0:
                continue
            key, shift = (note.pitch, 0) if part.drums else playable_key(part.program, note.pitch)
            if (index, shift) not in channels:
                channels[index, shift] = open_channel(synthesizer, len(channels), part, shift)
            channel = channels[index, shift]
            yield Event(max(start, 0), note.velocity, channel, key)
            yield Event(end, 0, channel, key)


def open_channel(synthesizer: SoundFont, channel: int, part: Part, shift: int) -> int:
    """Gives a channel its program, tuning and volume; returns its number."""
    synthesizer.channel_set_bank(channel, 0)
    synthesizer.channel_set_preset_number(channel, part.program, part.drums)
    synthesizer.channel_set_tuning(channel, float(shift))
    if part.gain is not None:
        natural = loudness(part.program, drums=part.drums, pitch=round(_centre(part)))
        synthesizer.channel_set_volume(channel, part.gain * REFERENCE_LEVEL / natural)
    return channel


def _centre(part: Part) -> float:
    """Mean pitch to the octave's C, so that few references have to be played; kits have one."""
    return 36 if part.drums else 12 * round(sum(note.pitch for note in part.notes) / len(part.notes) / 12)


@lru_cache(maxsize=1024)
def loudness(program: int, *, drums: bool, pitch: int) -> float:
    """Root mean square of the loudest tenth of a second of one held note: programs differ by 20 dB."""
    rate = 16_000
    score = Score([Part(program, [Note(0, 2, pitch, 100)], drums)])
    synthesizer = new_synthesizer(rate)
    sound = play(synthesizer, sorted(schedule(synthesizer, score, 0.0, rate)), rate)
    power = np.square(sound).reshape(10, -1).mean(axis=1)
    return max(float(np.sqrt(power.max())), 1e-3)


def play(synthesizer: SoundFont, events: list[Event], samples: int) -> NDArray[np.float32]:
    """Renders up to each event, applies it, goes on; returns mono samples."""
    sound = np.zeros(samples, np.float32)
    memory = sound.data.cast("B")
    position = 0
    for event in events:
        if event.sample >= samples:
            break
        if event.sample > position:
            synthesizer.render(memory[4 * position : 4 * event.sample])
            position = event.sample
        if event.velocity:
            synthesizer.channel_note_on(event.channel, event.key, event.velocity / 127)
        else:
            synthesizer.channel_note_off(event.channel, event.key)
    if position < samples:
        synthesizer.render(memory[4 * position :])
    return sound


def at_peak(sound: NDArray[np.float32], peak: float) -> NDArray[np.float32]:
    """Scales samples to a peak; silence stays silence."""
    highest = float(np.abs(sound).max(initial=0.0))
    return sound * np.float32(peak / highest) if highest > 0 else sound
