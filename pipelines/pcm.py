"""Sample-addressed audio files (WAV, AIFF, AU, FLAC …) through libsndfile.

Only formats whose every sample has a fixed place are read here. libsndfile also opens MP3 and Ogg,
but a seek in a variable-bit-rate MP3 or near the end of an Ogg file lands on the wrong sample, and a
variable-bit-rate MP3 without an index is reported far too short; see `pipelines.packets` for those.
"""

import re
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.audio_info import AudioInfo
from store.errors import AudioError

_MAGIC = (b"RIFF", b"RF64", b"riff", b"FORM", b".snd", b"dns.", b"fLaC", b"caff")
_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_UNKNOWN_LENGTH_BYTES = 0x7FFF_0000
"""Writers into a pipe put a size at least this large, as they cannot know the true one."""
_SHORTER = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)


def accepts(file: BinaryIO) -> bool:
    """Whether this is a file with addressable samples that libsndfile knows."""
    file.seek(0)
    if file.read(4) not in _MAGIC:
        return False
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            return str(sound.subtype).startswith(_SUBTYPES) and 0 < int(sound.frames) < 1 << 48
    except soundfile.SoundFileError:
        return False


def read_info(file: BinaryIO) -> AudioInfo:
    """What the header says, checked against the length of the file.

    Raises:
        AudioError: the header promises more samples than the file has.
    """
    file.seek(0)
    with soundfile.SoundFile(file) as sound:
        for promised, present in _SHORTER.findall(sound.extra_info):
            if int(present) < int(promised) < _UNKNOWN_LENGTH_BYTES:
                raise AudioError(
                    f"The header promises {promised} bytes of samples, the file has {present}: "
                    "it was cut off or its header is wrong."
                )
        return AudioInfo(sound.samplerate, sound.frames, sound.channels)


def read_rate(file: BinaryIO) -> int:
    """Samples per second."""
    file.seek(0)
    with soundfile.SoundFile(file) as sound:
        return int(sound.samplerate)


def read_samples(file: BinaryIO, first: int, count: int) -> NDArray[np.float32]:
    """Samples first … first + count, fewer at the end of the file; float32 (samples, channels)."""
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            sound.seek(min(first, sound.frames))
            return np.asarray(sound.read(count, dtype="float32", always_2d=True))
    except soundfile.SoundFileError as error:
        raise AudioError(f"The audio data is damaged near sample {first}: {error}") from error
