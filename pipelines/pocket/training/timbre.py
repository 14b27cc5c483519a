"""Perceptual loss: distance of original and reconstruction in the features of a recognizer."""

import torch
from torch.nn import functional

from pipelines.pocket.training.recognizer import Recognizer, features_of


def timbre_distance(listener: Recognizer, original: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Relative L1 distance of a recognizer's layers, for audio (B, samples).

    After Johnson et al. 2016, arXiv:1603.08155.
    """
    with torch.no_grad():
        wanted = listener.maps(features_of(original))
    distances = [
        (want - map_).abs().mean() / want.abs().mean()
        for want, map_ in zip(wanted, listener.maps(features_of(made)), strict=True)
    ]
    return torch.stack(distances).mean()


def conclusion_distance(listener: Recognizer, original: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of what a recognizer concludes, summed over concepts.

    Of audio (B, samples), which should be seconds long, as what the recognizer has learned from.
    """
    with torch.no_grad():
        wanted = listener(features_of(original))
    heard = listener(features_of(made))
    divergences = [
        functional.kl_div(
            heard[concept].log_softmax(1),
            wanted[concept].log_softmax(1),
            reduction="batchmean",
            log_target=True,
        )
        for concept in wanted
    ]
    return torch.stack(divergences).sum()
