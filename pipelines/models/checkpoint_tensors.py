"""Check a checkpoint's tensors against its configuration: sizes, and finite values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from pipelines.models.checkpoint_configuration import conditioners_of
from store.errors import ModelError

NAMED = 3
"""Tensors that a message names."""
LARGEST_DILATION = 2**16
Shape = tuple[int | None, ...]


def require_plain_tensors(state: Any, where: str) -> None:
    """Raise ModelError unless this is a mapping of names to tensors that hold what they claim to hold.

    A tensor may claim any shape over a few stored bytes; what copies it would fill the memory.
    """
    if not isinstance(state, Mapping) or not state:
        raise ModelError(f"{where}: 'best_state' holds no tensors. Export the checkpoint again.")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise ModelError(f"{where}: {name!r} in 'best_state' is a {type(tensor).__name__}, not a tensor.")
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
            raise ModelError(
                f"{where}: the tensor {name} is sparse, quantized or empty; only plain ones are read."
            )
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ModelError(
                f"{where}: the tensor {name} claims the shape {tuple(tensor.shape)}, "
                f"and its file holds {tensor.untyped_storage().nbytes():,} bytes of it."
            )


def require_language_model_sizes(configuration: Any, state: Mapping[str, torch.Tensor], where: str) -> None:
    """Raise ModelError where the decoder that the configuration describes is not the one in the file."""
    transformer = configuration["transformer_lm"]
    dim, layers, codebooks = transformer["dim"], transformer["num_layers"], transformer["n_q"]
    _require_as_many(state, {"transformer_lm.num_layers": layers, "transformer_lm.n_q": codebooks}, where)
    expected: dict[str, Shape] = {}
    for k in range(codebooks):
        expected[f"emb.{k}.weight"] = (transformer["card"] + 1, dim)
        expected[f"linears.{k}.weight"] = (transformer["card"], dim)
    hidden = int(transformer.get("hidden_scale", 4) * dim)
    for layer in range(layers):
        expected[f"transformer.layers.{layer}.linear1.weight"] = (hidden, dim)
        expected[f"transformer.layers.{layer}.linear2.weight"] = (dim, hidden)
    for name, settings in conditioners_of(configuration):
        expected |= _conditioner_shapes(name, settings, dim)
    _require_shapes(state, expected, where)


def require_codec_sizes(configuration: Any, state: Mapping[str, torch.Tensor], where: str) -> None:
    """Raise ModelError where the codec that the configuration describes is not the one in the file."""
    seanet, quantizer = configuration["seanet"], configuration["rvq"]
    encoder = {**seanet, **seanet["encoder"]}
    decoder = {**seanet, **seanet["decoder"]}
    _require_as_many(
        state,
        {"rvq.n_q": quantizer["n_q"], "seanet.ratios": len(encoder["ratios"])}
        | {f"seanet.{key}": int(encoder.get(key, 0)) for key in ("n_residual_layers", "lstm")}
        | {f"seanet.decoder.{key}": int(decoder.get(key, 0)) for key in ("n_residual_layers", "lstm")},
        where,
    )
    for settings in (encoder, decoder):
        if settings.get("dilation_base", 2) ** settings.get("n_residual_layers", 3) > LARGEST_DILATION:
            raise ModelError(f"{where}: seanet.dilation_base of xp.cfg is too large for its residual layers.")
    shape = (quantizer["bins"], encoder.get("dimension", 128))
    _require_shapes(
        state,
        {f"quantizer.vq.layers.{k}._codebook.embed": shape for k in range(quantizer["n_q"])},
        where,
    )
    for part, settings, kernels in (
        ("encoder", encoder, ("kernel_size", "last_kernel_size")),
        ("decoder", decoder, ("last_kernel_size", "kernel_size")),
    ):
        held = sum(tensor.numel() for name, tensor in state.items() if name.startswith(f"{part}."))
        if (needed := _fewest_parameters(settings, kernels)) > held:
            raise ModelError(
                f"{where}: the {part} that xp.cfg describes has at least {needed:,} parameters, the file "
                f"holds {held:,}. It was damaged, or its xp.cfg belongs to another codec."
            )


def _fewest_parameters(settings: Mapping[str, Any], kernels: tuple[str, str]) -> int:
    """Weights of a SEANet's outer and resampling convolutions, its residual layers and its LSTM.

    `kernels` are the settings of the convolutions at the side of the audio and at that of the codes.
    """
    width, channels = int(settings.get("n_filters", 32)), int(settings.get("channels", 1))
    dimension, compress = int(settings.get("dimension", 128)), max(1, int(settings.get("compress", 2)))
    residual = int(settings.get("residual_kernel_size", 3)) + 1
    total, widest = 0, width
    for ratio in reversed(settings["ratios"]):
        hidden = widest // compress
        total += int(settings.get("n_residual_layers", 3)) * widest * hidden * residual
        total += widest * 2 * widest * 2 * ratio
        widest *= 2
    total += int(settings.get("lstm", 0)) * 8 * widest**2
    audio, codes = (int(settings.get(kernel, 7)) for kernel in kernels)
    return total + audio * width * channels + codes * widest * dimension


def _conditioner_shapes(name: str, settings: Mapping[str, Any], dim: int) -> dict[str, Shape]:
    prefix = f"condition_provider.conditioners.{name}"
    own = settings[settings["model"]]
    match settings["model"]:
        case "lut":
            embedding = (own["n_bins"], own["dim"])
            return {f"{prefix}.embed.weight": embedding, f"{prefix}.output_proj.weight": (dim, own["dim"])}
        case "chroma_stem":
            return {f"{prefix}.output_proj.weight": (dim, own["n_chroma"])}
        case _:
            return {f"{prefix}.output_proj.weight": (dim, None)}


def _require_as_many(state: Mapping[str, Any], counts: Mapping[str, int], where: str) -> None:
    for key, count in counts.items():
        if count > len(state) or count < 0:
            raise ModelError(
                f"{where}: xp.cfg says {key} {count:,}, and the file has {len(state):,} tensors."
            )


def _require_shapes(state: Mapping[str, torch.Tensor], expected: Mapping[str, Shape], where: str) -> None:
    problems = [
        f"{name} is missing"
        if name not in state
        else f"{name} is {_shown(state[name].shape)}, not {_shown(shape)}"
        for name, shape in expected.items()
        if name not in state or not _fits(tuple(state[name].shape), shape)
    ]
    if problems:
        more = f", and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise ModelError(
            f"{where}: the checkpoint's tensors do not fit its own configuration: "
            f"{', '.join(problems[:NAMED])}{more}. Its xp.cfg belongs to another model, or it was damaged."
        )


def _fits(shape: tuple[int, ...], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(e in (None, s) for s, e in zip(shape, expected, strict=True))


def _shown(shape: Any) -> str:
    return "×".join("any" if size is None else str(size) for size in shape)


@dataclass(frozen=True, slots=True)
class NonFinite:
    """A tensor with values that are no numbers."""

    name: str
    count: int
    """NaN and infinite values in it."""
    values: int
    """All values of it."""


def non_finite_tensors(state: Mapping[str, torch.Tensor]) -> tuple[NonFinite, ...]:
    """Tensors that hold NaN or infinity, in the order of the file; one pass at the speed of memory.

    A sum tells at once: it is finite only where every value is, or else the values are looked at.
    """
    return tuple(_suspects(state))


def _suspects(state: Mapping[str, torch.Tensor]) -> Iterator[NonFinite]:
    for name, tensor in state.items():
        if not tensor.is_floating_point() or bool(tensor.sum(dtype=torch.float32).isfinite()):
            continue
        if count := int((~tensor.isfinite()).sum()):
            yield NonFinite(name, count, prod(tensor.shape))
