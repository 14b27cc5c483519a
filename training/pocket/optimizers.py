"""Optimizers: Muon for linear layers and convolutions, AdamW for everything else."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import nn

from training.pocket.workers import average_gradients


class Muon(torch.optim.Muon):
    """Torch's Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon), for convolutions too.

    A convolution's weights are a matrix whose rows are its first axis: outputs of a plain one, inputs of a
    transposed one, which both map one place to a row. The matrices share the weights' memory: move a module
    to its device first, and change its weights in place.
    """

    def __init__(self, weights: Iterable[torch.Tensor], rate: float, *, decay: float = 0.0) -> None:
        self._weights = list(weights)
        matrices = [nn.Parameter(weight.detach().view(len(weight), -1)) for weight in self._weights]
        super().__init__(matrices, rate, weight_decay=decay)

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT002 — torch's signature
        """Of the weights themselves, which gradients come to."""
        for weight in self._weights:
            weight.grad = None

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """From the weights' gradients."""
        for matrix, weight in zip(self.param_groups[0]["params"], self._weights, strict=True):
            matrix.grad = None if weight.grad is None else weight.grad.reshape(matrix.shape)
        super().step(closure)  # type: ignore[no-untyped-call]

    @property
    def weights(self) -> Sequence[torch.Tensor]:
        """What is optimised, in its own shapes."""
        return self._weights


def muon_and_adam(
    parameters: Iterable[torch.Tensor],
    *,
    inside: Iterable[nn.Module],
    muon_rate: float,
    adam_rate: float,
    betas: tuple[float, float] = (0.8, 0.99),
    decay: float = 0.0,
) -> Mapping[str, torch.optim.Optimizer]:
    """Muon for the matrices inside some modules, AdamW for all other parameters.

    Weights decay in both, where they are matrices or embeddings.
    """
    matrices = [matrix for module in inside for matrix in hidden_matrices(module)]
    taken = set(matrices)
    left = [one for one in parameters if one not in taken]
    groups = [
        {"params": [one for one in left if one.ndim > 1], "weight_decay": decay},
        {"params": [one for one in left if one.ndim < 2], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW([group for group in groups if group["params"]], adam_rate, betas=betas)
    return {"muon": Muon(matrices, muon_rate, decay=decay), "adam": adam}


def hidden_matrices(module: nn.Module) -> Iterator[torch.Tensor]:
    """Weights of linear layers and convolutions.

    Not those of embeddings, which nothing is multiplied by, nor what attention keeps as bare parameters.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d):
            yield layer.weight


def descend(
    loss: torch.Tensor, optimizers: Mapping[str, torch.optim.Optimizer], *, largest_gradient: float = 1.0
) -> None:
    """One step of all optimizers, with gradients averaged over the workers and of limited length."""
    for optimizer in optimizers.values():
        optimizer.zero_grad()
    loss.backward()
    parameters = [parameter for optimizer in optimizers.values() for parameter in optimized(optimizer)]
    average_gradients(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, largest_gradient)
    for optimizer in optimizers.values():
        optimizer.step()


def optimized(optimizer: torch.optim.Optimizer) -> Sequence[torch.Tensor]:
    """The parameters that an optimizer changes, as their module holds them."""
    if isinstance(optimizer, Muon):
        return optimizer.weights
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
