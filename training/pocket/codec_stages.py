"""Train the codec's codes: encoder, k-means codebooks, both together; then they are frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.pocket.configuration import CODEBOOK_SIZE, CODEBOOKS, codec_configuration
from pipelines.synthesis.streams import stream
from training.pocket.corpus import Corpus, open_corpus
from training.pocket.initialization import initialize_from_data
from training.pocket.loop import Losses, Stage, Surroundings, step_generator
from training.pocket.optimizers import descend, muon_and_adam
from training.pocket.quantizer import TrainedCodebooks, perplexity
from training.pocket.sketch import Sketch, named_distances, sketch_distances, total_distance
from training.pocket.workers import worker_count

COMMITMENT = 0.5


@dataclass(frozen=True, slots=True)
class CodecSettings:
    """How the codes are trained."""

    seed: int = 1
    encoder_steps: int = 7_000
    joint_steps: int = 5_000
    batch: int = 8
    """Of each worker."""
    crop_samples: int = 32_000
    muon_rate: float = 0.02
    adam_rate: float = 1.5e-3
    joint_share: float = 0.3
    """Of those rates with codebooks, which have to follow the encoder."""
    kmeans_latents: int = 20_000
    here: Surroundings = field(default_factory=Surroundings)


def build_codec(device: str = "cpu") -> Any:
    """Audiocraft's EnCodec of the pocket model's shape, untrained."""
    from omegaconf import OmegaConf

    from pipelines.models.audiocraft_import import quiet_construction

    with quiet_construction():
        from audiocraft.models.builders import get_compression_model

        return get_compression_model(OmegaConf.create({**codec_configuration(), "device": device}))


def train_encoder(_rank: int, folder: Path, corpus_folder: Path, settings: CodecSettings) -> None:
    """Stage one: the encoder learns what a spectrogram can be sketched from; leaves `encoder.pt`.

    Its start is the same in every worker.
    """
    corpus, encoder = open_corpus(corpus_folder, "train"), build_codec(settings.here.device).encoder
    torch.manual_seed(settings.seed)
    initialize_from_data(encoder, _crops(corpus, settings, stream(settings.seed, "start")))
    sketch = Sketch().to(settings.here.device)
    optimizers = _optimizers(encoder, sketch, settings, 1.0)

    def step(number: int) -> Losses:
        audio = _batch(corpus, settings, "encoder", number)
        distances = sketch_distances(sketch(encoder(audio)), audio[:, 0])
        descend(total_distance(distances), optimizers)
        return named_distances(distances)

    stage = Stage(
        "encoder",
        folder,
        settings.encoder_steps,
        {"encoder": encoder, "sketch": sketch},
        optimizers,
        settings.here.tell,
        final_share=settings.joint_share,
    )
    if not stage.resume():
        stage.run(step)


def train_jointly(_rank: int, folder: Path, corpus_folder: Path, settings: CodecSettings) -> None:
    """Stage two: k-means codebooks on the encoder's latents, then all together; leaves `joint.pt`."""
    corpus, encoder = open_corpus(corpus_folder, "train"), build_codec(settings.here.device).encoder
    sketch, codebooks = Sketch().to(settings.here.device), CodebookState(settings.here.device)
    saved = torch.load(folder / "encoder.pt", map_location=settings.here.device, weights_only=True)
    encoder.load_state_dict(saved["encoder"])
    sketch.load_state_dict(saved["sketch"])
    optimizers = _optimizers(encoder, sketch, settings, settings.joint_share)

    def step(number: int) -> Losses:
        torch.manual_seed(settings.seed + number)
        audio = _batch(corpus, settings, "joint", number)
        latent, codes, commitment = codebooks.books.quantize(encoder(audio), learn=True)
        distances = sketch_distances(sketch(latent), audio[:, 0])
        descend(total_distance(distances) + COMMITMENT * commitment, optimizers)
        used = perplexity(codes, CODEBOOK_SIZE)
        extra = {"commitment": float(commitment.detach()), "batch_perplexity": float(used.mean())}
        return {**named_distances(distances), **extra}

    stage = Stage(
        "joint",
        folder,
        settings.joint_steps,
        {"encoder": encoder, "sketch": sketch, "codebooks": codebooks},
        optimizers,
        settings.here.tell,
    )
    if stage.resume():
        return
    if not stage.done:
        codebooks.books = _kmeans_codebooks(encoder, corpus, settings)
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
def _kmeans_codebooks(encoder: torch.nn.Module, corpus: Corpus, settings: CodecSettings) -> TrainedCodebooks:
    """The same in every worker, as their encoders are."""
    latents: list[torch.Tensor] = []
    generator = stream(settings.seed, "k-means")
    while sum(map(len, latents)) < settings.kmeans_latents:
        crops = torch.from_numpy(corpus.crops(generator, batch=8, samples=settings.crop_samples))
        latents.append(encoder(crops.to(settings.here.device)).transpose(1, 2).flatten(0, 1))
    return TrainedCodebooks.from_kmeans(
        torch.cat(latents),
        codebooks=CODEBOOKS,
        size=CODEBOOK_SIZE,
        vectors_per_step=settings.batch * worker_count() * latents[0].shape[0] // 8,
        seed=settings.seed,
    )


def _batch(corpus: Corpus, settings: CodecSettings, stage: str, number: int) -> torch.Tensor:
    return _crops(corpus, settings, step_generator(settings.seed, stage, number))


def _crops(corpus: Corpus, settings: CodecSettings, generator: np.random.Generator) -> torch.Tensor:
    crops = corpus.crops(generator, batch=settings.batch, samples=settings.crop_samples)
    return torch.from_numpy(crops).to(settings.here.device)


def _optimizers(
    encoder: torch.nn.Module, sketch: torch.nn.Module, settings: CodecSettings, share: float
) -> Mapping[str, torch.optim.Optimizer]:
    return muon_and_adam(
        [*encoder.parameters(), *sketch.parameters()],
        inside=(encoder, sketch),
        muon_rate=share * settings.muon_rate,
        adam_rate=share * settings.adam_rate,
    )
