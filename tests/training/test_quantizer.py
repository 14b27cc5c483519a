"""Trained codebooks: dead codes come back, and audiocraft's quantizer gives the same codes."""

import pytest
import torch

from training.pocket.quantizer import TrainedCodebooks, perplexity


@pytest.fixture
def latents() -> torch.Tensor:
    """64 clusters in 8 dimensions."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(64, 8, generator=generator) * 4
    return (centres[:, None] + 0.3 * torch.randn(64, 40, 8, generator=generator)).flatten(0, 1)


def trained(latents: torch.Tensor) -> TrainedCodebooks:
    return TrainedCodebooks.from_kmeans(latents, codebooks=2, size=64, vectors_per_step=200, seed=0)


def test_kmeans_finds_the_clusters(latents: torch.Tensor) -> None:
    quantized, codes, _ = trained(latents).quantize(latents.T[None])
    assert perplexity(codes, 64)[0] > 55
    assert (quantized[0].T - latents).square().mean() < 0.3 * latents.square().mean() * 0.1


def test_a_dead_code_is_used_again_and_stays_alive(latents: torch.Tensor) -> None:
    torch.manual_seed(0)
    books = trained(latents)
    books.vectors[0, :32], books.counts[0, :32], books.sums[0, :32] = 1e3, 1e-4, 0.0
    before = perplexity(books.quantize(latents.T[None])[1], 64)[0]
    for step in range(100):
        rows = torch.randint(len(latents), (200,), generator=torch.Generator().manual_seed(step))
        books.quantize(latents[rows].T[None], learn=True)
    assert before < 33
    assert perplexity(books.quantize(latents.T[None])[1], 64)[0] > 50


def test_gradients_pass_straight_through(latents: torch.Tensor) -> None:
    latent = latents[:50].T[None].clone().requires_grad_()
    trained(latents).quantize(latent)[0].sum().backward()
    torch.testing.assert_close(latent.grad, torch.ones_like(latent))


def test_audiocrafts_quantizer_gives_the_same_codes(latents: torch.Tensor) -> None:
    from pipelines.models.audiocraft_import import import_audiocraft

    import_audiocraft()
    from audiocraft.quantization import ResidualVectorQuantizer

    books = trained(latents)
    quantizer = ResidualVectorQuantizer(dimension=8, n_q=2, bins=64).eval()
    books.write_into(quantizer)
    quantized, codes, _ = books.quantize(latents.T[None])
    torch.testing.assert_close(quantizer.encode(latents.T[None]), codes, rtol=0, atol=0)
    torch.testing.assert_close(quantizer.decode(codes), quantized)


def test_perplexity_counts_equally_used_codes() -> None:
    codes = torch.arange(8).repeat(4)[None, None]
    assert perplexity(codes, 64)[0] == pytest.approx(8.0)
