"""Train the language model and its text encoder on the frozen codec's codes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pipelines.acceleration.matrix_products import fast_products
from pipelines.pocket.configuration import CODEBOOKS, TEXT_WIDTH, language_model_configuration
from pipelines.pocket.text_encoder import write_text_encoder
from training.pocket.captions import draw_caption
from training.pocket.coded_clips import CodedClips
from training.pocket.loop import Losses, Stage, Surroundings, step_generator
from training.pocket.optimizers import descend, muon_and_adam


@dataclass(frozen=True, slots=True)
class LanguageSettings:
    """How the language model is trained."""

    seed: int = 3
    steps: int = 9_000
    batch: int = 16
    muon_rate: float = 0.02
    """Of the blocks' linear layers."""
    adam_rate: float = 1e-3
    """Of the rest: attention's input projections, embeddings, output heads, norms, the text encoder."""
    long_every: int = 8
    """One batch in so many has half as many clips of twice the length, so that longer music can be made."""
    text_dropout: float = 0.2
    """Share of the clips that come without their caption, for classifier-free guidance."""
    weight_decay: float = 0.05
    here: Surroundings = field(default_factory=Surroundings)


def build_language_model(folder: Path, device: str = "cpu") -> Any:
    """Audiocraft's language model of the pocket's shape, untrained, with the text encoder in `folder`/t5."""
    from omegaconf import OmegaConf

    from pipelines.models.audiocraft_import import quiet_construction, register_text_encoder

    text_encoder = folder / "t5"
    with quiet_construction():
        from audiocraft.models.builders import get_lm_model

        if not (text_encoder / "config.json").exists():
            text_encoder.mkdir(parents=True, exist_ok=True)
            write_text_encoder(text_encoder)
        register_text_encoder(str(text_encoder), TEXT_WIDTH)
        configuration = language_model_configuration()
        configuration["conditioners"]["description"]["t5"]["name"] = str(text_encoder)
        return get_lm_model(OmegaConf.create({**configuration, "device": device, "dtype": "float32"}))


def start_language_model(model: Any, seed: int) -> None:
    """Random weights: audiocraft's own, but embeddings that the position's sines do not drown."""
    torch.manual_seed(seed)
    model._init_weights("gaussian", "current", zero_bias_init=True)  # noqa: SLF001
    for embedding in model.emb:
        torch.nn.init.normal_(embedding.weight, std=0.3)


def train_language_model(folder: Path, settings: LanguageSettings) -> None:
    """Leaves `language.pt`: blocks, heads, and text encoder."""
    train = CodedClips.read(folder / "codes-train.npy", "train")
    long = CodedClips.read(folder / "codes-long.npy", "train")
    validation = CodedClips.read(folder / "codes-validation.npy", "validation")
    model = build_language_model(folder, settings.here.device)
    start_language_model(model, settings.seed)
    conditioner = model.condition_provider.conditioners["description"]
    conditioner.finetune = True
    text_encoder = conditioner.t5.requires_grad_(requires_grad=True).train()
    optimizers = muon_and_adam(
        [*model.parameters(), *text_encoder.parameters()],
        inside=[model.transformer],
        muon_rate=settings.muon_rate,
        adam_rate=settings.adam_rate,
        betas=(0.9, 0.95),
        decay=settings.weight_decay,
    )

    def step(number: int) -> Losses:
        generator = step_generator(settings.seed, "language", number)
        is_long = number % settings.long_every == 0
        codes, captions = (long if is_long else train).draw(generator, settings.batch // (1 + is_long))
        kept = [text if generator.random() >= settings.text_dropout else None for text in captions]
        with fast_products(torch.device(settings.here.device), torch.float32):
            losses = codebook_losses(model, codes, kept)
        descend(losses.mean(), optimizers)
        named = {"loss": float(losses.detach().mean())}
        return {**named, **{f"codebook_{k}": float(loss.detach()) for k, loss in enumerate(losses)}}

    def after_saving(number: int) -> None:
        held_out = evaluate_language_model(model, validation, seed=settings.seed)
        with (folder / "language-validation.csv").open("a") as file:
            file.write(",".join([str(number), *(f"{loss:.4f}" for loss in held_out)]) + "\n")

    stage = Stage(
        "language",
        folder,
        settings.steps,
        {"model": model, "text_encoder": text_encoder},
        optimizers,
        settings.here.tell,
        on_save=after_saving,
    )
    if not stage.resume():
        stage.run(step)


def codebook_losses(model: Any, codes: torch.Tensor, captions: Sequence[str | None]) -> torch.Tensor:
    """Cross-entropy in nats of each codebook, over the steps at which the pattern predicts it: (K,)."""
    codes = codes.to(model.emb[0].weight.device)
    output = model.compute_predictions(codes, [], _conditions(model, captions))
    losses = [
        functional.cross_entropy(output.logits[:, k][output.mask[:, k]], codes[:, k][output.mask[:, k]])
        for k in range(CODEBOOKS)
    ]
    return torch.stack(losses)


@torch.no_grad()
def evaluate_language_model(
    model: Any, clips: CodedClips, *, clips_used: int = 64, seed: int
) -> torch.Tensor:
    """`codebook_losses` with captions, on the first clips of a part."""
    generator = step_generator(seed, "held out", 0)
    model.eval()
    losses = []
    count = min(clips_used, len(clips.codes))
    for first in range(0, count, 16):
        rows = range(first, min(first + 16, count))
        captions = [draw_caption(clips.labels[row], generator) for row in rows]
        codes = torch.from_numpy(clips.codes[rows.start : rows.stop].astype(np.int64))
        losses.append(codebook_losses(model, codes, captions))
    model.train()
    return torch.stack(losses).mean(0)


def _conditions(model: Any, captions: Sequence[str | None]) -> Any:
    from audiocraft.modules.conditioners import ConditioningAttributes

    attributes = [ConditioningAttributes(text={"description": caption}) for caption in captions]
    provider = model.condition_provider
    return provider(provider.tokenize(attributes))


def finished_language_model(folder: Path) -> Any:
    """The language model as its stage left it, or as far as it has come."""
    model = build_language_model(folder)
    saved = torch.load(folder / "language.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(saved["model"])
    model.condition_provider.conditioners["description"].t5.load_state_dict(saved["text_encoder"])
    return model.eval()
