"""Tokens are drawn from the distribution that is asked for, with noise of their own."""

import numpy as np
import pytest
import torch

from pipelines.generation.sampling import BLOCK_STEPS, GumbelNoise, Sampling, choose_tokens
from store.errors import InvalidInput

CPU = torch.device("cpu")
LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -3.0])


def noise(*random_states: int, codebooks: int = 2, vocabulary: int = 6) -> GumbelNoise:
    return GumbelNoise(random_states, codebooks=codebooks, vocabulary=vocabulary, device=CPU)


def drawn(sampling: Sampling, *, draws: int = 20_000) -> torch.Tensor:
    """How often each token is chosen."""
    source = noise(3, codebooks=draws // 40)
    logits = LOGITS.expand(1, draws // 40, -1)
    tokens = torch.cat([choose_tokens(logits, sampling, source.at(step)) for step in range(40)])
    return torch.bincount(tokens.flatten(), minlength=6) / draws


def softmax(temperature: float, *, kept: int) -> torch.Tensor:
    return torch.nn.functional.pad((LOGITS[:kept] / temperature).softmax(0), (0, 6 - kept))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_their_probability(temperature: float) -> None:
    frequencies = drawn(Sampling(temperature=temperature, top_k=0))
    assert torch.allclose(frequencies, softmax(temperature, kept=6), atol=0.012)


def test_top_k_leaves_the_k_most_probable() -> None:
    assert torch.allclose(drawn(Sampling(top_k=3)), softmax(1.0, kept=3), atol=0.012)


def test_top_p_leaves_the_fewest_that_together_reach_p() -> None:
    cumulative = LOGITS.softmax(0).cumsum(0)
    assert cumulative[1] < 0.85 < cumulative[2]
    assert torch.allclose(drawn(Sampling(top_p=0.85)), softmax(1.0, kept=3), atol=0.012)


@pytest.mark.parametrize("sampling", [Sampling(top_k=1), Sampling(temperature=0.0)])
def test_greedy_choice_needs_no_noise(sampling: Sampling) -> None:
    logits = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(choose_tokens(logits, sampling, None), logits.argmax(-1))


def test_noise_belongs_to_random_state_step_and_codebook_and_not_to_the_batch() -> None:
    alone, together = noise(7), noise(3, 7, 11)
    for step in (0, 1, BLOCK_STEPS, 5 * BLOCK_STEPS + 3):
        assert torch.equal(alone.at(step)[0], together.at(step)[1])
    assert torch.equal(noise(7).at(29), alone.at(29))  # whatever was asked for before
    table = torch.stack([noise(state).at(step)[0] for state in (7, 8) for step in range(2 * BLOCK_STEPS)])
    assert len(torch.unique(table.reshape(-1, 6), dim=0)) == 2 * 2 * BLOCK_STEPS * 2


def test_noise_is_of_the_standard_gumbel_distribution() -> None:
    values = np.sort(noise(5, codebooks=50, vocabulary=1000).at(0).numpy().ravel())
    expected = np.exp(-np.exp(-values))
    assert np.isfinite(values).all()
    assert np.abs(expected - np.arange(len(values)) / len(values)).max() < 1.9 / np.sqrt(len(values))


def test_two_generations_that_share_noise_agree_where_their_distributions_do() -> None:
    other = LOGITS + torch.tensor([0.1, 0.0, -0.1, 0.0, 0.1, 0.0])
    source = noise(5, codebooks=20_000)
    first = choose_tokens(LOGITS.expand(1, 20_000, -1), Sampling(top_k=0), source.at(0))
    second = choose_tokens(other.expand(1, 20_000, -1), Sampling(top_k=0), source.at(0))
    distance = (LOGITS.softmax(0) - other.softmax(0)).abs().sum().item() / 2
    assert (first != second).float().mean().item() < 2 * distance + 0.005


@pytest.mark.parametrize(
    "options",
    [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 1.5}, {"guidance": float("nan")}],
)
def test_impossible_sampling_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        Sampling(**options)  # type: ignore[arg-type]
