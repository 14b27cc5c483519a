"""Check the clips of a recording that is added, for silent, clipped and damaged ones."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from pipelines.audio.clips import ClipReader, is_silent
from pipelines.audio.pcm import PcmAudio, opened_pcm
from pipelines.scorers.descriptors import FULL_SCALE
from store.errors import AudioError
from store.records import Clip

CLIPPED_SHARE = 1e-3
"""Of a clip's samples at full scale; a loud master has a few."""

_GLANCE_SAMPLES, _MOST_SAMPLES = 1 << 12, 1 << 18


@dataclass(slots=True)
class FlawedClips:
    """Clips that a user should know of, by name."""

    silent: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    undecodable: dict[str, str] = field(default_factory=dict)
    """With what is wrong."""

    def add(self, other: "FlawedClips") -> None:
        """Take on those of further recordings."""
        self.silent += other.silent
        self.clipped += other.clipped
        self.undecodable |= other.undecodable


def check_whole(file: BinaryIO, clips: Iterable[Clip], *, sample_rate: int) -> FlawedClips:
    """Decode every clip, mixed to mono as for a model, at the recording's own rate."""
    flawed = FlawedClips()
    with closing(ClipReader(file)) as reader:
        for clip in clips:
            try:
                samples = reader.read(clip, sample_rate=sample_rate).resampled()
            except AudioError as error:
                flawed.undecodable[name_of(clip)] = str(error)
                continue
            if is_silent(samples):
                flawed.silent.append(name_of(clip))
            if np.mean(np.abs(samples) >= FULL_SCALE) > CLIPPED_SHARE:
                flawed.clipped.append(name_of(clip))
    return flawed


def check_beginnings(file: BinaryIO, clips: Iterable[Clip]) -> FlawedClips:
    """Which clips of an uncompressed file are silent; mostly their first samples tell. Of others nothing."""
    flawed = FlawedClips()
    with opened_pcm(file) as audio:
        if audio is None or not audio.is_plain:
            return flawed
        for clip in clips:
            try:
                if _is_silent(audio, clip):
                    flawed.silent.append(name_of(clip))
            except AudioError as error:
                flawed.undecodable[name_of(clip)] = str(error)
    return flawed


def _is_silent(audio: PcmAudio, clip: Clip) -> bool:
    first = round(clip.start_seconds * audio.rate)
    end = first + round(clip.duration_seconds * audio.rate)
    count = _GLANCE_SAMPLES
    while first < end:
        if not is_silent(audio.read(first, min(count, end - first)).mean(axis=1)):
            return False
        first, count = first + count, _MOST_SAMPLES
    return True


def name_of(clip: Clip) -> str:
    """What a user knows a clip by: its file and, where it does not begin with it, the second."""
    return f"{clip.uri} at {clip.start_seconds:g} s" if clip.start_seconds else clip.uri
