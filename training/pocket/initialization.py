"""Data-dependent initialisation: every convolution begins with outputs of unit deviation and zero mean.

With SEANet's own initialisation the time-varying part of the signal vanishes at this size, and training
sticks. Mishkin and Matas, "All you need is a good init" (ICLR 2016, arXiv:1511.06422).
"""

import torch
from torch import nn

CONVOLUTIONS = (nn.Conv1d, nn.ConvTranspose1d)
BRANCH_DEVIATION = 0.3
"""Of what a residual branch adds to its input at first."""
OUTPUT_DEVIATION = 0.1
"""Of the audio that the decoder begins with: about that of the clips."""


@torch.no_grad()
def initialize_from_data(
    module: nn.Module, batch: torch.Tensor, *, last_deviation: float = 1.0
) -> torch.Tensor:
    """Scale each convolution in the order of execution, and return what the module then makes of the batch.

    Args:
        module: A SEANet encoder or decoder; changed in place.
        batch: Its input, (B, channels, steps).
        last_deviation: That of the last convolution's output.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, CONVOLUTIONS)]
    branch_ends = _branch_ends(module)
    for layer in layers:
        nn.init.orthogonal_(layer.weight)
        if layer.bias is not None:
            layer.bias.zero_()
    for layer in layers:
        wanted = last_deviation if layer is layers[-1] else BRANCH_DEVIATION if layer in branch_ends else 1.0
        deviation, mean = _output_statistics(module, layer, batch)
        layer.weight.mul_(wanted / deviation)
        if layer.bias is not None:
            layer.bias.copy_(-mean * wanted / deviation)
    result: torch.Tensor = module(batch)
    return result


def _branch_ends(module: nn.Module) -> set[nn.Module]:
    from audiocraft.modules.seanet import SEANetResnetBlock

    blocks = (block for block in module.modules() if isinstance(block, SEANetResnetBlock))
    return {
        [layer for layer in block.block.modules() if isinstance(layer, CONVOLUTIONS)][-1] for block in blocks
    }


def _output_statistics(
    module: nn.Module, layer: nn.Module, batch: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Deviation of a layer's outputs around their channel's mean, and those means."""
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        module(batch)
    finally:
        handle.remove()
    mean = seen[0].mean(dim=(0, 2))
    return (seen[0] - mean[None, :, None]).square().mean().sqrt(), mean
