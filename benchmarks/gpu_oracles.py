"""Oracles for any device: the pocket model on it, compared with the CPU in float32."""

from collections.abc import Iterator

import torch

from benchmarks.random_models import POCKET, random_codes
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.models.musicgen import MusicGenModel, load_musicgen
from store.records import SITES

LAYERS = tuple(range(POCKET.layers))
FRAMES = CaptureSpec(SITES, LAYERS, ("frames", "mean", "std"))
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest error allowed, as a share of the largest activation of the same array."""

CODES_AGREE = 0.995
"""Share of codes that must equal the CPU's; a distance near a tie may fall the other way."""


def oracle_lines(device: str, dtype: str) -> Iterator[str]:
    """One line for each oracle: what it measured, what is allowed, and "ok" or "FAILED"."""
    model = load_musicgen("pocket-random", device=device, dtype=dtype)
    reference = load_musicgen("pocket-random")
    codes = random_codes(POCKET, 6)
    texts = ["", "slow jazz", "rock", "slow jazz", "", "fast electronic music"]
    got = _captured(model, codes, texts)
    allowed = TOLERANCES[dtype]
    yield _line(dtype, "residual stream is the sum of its terms", _sum_error(got), 1e-6)
    yield _line(dtype, "mean of frames is mean", _error(got["resid.frames"].mean(2), got["resid.mean"]), 1e-5)
    yield _line(
        dtype, "agreement with float32 on the CPU", _worst(got, _captured(reference, codes, texts)), allowed
    )
    yield _line(dtype, "a clip alone against the batch", _alone_error(model, codes, texts, got), allowed)
    agree = (model.encode(_noise()).cpu() == reference.encode(_noise())).float().mean()
    yield _line(dtype, "codes that differ from the CPU's", 1 - float(agree), 1 - CODES_AGREE)


def _captured(model: MusicGenModel, codes: torch.Tensor, texts: list[str]) -> dict[str, torch.Tensor]:
    return {name: array.cpu() for name, array in forward_activations(model, codes, FRAMES, texts).items()}


def _sum_error(got: dict[str, torch.Tensor]) -> float:
    """The stream is float32 in every type, and so must its sum be exact in every type."""
    worst, stream = 0.0, got["embed.frames"][:, 0]
    for layer in LAYERS:
        terms = (got[f"{site}.frames"][:, layer] for site in ("attn", "xattn", "mlp"))
        worst = max(worst, _error(sum(terms, stream), got["resid.frames"][:, layer]))
        stream = got["resid.frames"][:, layer]
    return worst


def _alone_error(
    model: MusicGenModel, codes: torch.Tensor, texts: list[str], together: dict[str, torch.Tensor]
) -> float:
    alone = _captured(model, codes[1:2], texts[1:2])
    return _worst(alone, {name: array[1:2] for name, array in together.items()})


def _worst(got: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    return max(_error(got[name], expected[name]) for name in expected)


def _error(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got - expected).abs().max() / expected.abs().max())


def _noise() -> torch.Tensor:
    return 0.2 * torch.randn(4, 1, 64_000, generator=torch.Generator().manual_seed(0))


def _line(dtype: str, what: str, measured: float, allowed: float) -> str:
    verdict = "ok" if measured <= allowed else "FAILED"
    return f"- {dtype}: {what}: {measured:.1e} (allowed {allowed:.0e}) {verdict}"
