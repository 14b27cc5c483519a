"""Devices and number formats of a model, and how much its codec takes at once there."""

from store.errors import InvalidInput

DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "bfloat16", "float16")
ENCODER_SAMPLES = {"cpu": 2**17, "cuda": 2**25}
"""Audio samples per pass of the codec: larger batches leave a CPU's caches and take three times as long."""


def check_placement(device: str, dtype: str) -> None:
    """Raise `InvalidInput` where this machine lacks a device, or no model is loaded in a number format."""
    import torch

    if dtype not in DTYPES:
        raise InvalidInput(f"dtype {dtype!r} is not supported. Choose {', '.join(DTYPES)}.")
    if device not in DEVICES:
        raise InvalidInput(
            f"Device {device!r} is not supported. Choose cpu or cuda (CUDA_VISIBLE_DEVICES picks one)."
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidInput(
            "This build of torch sees no CUDA device. Use device cpu, or install the GPU build."
        )
