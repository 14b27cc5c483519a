"""Decode sample-addressed audio files (WAV, AIFF, AU, FLAC …) through libsndfile.

Only formats whose every sample has a fixed place are read here, or that are made of blocks of one length.
libsndfile also opens MP3 and Ogg, but a seek in a variable-bit-rate MP3 or near the end of an Ogg file lands
on the wrong sample, and a variable-bit-rate MP3 without an index is reported far too short; see
`pipelines.audio.packets` for those.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.audio.header import AudioInfo
from store.errors import AudioError

_MAGIC = (b"RIFF", b"RF64", b"riff", b"FORM", b".snd", b"dns.", b"fLaC", b"caff")
_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM")
_FLOATING = ("FLOAT", "DOUBLE")
_UNKNOWN_LENGTH_BYTES = 0x7FFF_0000
"""Writers into a pipe put a size at least this large, as they cannot know the true one."""
_SHORTER = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_BLOCK_SAMPLES = re.compile(r"^\s*Samples/Block\s*:\s*(\d+)", re.MULTILINE)
_FACT = re.compile(r"^fact\s*:.*\n\s*frames\s*:\s*(\d+)", re.MULTILINE)
_READ_SAMPLES = 1 << 18


@contextmanager
def opened_pcm(file: BinaryIO) -> Iterator["PcmAudio | None"]:
    """A file with addressable samples that libsndfile knows; None for any other file."""
    sound = _sound(file)
    if sound is None:
        yield None
        return
    with sound:
        yield PcmAudio(sound)


def tells_its_length(file: BinaryIO) -> bool:
    """Whether header and end of a file say all that there is to know of it without its samples."""
    with opened_pcm(file) as audio:
        return audio is not None and audio.is_plain and not audio.is_floating


class PcmAudio:
    """An open file whose samples can be addressed."""

    def __init__(self, sound: soundfile.SoundFile) -> None:
        self._sound = sound
        self.rate = int(sound.samplerate)
        """Samples per second."""
        self.is_plain = sound.format != "FLAC" and "ADPCM" not in sound.subtype
        """Whether samples lie there as they are: reading some costs no decoding."""
        self.is_floating = sound.subtype in _FLOATING
        """Whether samples are floating-point numbers, which nothing bounds."""

    def measure(self) -> AudioInfo:
        """What the header says, checked against the length of the file.

        Raises:
            AudioError: the header promises more samples than the file has.
        """
        for promised, present in _SHORTER.findall(self._sound.extra_info):
            if int(present) < int(promised) < _UNKNOWN_LENGTH_BYTES:
                raise AudioError(
                    f"The header promises {promised} bytes of samples, the file has {present}: "
                    "it was cut off or its header is wrong."
                )
        samples = self._samples()
        tail = min(samples, self.rate // 10)
        if not tail or len(self.read(samples - tail, tail)) < tail:
            raise AudioError(
                f"The header promises {samples / self.rate:.2f} s of audio, but the end cannot be decoded: "
                "the file was cut off or its header is wrong."
            )
        peak = self._peak() if self.is_floating else 0.0
        return AudioInfo(self.rate, samples, self._sound.channels, peak)

    def goes_on(self, _first: int) -> bool:
        """Yes: every sample has its place."""
        return True

    def read(self, first: int, count: int) -> NDArray[np.float32]:
        """Samples first … first + count, fewer at the end of the file; float32 (samples, channels)."""
        first = min(first, self._samples())
        count = min(count, self._samples() - first)
        try:
            self._sound.seek(first)
            return np.asarray(self._sound.read(count, dtype="float32", always_2d=True))
        except soundfile.SoundFileError as error:
            raise AudioError(f"The audio data is damaged near sample {first}: {error}") from error

    def _samples(self) -> int:
        """Samples without what fills the last block of ADPCM, where a fact chunk says how much that is."""
        frames = int(self._sound.frames)
        block, fact = _BLOCK_SAMPLES.search(self._sound.extra_info), _FACT.search(self._sound.extra_info)
        if block and fact and frames - int(block[1]) < int(fact[1]) < frames:
            return int(fact[1])
        return frames

    def _peak(self) -> float:
        peak = 0.0
        for first in range(0, self._samples(), _READ_SAMPLES):
            block = self.read(first, _READ_SAMPLES)
            peak = float(np.maximum(peak, np.max(np.abs(block), initial=0.0)))
        return peak


def _sound(file: BinaryIO) -> soundfile.SoundFile | None:
    file.seek(0)
    if file.read(4) not in _MAGIC:
        return None
    file.seek(0)
    try:
        sound = soundfile.SoundFile(file)
    except soundfile.SoundFileError:
        return None
    if str(sound.subtype).startswith(_SUBTYPES) and 0 < int(sound.frames) < 1 << 48:
        return sound
    sound.close()
    return None
