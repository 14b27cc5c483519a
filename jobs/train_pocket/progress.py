"""Progress of a training: a line every few seconds with rate, time left and losses."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class TrainingProgress:
    """Called with (stage, step, steps, losses); sent to worker processes, so it holds no stream."""

    _first: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __call__(self, stage: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        """Write a line on standard error."""
        started, first = self._first.setdefault(stage, (time.monotonic(), step))
        elapsed = time.monotonic() - started
        rate = (step - first) / elapsed if elapsed > 0 else 0.0
        left = f"{readable_time((steps - step) / rate)} left" if rate > 0 else "time left unknown"
        shown = "  ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        sys.stderr.write(f"{stage}  {step:,} of {steps:,}  {rate:.1f}/s  {left}  {shown}\n")
        sys.stderr.flush()


def readable_time(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
