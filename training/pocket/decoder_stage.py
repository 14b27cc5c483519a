"""Train the codec's decoder on frozen codes.

Multi-scale mel distance as in EnCodec (Défossez et al. 2022, arXiv:2210.13438) and DAC (Kumar et al. 2023,
arXiv:2306.06546).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from training.pocket.codec_stages import CodebookState, build_codec
from training.pocket.corpus import open_corpus
from training.pocket.discriminators import (
    Discriminators,
    deception_loss,
    discriminator_loss,
    feature_distance,
)
from training.pocket.initialization import OUTPUT_DEVIATION, initialize_from_data
from training.pocket.loop import Losses, Stage, Surroundings, step_generator
from training.pocket.optimizers import descend, muon_and_adam
from training.pocket.recognizer import Recognizer, features_of
from training.pocket.spectra import magnitudes, mel_spectrum

# STFT size and mel bands; the hop is a quarter of the size.
SCALES = ((2048, 128), (1024, 80), (512, 40), (256, 20))
FLOOR = 1e-4
"""Added to mel magnitudes before the logarithm: what is much weaker is noise."""


@dataclass(frozen=True, slots=True)
class ReconstructionWeights:
    """How much each distance counts."""

    log_mel: float = 1.0
    magnitude: float = 0.5


def reconstruction_loss(
    made: torch.Tensor, original: torch.Tensor, weights: ReconstructionWeights
) -> tuple[torch.Tensor, dict[str, float]]:
    """Weighted sum and its parts, of audio (B, samples)."""
    log_distance, distance = zip(
        *(_distances(made, original, size, bands) for size, bands in SCALES), strict=True
    )
    parts = {
        "log_mel": torch.stack(log_distance).mean(),
        "magnitude": torch.stack(distance).mean(),
    }
    total = sum((getattr(weights, name) * part for name, part in parts.items()), torch.zeros(()))
    return total, {name: float(part.detach()) for name, part in parts.items()}


def _distances(
    made: torch.Tensor, original: torch.Tensor, size: int, bands: int
) -> tuple[torch.Tensor, torch.Tensor]:
    spectra = [magnitudes(audio, size=size, hop=size // 4) for audio in (made, original)]
    mels = [mel_spectrum(spectrum, bands=bands) for spectrum in spectra]
    logs = [torch.log(mel + FLOOR) for mel in mels]
    relative = (spectra[0] - spectra[1]).abs().sum() / spectra[1].sum()
    return (logs[0] - logs[1]).abs().mean(), relative


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


@dataclass(frozen=True, slots=True)
class DecoderSettings:
    """How the decoder is trained: first by spectra alone, then also by a recognizer and discriminators."""

    seed: int = 2
    steps: int = 5_500
    batch: int = 8
    adversarial_from: int = 4_200
    """Step at which the discriminators begin to learn."""
    deceive_from: int = 4_350
    """Step from which their opinion counts."""
    critic_every: int = 2
    """The discriminators learn in one of so many steps."""
    crop_samples: int = 16_000
    muon_rate: float = 0.02
    adam_rate: float = 1.5e-3
    discriminator_rate: float = 4e-4
    weights: ReconstructionWeights = field(default_factory=ReconstructionWeights)
    deception: float = 0.1
    features: float = 0.3
    listener_from: int = 4_200
    """Step from which a recognizer counts: while the rate is high, the decoder learns to deceive it."""
    timbre: float = 0.5
    """Weight of the distance between what a recognizer's layers make of original and reconstruction."""
    conclusions: float = 0.02
    """Weight of the distance between what it concludes of them."""
    here: Surroundings = field(default_factory=Surroundings)


def frozen_codec(folder: Path, device: str = "cpu") -> tuple[Any, CodebookState]:
    """Encoder and codebooks of the joint stage, and a decoder that has learned nothing yet."""
    codec, codebooks = build_codec(device), CodebookState(device)
    saved = torch.load(folder / "joint.pt", map_location=device, weights_only=True)
    codec.encoder.load_state_dict(saved["encoder"])
    codebooks.load_state_dict(saved["codebooks"])
    codebooks.books.write_into(codec.quantizer)
    codec.encoder.requires_grad_(requires_grad=False).eval()
    codec.quantizer.eval()
    return codec, codebooks


def finished_codec(folder: Path) -> Any:
    """The codec with the decoder as its own stage left it, or as far as it has come."""
    codec, _ = frozen_codec(folder)
    saved = torch.load(folder / "decoder.pt", map_location="cpu", weights_only=True)
    codec.decoder.load_state_dict(saved["decoder"])
    return codec.eval()


def train_decoder(folder: Path, corpus_folder: Path, listener: Recognizer, settings: DecoderSettings) -> None:
    """Leaves `decoder.pt`; the listener, which hears timbre, stays as it is."""
    corpus = open_corpus(corpus_folder, "train")
    codec, _ = frozen_codec(folder, settings.here.device)
    torch.manual_seed(settings.seed)
    listener = listener.to(settings.here.device).requires_grad_(requires_grad=False)
    decoder, discriminators = codec.decoder, Discriminators().to(settings.here.device)
    optimizers = muon_and_adam(
        decoder.parameters(), inside=[decoder], muon_rate=settings.muon_rate, adam_rate=settings.adam_rate
    )
    critic = torch.optim.AdamW(
        discriminators.parameters(), settings.discriminator_rate, betas=(0.8, 0.99), weight_decay=0.01
    )
    critic_losses = [2.0]

    def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = step_generator(settings.seed, "decoder", number)
        crops = corpus.crops(generator, batch=settings.batch, samples=settings.crop_samples)
        audio = torch.from_numpy(crops).to(settings.here.device)
        with torch.no_grad():
            return audio, codec.quantizer.decode(codec.encode(audio)[0])

    def step(number: int) -> Losses:
        adversarial = number >= settings.adversarial_from
        audio, latent = batch(number)
        made, original = decoder(latent)[:, 0], audio[:, 0]
        loss, losses = reconstruction_loss(made, original, settings.weights)
        with torch.set_grad_enabled(number >= settings.listener_from):
            timbre = timbre_distance(listener, original, made)
            concluded = conclusion_distance(listener, original, made)
        loss = loss + settings.timbre * timbre + settings.conclusions * concluded
        losses |= {"timbre": float(timbre.detach()), "conclusions": float(concluded.detach())}
        if adversarial and number % settings.critic_every == 0:
            critic_losses[0] = _train_critic(discriminators, critic, original, made.detach())
        if number >= settings.deceive_from:
            matching, deceiving = _opinions(discriminators, original, made)
            loss = loss + settings.features * matching + settings.deception * deceiving
            losses |= {"features": float(matching.detach()), "deception": float(deceiving.detach())}
        descend(loss, optimizers)
        return {"features": 0.0, "deception": 0.0, **losses, "critic": critic_losses[0]}

    stage = Stage(
        "decoder",
        folder,
        settings.steps,
        {"decoder": decoder, "discriminators": discriminators, "critic": critic},
        optimizers,
        settings.here.tell,
    )
    if stage.resume():
        return
    if not stage.done:
        initialize_from_data(decoder, batch(0)[1], last_deviation=OUTPUT_DEVIATION)
    stage.run(step)


def _opinions(
    discriminators: Discriminators, original: torch.Tensor, made: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Feature distance and deception loss of what was made."""
    discriminators.requires_grad_(requires_grad=False)
    judgements = discriminators(made)
    with torch.no_grad():
        real = discriminators(original)
    discriminators.requires_grad_(requires_grad=True)
    return feature_distance(real, judgements), deception_loss(judgements)


def _train_critic(
    discriminators: Discriminators,
    critic: torch.optim.Optimizer,
    original: torch.Tensor,
    made: torch.Tensor,
) -> float:
    loss = discriminator_loss(discriminators(original), discriminators(made))
    critic.zero_grad()
    loss.backward()
    critic.step()
    return float(loss.detach())
