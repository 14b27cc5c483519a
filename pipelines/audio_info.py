"""What a recording's header, once checked, says about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Length and shape of a recording, as it would decode."""

    sample_rate: int
    samples: int
    """Per channel."""
    channels: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.samples / self.sample_rate
