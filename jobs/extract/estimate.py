"""Estimates an extraction: bytes by arithmetic, time by measuring one batch."""

import math
import time

import numpy as np

from jobs.extract.options import ExtractOptions
from jobs.extract.spec import ExtractionSpec
from store.records import ArraySpec


def array_bytes(array: ArraySpec, clips: int) -> int:
    """Bytes of an uncompressed array for this many clips."""
    return clips * math.prod(array.shape) * np.dtype(array.dtype).itemsize


def measure_seconds_per_clip(options: ExtractOptions, spec: ExtractionSpec) -> float:
    """Encode and forward one batch of noise on this machine; seconds per clip for one worker."""
    import torch

    from pipelines.capture import forward_activations
    from pipelines.models.musicgen import load_musicgen

    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        model = load_musicgen(
            options.model, device=device, dtype=spec.dtype, last_block=spec.capture.last_block()
        )
        samples = round(spec.clip_seconds * spec.model.sample_rate)
        audio = torch.randn(spec.batch_clips, 1, samples, generator=torch.Generator().manual_seed(0)) * 0.1
        started = time.perf_counter()
        codes = model.encode(audio)
        for tensor in forward_activations(model, codes, spec.capture, [""] * spec.batch_clips).values():
            tensor.cpu()
        return (time.perf_counter() - started) / spec.batch_clips
    finally:
        torch.set_num_threads(threads)
