"""Facts from a recording's header: channels, rate, length."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Length and shape of a recording, as it would decode."""

    sample_rate: int
    samples: int
    """Per channel."""
    channels: int
    peak: float = 0.0
    """Largest absolute sample of a file of floating-point samples, NaN where one is; 0 for other files."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.samples / self.sample_rate
