"""Sample tokens with noise that belongs to a generation, not to the batch it is made in.

A token is where log p + g is largest, g being of a standard Gumbel distribution: that draws from p (Gumbel
1954), and where two generations share g, as a steered one and its unsteered twin do, they agree about as
often as their distributions allow. g of decoder step s and codebook k comes from the counter-based generator
Philox, its key being the generation's random state and its counter a function of s and k. Step s is the
place of the delayed sequence that is being filled: 0 holds the start token, so that the first token chosen
has s = 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from store.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BLOCK_STEPS = 8
"""Noise is drawn for so many steps at once; a part of what a random state means."""
SMALLEST = np.float32(2.0**-25)
MAX_RANDOM_STATE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; the defaults are audiocraft's."""

    guidance: float = 3.0
    """Of classifier-free guidance: logits are u + guidance · (c − u). At 1 the rows without conditions are
    not computed."""
    temperature: float = 1.0
    top_k: int = 250
    """Choose among the k most probable tokens; 0 for all, 1 for the most probable without noise."""
    top_p: float = 0.0
    """Instead, among the most probable tokens that together have this probability; 0 to leave it to top_k."""

    def __post_init__(self) -> None:
        numbers = (self.guidance, self.temperature, self.top_p)
        if not all(map(math.isfinite, numbers)) or self.temperature < 0 or self.top_k < 0:
            raise InvalidInput(
                f"Sampling with guidance {self.guidance}, temperature {self.temperature}, top_k "
                f"{self.top_k}: all must be finite, temperature and top_k not negative."
            )
        if not 0 <= self.top_p <= 1:
            raise InvalidInput(f"top_p {self.top_p} is no probability: choose from 0 (off) to 1.")

    @property
    def greedy(self) -> bool:
        """Whether tokens are chosen without noise."""
        return self.temperature == 0 or (self.top_k == 1 and self.top_p == 0)


class GumbelNoise:
    """The noise of several generations, step by step."""

    def __init__(
        self, random_states: Sequence[int], *, codebooks: int, vocabulary: int, device: torch.device
    ) -> None:
        self._random_states = random_states
        self._shape = (BLOCK_STEPS, codebooks, vocabulary)
        self._device = device
        self._block = -1
        self._noise = torch.empty(0)

    def at(self, step: int) -> torch.Tensor:
        """Noise (B, K, V) of the step that is being filled, the start token being step 0."""
        block, place = divmod(step, BLOCK_STEPS)
        if block != self._block:
            drawn = np.stack([self._draw(state, block) for state in self._random_states])
            self._noise = torch.from_numpy(drawn).to(self._device, non_blocking=True)
            self._block = block
        return self._noise[:, place]

    def _draw(self, random_state: int, block: int) -> NDArray[np.float32]:
        philox = np.random.Philox(key=random_state, counter=[0, 0, 0, block])
        uniform = np.random.Generator(philox).random(self._shape, dtype=np.float32)
        np.maximum(uniform, SMALLEST, out=uniform)
        gumbel: NDArray[np.float32] = -np.log(-np.log(uniform))
        return gumbel


def choose_tokens(logits: torch.Tensor, sampling: Sampling, noise: torch.Tensor | None) -> torch.Tensor:
    """Tokens (B, K) from logits (B, K, V); `noise` (B, K, V) may be None where `sampling` is greedy."""
    if sampling.greedy or noise is None:
        return logits.argmax(dim=-1)
    scores = logits.float() / sampling.temperature
    return (_kept(scores, sampling) + noise).argmax(dim=-1)


def _kept(scores: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Scores with those of the tokens that are not to be chosen at −∞."""
    if sampling.top_p > 0:
        return _nucleus(scores, sampling.top_p)
    if 0 < sampling.top_k < scores.shape[-1]:
        least = scores.topk(sampling.top_k, dim=-1, sorted=False).values.amin(dim=-1, keepdim=True)
        return scores.masked_fill(scores < least, -math.inf)
    return scores


def _nucleus(scores: torch.Tensor, top_p: float) -> torch.Tensor:
    """A token stays while those more probable than it do not reach `top_p` (Holtzman et al. 2020)."""
    probabilities, order = scores.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    dropped = probabilities.cumsum(dim=-1) - probabilities > top_p
    return scores.masked_fill(torch.zeros_like(dropped).scatter(-1, order, dropped), -math.inf)
