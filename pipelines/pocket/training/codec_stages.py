"""The codec's stages: a plain autoencoder, k-means codebooks, both together; then its codes are frozen."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from pipelines.pocket.configuration import CODEBOOK_SIZE, CODEBOOKS, codec_configuration
from pipelines.pocket.training.corpus import Corpus, open_corpus
from pipelines.pocket.training.initialization import OUTPUT_DEVIATION, initialize_from_data
from pipelines.pocket.training.loop import Losses, Stage, Surroundings, step_generator
from pipelines.pocket.training.quantizer import TrainedCodebooks, perplexity
from pipelines.pocket.training.recognizer import Recognizer
from pipelines.pocket.training.reconstruction import ReconstructionWeights, reconstruction_loss
from pipelines.pocket.training.timbre import timbre_distance
from pipelines.pocket.training.workers import average_gradients, worker_count

COMMITMENT = 0.5


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """How the codec is trained."""

    seed: int = 1
    autoencoder_steps: int = 12_000
    joint_steps: int = 20_000
    batch: int = 2
    """Of each worker."""
    crop_samples: int = 12_000
    learning_rate: float = 1.2e-3
    joint_learning_rate: float = 5e-4
    """Lower, so that the codebooks can follow the encoder."""
    kmeans_latents: int = 20_000
    weights: ReconstructionWeights = field(default_factory=ReconstructionWeights)
    waveform_steps: int = 6_000
    """Of the autoencoder, in which the waveform's distance fades and that of timbre comes in: phases give the
    decoder a start, but the codes have too few bits for them."""
    timbre: float = 0.75
    """Weight of the distance between what a recognizer's layers make of original and reconstruction."""
    here: Surroundings = field(default_factory=Surroundings)


def build_codec(device: str = "cpu") -> Any:
    """Audiocraft's EnCodec of the pocket model's shape, untrained."""
    from omegaconf import OmegaConf

    from pipelines.audiocraft_import import quiet_construction

    with quiet_construction():
        from audiocraft.models.builders import get_compression_model

        return get_compression_model(OmegaConf.create({**codec_configuration(), "device": device}))


def train_autoencoder(
    _rank: int, folder: Path, corpus_folder: Path, listener: Recognizer, settings: CodecSettings
) -> None:
    """Stage one: encoder and decoder without a bottleneck; leaves `autoencoder.pt`."""
    corpus, codec = open_corpus(corpus_folder, "train"), build_codec(settings.here.device)
    listener = listener.to(settings.here.device).requires_grad_(requires_grad=False)
    torch.manual_seed(settings.seed)
    start = _batch(corpus, settings, "start", 0)
    latent = initialize_from_data(codec.encoder, start)
    initialize_from_data(codec.decoder, latent, last_deviation=OUTPUT_DEVIATION)
    parameters = [*codec.encoder.parameters(), *codec.decoder.parameters()]
    optimizer = _optimizer(parameters, settings)

    def step(number: int) -> Losses:
        audio = _batch(corpus, settings, "autoencoder", number)
        made = codec.decoder(codec.encoder(audio))
        heard = min(1.0, number / settings.waveform_steps)
        loss, parts = _distance(listener, made[:, 0], audio[:, 0], settings, heard=heard)
        _update(loss, parameters, optimizer)
        return parts

    stage = Stage(
        "autoencoder",
        folder,
        settings.autoencoder_steps,
        {"encoder": codec.encoder, "decoder": codec.decoder},
        {"optimizer": optimizer},
        settings.learning_rate,
        settings.here.tell,
        final_share=0.5,
    )
    if not stage.resume():
        stage.run(step)


def train_jointly(
    _rank: int, folder: Path, corpus_folder: Path, listener: Recognizer, settings: CodecSettings
) -> None:
    """Stage two: k-means codebooks on the autoencoder's latents, then all together; leaves `joint.pt`."""
    corpus, codec = open_corpus(corpus_folder, "train"), build_codec(settings.here.device)
    listener = listener.to(settings.here.device).requires_grad_(requires_grad=False)
    saved = torch.load(folder / "autoencoder.pt", map_location=settings.here.device, weights_only=True)
    codec.encoder.load_state_dict(saved["encoder"])
    codec.decoder.load_state_dict(saved["decoder"])
    parameters = [*codec.encoder.parameters(), *codec.decoder.parameters()]
    optimizer = _optimizer(parameters, settings)
    codebooks = CodebookState(settings.here.device)

    def step(number: int) -> Losses:
        torch.manual_seed(settings.seed + number)
        audio = _batch(corpus, settings, "joint", number)
        latent, codes, commitment = codebooks.books.quantize(codec.encoder(audio), learn=True)
        made = codec.decoder(latent)
        loss, parts = _distance(listener, made[:, 0], audio[:, 0], settings)
        _update(loss + COMMITMENT * commitment, parameters, optimizer)
        used = perplexity(codes, CODEBOOK_SIZE)
        return {**parts, "commitment": float(commitment.detach()), "batch_perplexity": float(used.mean())}

    stage = Stage(
        "joint",
        folder,
        settings.joint_steps,
        {"encoder": codec.encoder, "decoder": codec.decoder, "codebooks": codebooks},
        {"optimizer": optimizer},
        settings.joint_learning_rate,
        settings.here.tell,
    )
    if stage.resume():
        return
    if not stage.done:
        codebooks.books = _kmeans_codebooks(codec, corpus, settings)
    stage.run(step)


class CodebookState:
    """Holds the codebooks, and keeps them in checkpoints."""

    books: TrainedCodebooks

    def __init__(self, device: str) -> None:
        self._device = device

    def state_dict(self) -> dict[str, Any]:
        """Tensors by name."""
        return self.books.state()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.books = TrainedCodebooks(**{name: tensor.to(self._device) for name, tensor in state.items()})


@torch.no_grad()
def _kmeans_codebooks(codec: Any, corpus: Corpus, settings: CodecSettings) -> TrainedCodebooks:
    """The same in every worker, as their codecs are."""
    latents: list[torch.Tensor] = []
    from pipelines.synthesis.streams import stream

    generator = stream(settings.seed, "k-means")
    while sum(map(len, latents)) < settings.kmeans_latents:
        crops = torch.from_numpy(corpus.crops(generator, batch=8, samples=settings.crop_samples))
        latents.append(codec.encoder(crops.to(settings.here.device)).transpose(1, 2).flatten(0, 1))
    return TrainedCodebooks.from_kmeans(
        torch.cat(latents),
        codebooks=CODEBOOKS,
        size=CODEBOOK_SIZE,
        vectors_per_step=settings.batch * worker_count() * latents[0].shape[0] // 8,
        seed=settings.seed,
    )


def _distance(
    listener: Recognizer,
    made: torch.Tensor,
    original: torch.Tensor,
    settings: CodecSettings,
    *,
    heard: float = 1.0,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Spectra, and of waveform and timbre a mixture in which timbre has the share `heard`."""
    weights = replace(settings.weights, waveform=1.0 - heard)
    loss, parts = reconstruction_loss(made, original, weights)
    timbre = timbre_distance(listener, original, made)
    return loss + heard * settings.timbre * timbre, {**parts, "timbre": float(timbre.detach())}


def _batch(corpus: Corpus, settings: CodecSettings, stage: str, number: int) -> torch.Tensor:
    generator = step_generator(settings.seed, stage, number)
    crops = corpus.crops(generator, batch=settings.batch, samples=settings.crop_samples)
    return torch.from_numpy(crops).to(settings.here.device)


def _optimizer(parameters: list[torch.nn.Parameter], settings: CodecSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, settings.learning_rate, betas=(0.8, 0.99), weight_decay=1e-4)


def _update(
    loss: torch.Tensor, parameters: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer
) -> None:
    optimizer.zero_grad()
    loss.backward()
    average_gradients(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
