"""Train pocket-clap: audio and captions that are true of it are drawn together, others apart.

Two losses are added. Contrastive: each clip against the captions of its batch and each caption against the
clips, where everything true counts as positive (UniCL, Yang et al. 2022, arXiv:2204.03610), because short
captions fit many clips. Prompts: a softmax over one prompt per class, which is how the model is used.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pipelines.acceleration.matrix_products import fast_products
from pipelines.scorers.mel_spectrogram import log_mel, mel_filters
from training.pocket.clap_captions import (
    CONCEPTS,
    PROMPTED,
    Caption,
    caption,
    prompts,
    tempo_class,
    truth,
    vocabulary,
)
from training.pocket.clap_model import (
    HOP_SAMPLES,
    TOKENS,
    WINDOW_SAMPLES,
    new_clap,
    new_feature_extractor,
    new_tokenizer,
)
from training.pocket.labelled_clips import LabelledClips, Samples, draw_examples
from training.pocket.loop import Losses, Stage, Tell, silent, step_generator
from training.pocket.optimizers import descend, muon_and_adam
from training.pocket.spectrum_augmentation import augment

PROMPT_WEIGHTS = {"style": 1.0, "instrument": 1.5, "drums": 0.8, "mode": 0.1, "tempo": 0.2}
UNKNOWN_SHARE = 0.04
"""Of words that are replaced by the unknown word, so that a new word in a prompt does little harm."""
LARGEST_SCALE = 100.0
Facts = Mapping[str, int]
"""Class codes by concept."""


@dataclass(frozen=True, slots=True)
class ClapSettings:
    """How pocket-clap is trained."""

    steps: int = 6_000
    batch: int = 32
    muon_rate: float = 0.01
    """Of linear layers and convolutions in both encoders."""
    adam_rate: float = 6e-4
    """Of embeddings, norms and the scales."""
    augmentation: float = 0.7
    """How strong it becomes; with all of it from the start nothing is learned."""
    augmentation_steps: int = 2_000
    """It grows over so many steps."""
    seed: int = 1
    device: str = "cpu"
    tell: Tell = silent


def train_clap(
    clips: LabelledClips, versions: Sequence[NDArray[np.float16]], folder: Path, settings: ClapSettings
) -> Any:
    """Trains, or goes on where the checkpoint in `folder` ends.

    Args:
        clips: what is known of N clips.
        versions: how they look, as rendered and as the codec gives them back: each (N, frames, mel bins) in
            dB, or of the first clips only. Each is drawn equally often.
        folder: of checkpoint and loss curve.
        settings: steps, rate, seed.

    Returns:
        The trained ClapModel of transformers.
    """
    torch.manual_seed(settings.seed)
    tokenizer = new_tokenizer(vocabulary())
    model = new_clap(len(tokenizer)).to(settings.device)
    facts = clip_facts(clips)
    optimizers = muon_and_adam(
        model.parameters(),
        inside=[model],
        muon_rate=settings.muon_rate,
        adam_rate=settings.adam_rate,
        betas=(0.9, 0.98),
        decay=0.05,
    )
    stage = Stage(
        "clap",
        folder,
        settings.steps,
        parts={"model": model},
        optimizers=optimizers,
        tell=settings.tell,
    )

    def step(number: int) -> Losses:
        generator = step_generator(settings.seed, "clap", number)
        examples = draw_examples([len(version) for version in versions], settings.batch, generator)
        strength = settings.augmentation * min(1.0, number / settings.augmentation_steps)
        spectra = draw_spectra(versions, examples, generator, strength=strength)
        with fast_products(torch.device(settings.device), torch.float32):
            losses = batch_losses(model, tokenizer, spectra, [facts[row] for _, row in examples], generator)
        weighted = [PROMPT_WEIGHTS.get(name, 1.0) * loss for name, loss in losses.items()]
        descend(torch.stack(weighted).sum(), optimizers)
        with torch.no_grad():
            model.logit_scale_a.clamp_(max=math.log(LARGEST_SCALE))
        return {name: loss.item() for name, loss in losses.items()}

    if not stage.resume():
        model.train()
        stage.run(step)
    return model.cpu().eval()


def clip_facts(clips: LabelledClips) -> list[Facts]:
    """What captions may state of each clip."""
    columns = {concept: clips.codes[concept].tolist() for concept in CONCEPTS if concept in clips.codes}
    columns["tempo"] = [tempo_class(bpm) for bpm in clips.tempo_bpm]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def clip_spectra(audio: Samples, count: int, *, block: int = 64) -> NDArray[np.float16]:
    """How clips 0 … count − 1, which `audio` gives, look to pocket-clap: (count, frames, mel bins) in dB."""
    filters = mel_filters(new_feature_extractor())
    blocks = []
    for first in range(0, count, block):
        samples = torch.from_numpy(audio(slice(first, min(first + block, count))))
        spectra = log_mel(samples, filters, window_samples=WINDOW_SAMPLES, hop_samples=HOP_SAMPLES)
        blocks.append(spectra.half().numpy())
    return np.concatenate(blocks)


def draw_spectra(
    versions: Sequence[NDArray[np.float16]],
    examples: Sequence[tuple[int, int]],
    generator: np.random.Generator,
    *,
    strength: float,
) -> torch.Tensor:
    """Augmented spectra of (version, row) pairs: float32 (B, 1, frames, mel bins)."""
    chosen = np.stack([versions[version][row] for version, row in examples])
    noise = torch.Generator().manual_seed(int(generator.integers(2**62)))
    return augment(torch.from_numpy(chosen).float(), noise, strength=strength).unsqueeze(1)


def batch_losses(
    model: Any, tokenizer: Any, spectra: torch.Tensor, facts: Sequence[Facts], generator: np.random.Generator
) -> dict[str, torch.Tensor]:
    """The contrastive loss, and a cross-entropy per prompted concept."""
    captions = [caption(each, generator) for each in facts]
    sets = {concept: prompts(concept, generator) for concept in PROMPTED}
    texts = [each.text for each in captions] + [text for prompted in sets.values() for text in prompted]
    tokens = tokenize(tokenizer, texts, generator)
    text = model.get_text_features(
        **{name: each.to(model.device) for name, each in tokens.items()}
    ).pooler_output
    audio = model.get_audio_features(spectra.to(model.device)).pooler_output
    logits = model.logit_scale_a.exp() * audio @ text.T
    sizes = [len(captions), *(len(prompted) for prompted in sets.values())]
    captioned, *prompted = logits.split(sizes, dim=1)
    losses = {"contrastive": contrastive_loss(captioned, captions, facts)}
    for concept, chosen in zip(sets, prompted, strict=True):
        wanted = torch.tensor([each[concept] for each in facts], device=model.device)
        losses[concept] = functional.cross_entropy(chosen, wanted)
    return losses


def contrastive_loss(
    logits: torch.Tensor, captions: Sequence[Caption], facts: Sequence[Facts]
) -> torch.Tensor:
    """Mean of both directions: the cross-entropy to a uniform distribution over everything true.

    Args:
        logits: (clips, captions).
        captions: the first is of the first clip, and so on.
        facts: of the clips.
    """
    true = torch.from_numpy(truth(captions, facts).T).float().to(logits.device)
    by_clip = -(true * logits.log_softmax(1)).sum(1) / true.sum(1)
    by_caption = -(true * logits.log_softmax(0)).sum(0) / true.sum(0)
    return (by_clip.mean() + by_caption.mean()) / 2


def tokenize(tokenizer: Any, texts: Sequence[str], generator: np.random.Generator) -> dict[str, torch.Tensor]:
    """Token ids and mask, some of the words made unknown."""
    tokens = tokenizer(list(texts), padding=True, truncation=True, max_length=TOKENS, return_tensors="pt")
    words = tokens["input_ids"] > tokenizer.unk_token_id
    lost = words & (torch.from_numpy(generator.random(tuple(words.shape))) < UNKNOWN_SHARE)
    ids = tokens["input_ids"].masked_fill(lost, tokenizer.unk_token_id)
    return {"input_ids": ids, "attention_mask": tokens["attention_mask"]}
