"""Muon: torch's for matrices, the same for convolutions, and which weights it is given."""

from collections.abc import Iterable

import pytest
import torch
from torch import nn

from training.pocket import optimizers
from training.pocket.optimizers import Muon, descend, hidden_matrices, muon_and_adam


def test_a_convolution_of_one_sample_learns_as_the_linear_layer_it_is() -> None:
    torch.manual_seed(0)
    linear, convolution = nn.Linear(6, 4, bias=False), nn.Conv1d(3, 4, 2, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(linear.weight.view(4, 3, 2))
    torch_muon = torch.optim.Muon(linear.parameters(), 0.02, weight_decay=0.1)
    muon = Muon([convolution.weight], 0.02, decay=0.1)
    for _ in range(3):
        inputs = torch.randn(5, 6)
        for module, batch, optimizer in (
            (linear, inputs, torch_muon),
            (convolution, inputs.view(5, 3, 2), muon),
        ):
            optimizer.zero_grad()
            module(batch).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(convolution.weight.view(4, 6), linear.weight)


def test_a_step_turns_every_direction_of_the_weights_equally_far() -> None:
    torch.manual_seed(0)
    convolution = nn.ConvTranspose1d(8, 4, 6, bias=False)
    before = convolution.weight.detach().clone()
    muon = Muon([convolution.weight], 0.5)
    convolution(torch.randn(2, 8, 9)).square().mean().backward()
    muon.step()
    turned = torch.linalg.svdvals((convolution.weight.detach() - before).view(8, -1)) / 0.5
    assert turned.min() > 0.5
    assert turned.max() < 1.4


@pytest.fixture
def network() -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "embedding": nn.Embedding(5, 8),
            "attention": nn.MultiheadAttention(8, 2),
            "norm": nn.LayerNorm(8),
            "convolution": nn.Conv1d(8, 8, 3),
        }
    )


def test_embeddings_norms_and_biases_are_left_to_adam(network: nn.ModuleDict) -> None:
    made = muon_and_adam(network.parameters(), inside=[network], muon_rate=0.02, adam_rate=1e-3, decay=0.1)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    muon = {names[id(matrix)] for matrix in hidden_matrices(network)}
    assert muon == {"attention.out_proj.weight", "convolution.weight"}
    decayed, plain = made["adam"].param_groups
    assert [names[id(one)] for one in decayed["params"]] == ["embedding.weight", "attention.in_proj_weight"]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    (matrices,) = made["muon"].param_groups
    assert (matrices["lr"], matrices["weight_decay"], decayed["lr"]) == (0.02, 0.1, 1e-3)
    assert muon | {names[id(one)] for group in (decayed, plain) for one in group["params"]} == set(
        names.values()
    )


def test_a_long_gradient_is_shortened_for_all_optimizers_together() -> None:
    network = nn.Linear(2, 2)
    both = {
        "one": torch.optim.SGD([network.weight], 1.0),
        "other": torch.optim.SGD([network.bias], 1.0),
    }
    before = [one.detach().clone() for one in network.parameters()]
    descend(1e6 * network(torch.ones(1, 2)).sum(), both, largest_gradient=0.5)
    moved = torch.cat([(one - old).flatten() for one, old in zip(network.parameters(), before, strict=True)])
    assert float(moved.detach().norm()) == pytest.approx(0.5, rel=1e-4)


def test_a_step_follows_what_the_workers_gradients_average_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def averaged(parameters: Iterable[torch.Tensor]) -> None:
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, 0.25)

    monkeypatch.setattr(optimizers, "average_gradients", averaged)
    weight = nn.Parameter(torch.zeros(2))
    optimizers.descend((weight * 7).sum(), {"sgd": torch.optim.SGD([weight], 1.0)})
    torch.testing.assert_close(weight.detach(), torch.tensor([-0.25, -0.25]))
