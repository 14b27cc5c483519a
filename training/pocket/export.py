"""Export of trained parts to the files of a checkpoint, in audiocraft's own format.

Half precision is enough for everything that is only listened to or predicted with; encoder and codebooks stay
float32, so that the shipped codec gives the very codes that the language model was trained on.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.models.checkpoints import CODEC_FILE, LANGUAGE_MODEL_FILE
from pipelines.pocket.configuration import (
    TEXT_ENCODER,
    codec_configuration,
    language_model_configuration,
)
from training.pocket.captions import FILLERS, draw_caption
from training.pocket.clips import draw_clip, specimen

CAPTIONS, CLIPS = 6_000, 300


@lru_cache(maxsize=1)
def trained_words() -> frozenset[str]:
    """Words of many captions, without punctuation; whatever is not here was hardly ever seen."""
    generator = np.random.default_rng(0)
    labels = [specimen(draw_clip("train", index)).labels for index in range(CLIPS)]
    captions = [draw_caption(labels[number % CLIPS], generator) for number in range(CAPTIONS)]
    return frozenset(word.strip(",#") for caption in captions for word in caption.split())


EXACT = ("encoder.", "quantizer.")


def export_codec(folder: Path, codec: Any) -> None:
    """Write `compression_state_dict.bin`."""
    state = {
        name: tensor.contiguous() if name.startswith(EXACT) else tensor.half()
        for name, tensor in codec.state_dict().items()
    }
    _save(folder / CODEC_FILE, state, codec_configuration())


def export_language_model(folder: Path, model: Any) -> None:
    """Write `state_dict.bin` and the text encoder's folder."""
    state = {name: tensor.half() for name, tensor in model.state_dict().items()}
    _save(folder / LANGUAGE_MODEL_FILE, state, language_model_configuration())
    conditioner = model.condition_provider.conditioners["description"]
    export_text_encoder(folder / TEXT_ENCODER, conditioner.t5, conditioner.t5_tokenizer)


def export_text_encoder(folder: Path, text_encoder: Any, tokenizer: Any) -> None:
    """Write a Hugging Face folder, words that were never trained given a meaning first."""
    state = {name: tensor.clone() for name, tensor in text_encoder.state_dict().items()}
    name = "shared.weight"
    state[name] = generalized(state[name], tokenizer)
    state = {
        key: state[name] if key.endswith("embed_tokens.weight") else tensor for key, tensor in state.items()
    }
    text_encoder.save_pretrained(
        folder, state_dict={key: tensor.contiguous() for key, tensor in state.items()}
    )
    tokenizer.save_pretrained(folder)


def generalized(embeddings: torch.Tensor, tokenizer: Any) -> torch.Tensor:
    """Embeddings (words, width): capitals do not matter, and unknown words mean as little as fillers."""
    from training.pocket.export import trained_words

    vocabulary = tokenizer.get_vocab()
    result = embeddings.clone()
    neutral = torch.stack([embeddings[vocabulary[f"▁{word}"]] for word in FILLERS]).mean(0)
    trained = trained_words()
    for piece, number in vocabulary.items():
        word = piece.removeprefix("▁")
        if not piece.startswith("▁") or not word or word in trained:
            continue
        small = vocabulary.get(f"▁{word.lower()}")
        known = small is not None and word.lower() in trained
        result[number] = embeddings[small] if known else neutral
    return result


def _save(path: Path, state: dict[str, torch.Tensor], configuration: dict[str, Any]) -> None:
    import audiocraft
    from omegaconf import OmegaConf

    package = {
        "best_state": state,
        "xp.cfg": OmegaConf.to_yaml(OmegaConf.create(configuration)),
        "version": audiocraft.__version__,
        "exported": True,
    }
    unfinished = path.with_suffix(".unfinished")
    torch.save(package, unfinished)
    unfinished.rename(path)
