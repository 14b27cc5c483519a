"""Checks a generation's options before a model is loaded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jobs.user_files import check_output
from pipelines.generation.sampling import Sampling
from store.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.generate.options import GenerateOptions

ENDINGS = (".flac", ".wav")
MOST_SECONDS = 3600.0


def check_options(options: GenerateOptions) -> None:
    """Check what needs neither a store nor a model.

    Raises:
        InvalidInput: An option is not legal, or would have no effect.
        NotFound: The folder of the output is not there.
    """
    if options.output is not None:
        _check_output(options.output)
    seconds = options.seconds
    if seconds is not None and not (math.isfinite(seconds) and 0 < seconds <= MOST_SECONDS):
        raise InvalidInput(f"--seconds {seconds:g} is not possible: from above 0 to {MOST_SECONDS:g}.")
    Sampling(options.guidance, options.temperature, options.top_k, options.top_p)
    for option, cure in _without_effect(options):
        raise InvalidInput(f"{option} has no effect without {cure}.")


def _check_output(output: Path) -> None:
    if output.suffix.lower() not in ENDINGS:
        raise InvalidInput(f"{output} has no ending that is known; write {' or '.join(ENDINGS)}.")
    check_output(output)


def _without_effect(options: GenerateOptions) -> list[tuple[str, str]]:
    """Options that were given although what they act on was not, each with what is missing."""
    steering = {
        "--alpha": options.alphas,
        "--schedule": options.schedules,
        "--monitor": options.monitor,
        "--target-prompt": options.target_prompt,
        "--away": options.away,
    }
    prompt = {
        "--audio-start": options.audio_start,
        "--audio-seconds": options.audio_seconds,
        "--steer-prompt": options.steer_prompt,
    }
    found = []
    if not options.directions:
        found += [(name, "--direction") for name, given in steering.items() if given]
    if options.audio_prompt is None:
        found += [(name, "--audio-prompt") for name, given in prompt.items() if given]
    if options.target_prompt is not None and "auto" not in options.alphas:
        found.append(("--target-prompt", "--alpha auto"))
    return found
