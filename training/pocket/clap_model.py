"""Shape of pocket-clap: a `ClapModel` of transformers, small enough to learn on one CPU core."""

from pathlib import Path
from typing import Any

from pipelines.scorers.clap_transformers import quiet_transformers
from training.pocket.labelled_clips import CLIP_SECONDS, SAMPLE_RATE

WIDTH = 128
"""Of the embeddings that audio and text share."""
TOKENS = 40
MEL_BINS, HOP_SAMPLES, WINDOW_SAMPLES = 64, 256, 1024


def new_clap(words: int) -> Any:
    """A ClapModel with random weights for a vocabulary of `words` tokens."""
    text = {
        "vocab_size": words,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "max_position_embeddings": TOKENS + 2,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    audio = {
        # 251 × 64 frames and bins, folded to 128 × 128; a patch every 4 × 4 sees 8 × 8: 32 × 32 tokens at
        # first, 4 × 4 at last. Fewer and larger patches learned far more slowly.
        "num_mel_bins": MEL_BINS,
        "spec_size": 2 * MEL_BINS,
        "patch_size": (8, 8),
        "patch_stride": (4, 4),
        "window_size": 4,
        "patch_embeds_hidden_size": 24,
        "depths": (1, 1, 1, 1),
        "num_attention_heads": (2, 4, 4, 8),
        "hidden_size": 192,
        "hidden_dropout_prob": 0.0,
        "num_classes": 1,
    }
    with quiet_transformers():
        from transformers import ClapConfig, ClapModel

        model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=WIDTH))
    _tell_frequencies(model)
    return model


def _tell_frequencies(model: Any) -> None:
    """Lets every mel bin begin with a bias of its own.

    HTSAT's attention knows distances within a window alone: without this, a patch cannot tell at first
    whether it is low or high, and a small model learns instruments much more slowly.
    """
    import torch

    with torch.no_grad():
        model.audio_model.audio_encoder.batch_norm.bias.copy_(torch.linspace(-1, 1, MEL_BINS))


def new_feature_extractor() -> Any:
    """Log-mel spectrograms of 4 s at 16 kHz, as transformers describes them."""
    with quiet_transformers():
        from transformers import ClapFeatureExtractor
    return ClapFeatureExtractor(
        feature_size=MEL_BINS,
        sampling_rate=SAMPLE_RATE,
        hop_length=HOP_SAMPLES,
        max_length_s=round(CLIP_SECONDS),
        fft_window_size=WINDOW_SAMPLES,
        frequency_min=40,
        frequency_max=SAMPLE_RATE / 2,
        truncation="rand_trunc",
        padding="repeatpad",
    )


def new_tokenizer(words: list[str]) -> Any:
    """A tokenizer of whole lower-case words; others become the unknown word."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    with quiet_transformers():
        from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    numbers = {word: number for number, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))  # noqa: S106
    separators = normalizers.Replace(Regex("[^a-z0-9#]+"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), separators])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=TOKENS,
        bos_token="<s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    )


def save_clap(folder: Path, model: Any, tokenizer: Any) -> None:
    """Writes a folder that `ClapModel.from_pretrained` and `pipelines.scorers.clap` load; float16."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    half = new_clap(model.config.text_config.vocab_size).to(torch.float16)
    half.load_state_dict(model.state_dict())
    with quiet_transformers():
        half.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        new_feature_extractor().save_pretrained(folder)
