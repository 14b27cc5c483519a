"""A sound in Python: samples with their rate, which play in a notebook and save to a file."""

import io
from base64 import b64encode
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from store.errors import InvalidInput

FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sound:
    """Audio, mono or stereo."""

    samples: NDArray[np.float32]
    """(samples,), or (samples, 2) of a stereo model; full scale is ±1, and files are cut off there."""
    sample_rate: int
    """Samples per second."""
    text: str = ""
    """Text condition that it was generated from."""
    seed: int | None = None
    """Of the noise that it was generated from."""
    codes: NDArray[np.int16] | None = None
    """Its codec tokens (codebooks, frames)."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate

    def save(self, path: str | Path) -> Path:
        """Write it, 16 bits a sample; the ending says how: .wav, .flac or .ogg. Returns the path."""
        path = Path(path).expanduser()
        if path.suffix.lower() not in FORMATS:
            raise InvalidInput(f"{path.name!r} does not end in {', '.join(FORMATS)}.")
        path.write_bytes(self._encoded(FORMATS[path.suffix.lower()]))
        return path

    def __repr__(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        text = f", {self.text!r}" if self.text else ""
        return f"Sound({self.seconds:g} s at {self.sample_rate} Hz{text}{seed})"

    def _repr_html_(self) -> str:
        data = b64encode(self._encoded("WAV")).decode()
        return (
            f'<figure><audio controls src="data:audio/wav;base64,{data}"></audio>'
            f"<figcaption>{escape(repr(self))}</figcaption></figure>"
        )

    def _encoded(self, format_: str) -> bytes:
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, np.clip(self.samples, -1.0, 1.0), self.sample_rate, format=format_)
        return buffer.getvalue()
