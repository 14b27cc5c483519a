"""Estimate how long the generations of a sweep take, from one batch made on this machine."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jobs.extract.placement import local_workers
from jobs.extract.planning import DTYPES
from jobs.generate.specification import GenerationSpec
from jobs.sweep.options import SweepOptions
from jobs.sweep.trials import SweepPlan

MEASURED_SECONDS = 1.0
"""Length of the generations that are timed; time grows about with the length."""


def generating_time(
    plan: SweepPlan, missing: Sequence[GenerationSpec], options: SweepOptions
) -> dict[str, Any]:
    """Workers, and seconds that generating will take; fitting directions and scoring are not among them."""
    if not missing:
        return {"workers": 0, "generating_seconds": 0.0}
    from pipelines.models.musicgen import describe_model

    info = describe_model(plan.expanded.model_name)
    each = _seconds_per_second(plan.expanded.model_name, missing, options)
    workers = local_workers(options, info)
    total = each * sum(spec.seconds for spec in missing) / workers
    return {
        "workers": workers,
        "generating_seconds": round(total, 1),
        "estimated_from": f"a batch of {min(options.batch, len(missing))} generations of "
        f"{MEASURED_SECONDS:g} s on this machine, unsteered",
        "not_estimated": "starting workers, fitting directions, automatic strengths, and scoring: for short "
        "sounds these take longer than generating",
    }


def _seconds_per_second(model_name: str, missing: Sequence[GenerationSpec], options: SweepOptions) -> float:
    """Working time per second of audio, of one worker with a full batch."""
    import torch

    from jobs.generate.requests import request_of
    from pipelines.generation.generate import generate
    from pipelines.models.musicgen import load_musicgen

    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        model = load_musicgen(model_name, device=device, dtype=DTYPES[options.dtype])
        specs = [
            replace(spec.twin(), seconds=MEASURED_SECONDS, text="", audio_prompt=None)
            for spec in missing[: options.batch]
        ]
        requests = [request_of(spec, {}) for spec in specs]
        started = time.perf_counter()
        generate(model, requests, batch_size=options.batch)
        return (time.perf_counter() - started) / (len(requests) * MEASURED_SECONDS)
    finally:
        torch.set_num_threads(threads)
