"""Say what a `config.json` of transformers says in the words of audiocraft's `xp.cfg`.

Only the keys named here are read. Options of audiocraft that transformers has no word for have the values of
the published models: a model's fingerprint covers them.
"""

import math
from collections.abc import Mapping
from typing import Any

from pipelines.models.checkpoint_schema import is_number
from store.errors import ModelError

MUSICGEN, MELODY = "musicgen", "musicgen_melody"
DEFAULT_SECONDS = 30.0
"""What every published MusicGen was trained with; files without `max_length` do not say."""
CHROMA_FFT = 16_384
MOST_CODEBOOKS = 1024
TEXT_FOLDER = "./t5"
TEXT, CHROMA = "description", "self_wav"
"""Names of the two conditioners in every published model."""


def language_model_sections(
    config: Mapping[str, Any], generation: Mapping[str, Any], features: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """`xp.cfg` of the language model.

    Args:
        config: `config.json`.
        generation: `generation_config.json`; its `max_length` says how long the model's segments are.
        features: `preprocessor_config.json`; its `n_fft` says how a melody is read.
        where: Names the folder in messages.

    Raises:
        ModelError: A value is missing or of another kind, or the architecture is none of audiocraft's.
    """
    decoder = section(config, "decoder", where)
    width, codebooks = whole(decoder, "hidden_size", where), whole(decoder, "num_codebooks", where)
    if codebooks > MOST_CODEBOOKS:
        raise ModelError(f"{where}: {codebooks:,} codebooks are more than any model has.")
    _require(decoder, {"activation_function": "gelu", "scale_embedding": False}, where)
    stereo = decoder.get("audio_channels", 1) == 2
    channels = 2 if stereo else 1
    melody = config.get("model_type") == MELODY
    rate = whole(section(config, "audio_encoder", where), "sampling_rate", where)
    seconds = _seconds(config, generation, where)
    return {
        "lm_model": "transformer_lm",
        "sample_rate": rate,
        "channels": channels,
        "dataset": {"segment_duration": seconds},
        "interleave_stereo_codebooks": {"use": stereo, "per_timestep": False} if stereo else {"use": False},
        "codebooks_pattern": {
            "modeling": "delay",
            "delay": {
                "delays": [k // channels for k in range(codebooks)],
                "flatten_first": 0,
                "empty_initial": 0,
            },
        },
        "transformer_lm": {
            "dim": width,
            "num_heads": whole(decoder, "num_attention_heads", where),
            "num_layers": whole(decoder, "num_hidden_layers", where),
            "hidden_scale": _ratio(whole(decoder, "ffn_dim", where), width),
            "n_q": codebooks,
            "card": whole(decoder, "vocab_size", where),
            **_USUAL,
            "cross_attention": not melody,
        },
        "conditioners": (_chroma(config, features, rate, where) if melody else {}) | _TEXT,
        "fuser": {
            "cross_attention_pos_emb": False,
            "cross_attention_pos_emb_scale": 1,
            "sum": [],
            "prepend": [CHROMA, TEXT] if melody else [],
            "cross": [] if melody else [TEXT],
            "input_interpolate": [],
        },
        "classifier_free_guidance": {"training_dropout": 0.3, "inference_coef": 3.0},
        "attribute_dropout": {},
    }


def codec_sections(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`xp.cfg` of the codec, from the section `audio_encoder` of a `config.json`.

    Raises:
        ModelError: It is another codec than EnCodec, or a value is missing or of another kind.
    """
    codec = section(config, "audio_encoder", where)
    _require(codec, {"model_type": "encodec", "norm_type": "weight_norm", "chunk_length_s": None}, where)
    width, ratios = whole(codec, "hidden_size", where), codec.get("upsampling_ratios")
    if codec.get("codebook_dim") not in (None, width):
        raise ModelError(f"{where}: audio_encoder.codebook_dim must be its hidden_size, {width}.")
    if not isinstance(ratios, list) or not all(
        isinstance(ratio, int) and 0 < ratio < 2**16 for ratio in ratios
    ):
        raise ModelError(f"{where}: audio_encoder.upsampling_ratios must be a list of whole numbers.")
    channels = whole(codec, "audio_channels", where)
    return {
        "compression_model": "encodec",
        "sample_rate": codec["sampling_rate"],
        "channels": channels,
        "encodec": {
            "autoencoder": "seanet",
            "quantizer": "rvq",
            "sample_rate": codec["sampling_rate"],
            "channels": channels,
            "causal": bool(codec.get("use_causal_conv", True)),
            "renormalize": bool(codec.get("normalize", False)),
        },
        "seanet": {
            "dimension": width,
            "channels": channels,
            "causal": bool(codec.get("use_causal_conv", True)),
            "n_filters": whole(codec, "num_filters", where),
            "n_residual_layers": whole(codec, "num_residual_layers", where),
            "ratios": list(ratios),
            "activation": "ELU",
            "activation_params": {"alpha": 1.0},
            "norm": "weight_norm",
            "norm_params": {},
            "kernel_size": whole(codec, "kernel_size", where),
            "residual_kernel_size": whole(codec, "residual_kernel_size", where),
            "last_kernel_size": whole(codec, "last_kernel_size", where),
            "dilation_base": whole(codec, "dilation_growth_rate", where),
            "pad_mode": str(codec.get("pad_mode", "reflect")),
            "true_skip": not codec.get("use_conv_shortcut", True),
            "compress": whole(codec, "compress", where),
            "lstm": whole(codec, "num_lstm_layers", where),
            "disable_norm_outer_blocks": 0,
            "encoder": {},
            "decoder": {
                "trim_right_ratio": _part(codec, "trim_right_ratio", where),
                "final_activation": None,
                "final_activation_params": None,
            },
        },
        "rvq": {
            "n_q": quantizers(codec, where),
            "bins": whole(codec, "codebook_size", where),
            "q_dropout": False,
            "kmeans_init": False,
        },
    }


def quantizers(codec: Mapping[str, Any], where: str) -> int:
    """How many codebooks a codec has, which transformers derives from its largest bandwidth in kbit/s."""
    bandwidths = codec.get("target_bandwidths")
    if not isinstance(bandwidths, list) or not bandwidths or not isinstance(bandwidths[-1], int | float):
        raise ModelError(f"{where}: audio_encoder.target_bandwidths must be a list of numbers.")
    frames = math.ceil(whole(codec, "sampling_rate", where) / math.prod(codec["upsampling_ratios"]))
    bits = math.ceil(math.log2(whole(codec, "codebook_size", where)))
    found = int(1000 * min(bandwidths[-1], 2.0**20) // (frames * max(1, bits)))
    if found < 1:
        raise ModelError(f"{where}: audio_encoder.target_bandwidths leaves the codec without a codebook.")
    return found


def section(config: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    """A mapping below a key; ModelError where it is something else."""
    found = config.get(name)
    if isinstance(found, Mapping):
        return found
    raise ModelError(f"{where}: config.json lacks the section {name}, which every MusicGen has.")


def whole(values: Mapping[str, Any], name: str, where: str) -> int:
    """A whole number from 1 on; ModelError where it is something else."""
    value = values.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31:
        return value
    raise ModelError(f"{where}: {name} of config.json is {value!r}; it must be a whole number from 1 on.")


_TEXT: dict[str, Any] = {
    TEXT: {
        "model": "t5",
        "t5": {"name": TEXT_FOLDER, "finetune": False, "word_dropout": 0.3, "normalize_text": False},
    }
}
_USUAL: Mapping[str, Any] = {
    "dropout": 0.0,
    "emb_lr": None,
    "activation": "gelu",
    "norm_first": True,
    "bias_ff": False,
    "bias_attn": False,
    "bias_proj": False,
    "past_context": None,
    "causal": True,
    "custom": False,
    "memory_efficient": True,
    "attention_as_float32": False,
    "layer_scale": None,
    "positional_embedding": "sin",
    "xpos": False,
    "checkpointing": "none",
    "weight_init": "gaussian",
    "depthwise_init": "current",
    "zero_bias_init": True,
    "norm": "layer_norm",
    "qk_layer_norm": False,
    "qk_layer_norm_cross": False,
    "attention_dropout": None,
    "kv_repeat": 1,
    "two_step_cfg": False,
}
"""Options of every published MusicGen."""


def _chroma(config: Mapping[str, Any], features: Mapping[str, Any], rate: int, where: str) -> dict[str, Any]:
    fft = features.get("n_fft", CHROMA_FFT)
    if not isinstance(fft, int) or not 2 <= fft <= 2**16 or fft & (fft - 1):
        raise ModelError(f"{where}: n_fft of preprocessor_config.json is {fft!r}; it must be a power of two.")
    chroma = {
        "sample_rate": rate,
        "n_chroma": whole(config, "num_chroma", where),
        "radix2_exp": fft.bit_length() - 1,
        "argmax": True,
        "match_len_on_eval": False,
        "eval_wavs": None,
        "n_eval_wavs": 100,
        "cache_path": None,
    }
    return {CHROMA: {"model": "chroma_stem", "chroma_stem": chroma}}


def _seconds(config: Mapping[str, Any], generation: Mapping[str, Any], where: str) -> float:
    """`max_length` counts frames."""
    longest = generation.get("max_length")
    if longest is None:
        return DEFAULT_SECONDS
    codec = section(config, "audio_encoder", where)
    hop = math.prod(codec.get("upsampling_ratios") or [1])
    seconds = whole(generation, "max_length", where) * hop / whole(codec, "sampling_rate", where)
    return int(seconds) if seconds == int(seconds) else seconds


def _part(values: Mapping[str, Any], name: str, where: str) -> float:
    value = values.get(name, 1.0)
    if is_number(value) and 0 <= value <= 1:
        return float(value)
    raise ModelError(f"{where}: {name} of config.json is {value!r}; it must be a number from 0 to 1.")


def _ratio(inner: int, width: int) -> float:
    return inner // width if inner % width == 0 else inner / width


def _require(values: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> None:
    for name, value in expected.items():
        if values.get(name, value) != value:
            raise ModelError(
                f"{where}: {name} of config.json is {values[name]!r}; only models with "
                f"{value!r} are supported."
            )
