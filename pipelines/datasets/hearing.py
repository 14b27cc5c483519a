"""Decode the clips of a recording when it is added, to find silent, clipped and damaged ones."""

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
class Heard:
    """Clips that a user should know of, by name."""

    silent: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    undecodable: dict[str, str] = field(default_factory=dict)
    """With what is wrong."""

    def add(self, other: "Heard") -> None:
        """Take on what was heard of further clips."""
        self.silent += other.silent
        self.clipped += other.clipped
        self.undecodable |= other.undecodable


def listen(file: BinaryIO, clips: Iterable[Clip], *, sample_rate: int) -> Heard:
    """Decode every clip, mixed to mono as a model hears it, at the recording's own rate."""
    heard = Heard()
    with closing(ClipReader(file)) as reader:
        for clip in clips:
            try:
                samples = reader.read(clip, sample_rate=sample_rate).resampled()
            except AudioError as error:
                heard.undecodable[name_of(clip)] = str(error)
                continue
            if is_silent(samples):
                heard.silent.append(name_of(clip))
            if np.mean(np.abs(samples) >= FULL_SCALE) > CLIPPED_SHARE:
                heard.clipped.append(name_of(clip))
    return heard


def glance(file: BinaryIO, clips: Iterable[Clip]) -> Heard:
    """Which clips of an uncompressed file are silent; mostly their first samples tell. Of others nothing."""
    heard = Heard()
    with opened_pcm(file) as audio:
        if audio is None or not audio.is_plain:
            return heard
        for clip in clips:
            try:
                if _is_silent(audio, clip):
                    heard.silent.append(name_of(clip))
            except AudioError as error:
                heard.undecodable[name_of(clip)] = str(error)
    return heard


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
