"""Measure one batch, and estimate from it what a whole extraction takes."""

import time
from dataclasses import dataclass

from jobs.execution import resolved_device
from jobs.extract.options import ExtractOptions
from jobs.extract.spec import ExtractionSpec


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that one clip takes one worker of this machine."""

    encode: float
    """EnCodec: once, as codes are kept; 0 for models that hear the audio themselves."""
    forward: float
    """The model, and the copy of what is kept to the host."""
    device: str
    """"cpu" or "cuda"."""


def measure_pace(options: ExtractOptions, spec: ExtractionSpec) -> Pace:
    """Encode and forward one batch of noise on this machine, after a clip that warms it up."""
    import torch

    from pipelines.capture import forward_activations, heard_activations
    from pipelines.models.named import load_readable_model
    from pipelines.models.protocol import as_encoder, with_codes

    device = resolved_device(options.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    try:
        model = load_readable_model(
            options.named_model,
            device=device,
            dtype=spec.dtype,
            last_block=spec.capture.last_block(spec.model),
        )
        samples = round(spec.clip_seconds * spec.model.sample_rate)
        shape = spec.batch_clips, spec.model.channels, samples
        audio = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 0.1

        def timed(clips: int) -> tuple[float, float]:
            started = encoded = time.perf_counter()
            if (encoder := as_encoder(model)) is not None:
                found = heard_activations(encoder, audio[:clips, 0], spec.capture)
            else:
                codes = with_codes(model).encode(audio[:clips]).cpu()
                encoded = time.perf_counter()
                found = forward_activations(with_codes(model), codes, spec.capture, [""] * clips)
            for tensor in found.values():
                tensor.cpu()
            return (encoded - started) / clips, (time.perf_counter() - encoded) / clips

        timed(1)
        return Pace(*timed(spec.batch_clips), device)
    finally:
        torch.set_num_threads(threads)
