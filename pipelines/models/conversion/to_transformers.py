"""Say what audiocraft's `xp.cfg` says as the `config.json` of transformers and the files beside it.

transformers has one MusicGen, and audiocraft has many options: what would be another model there is refused.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.models.checkpoint_configuration import conditioners_of
from pipelines.models.conversion.to_audiocraft import MELODY, MUSICGEN
from pipelines.models.conversion.to_audiocraft import quantizers as quantizers_of
from store.errors import ModelError

_FIXED: Mapping[str, Any] = {
    "activation": "gelu",
    "norm_first": True,
    "bias_ff": False,
    "bias_attn": False,
    "bias_proj": False,
    "past_context": None,
    "causal": True,
    "layer_scale": None,
    "positional_embedding": "sin",
    "max_period": 10_000,
    "positional_scale": 1.0,
    "xpos": False,
    "norm": "layer_norm",
    "qk_layer_norm": False,
    "qk_layer_norm_cross": False,
    "kv_repeat": 1,
    "q_modeling": None,
}
"""The only values of these options that a MusicGen of transformers can have."""
_CHROMA: Mapping[str, Any] = {"argmax": True, "norm": math.inf}
_CODEC: Mapping[str, Any] = {
    "activation": "ELU",
    "activation_params": {"alpha": 1.0},
    "norm": "weight_norm",
    "disable_norm_outer_blocks": 0,
    "channels": 1,
    "final_activation": None,
}
_CODEC_DEFAULTS: dict[str, Any] = {
    "dimension": 128,
    "n_filters": 32,
    "n_residual_layers": 3,
    "kernel_size": 7,
    "residual_kernel_size": 3,
    "last_kernel_size": 7,
    "dilation_base": 2,
    "causal": False,
    "pad_mode": "reflect",
    "true_skip": True,
    "compress": 2,
    "lstm": 0,
    **_CODEC,
    "norm": "none",
}
"""What audiocraft takes where its configuration is silent."""


@dataclass(frozen=True, slots=True)
class Conditioners:
    """The names that a configuration gives to its two conditioners."""

    text: str
    melody: str | None


def conditioners(configuration: Mapping[str, Any], where: str) -> Conditioners:
    """The conditioners of a language model, once transformers has such a model.

    Raises:
        ModelError: It is conditioned by something else, or elsewhere.
    """
    kinds = {name: settings["model"] for name, settings in conditioners_of(configuration)}
    texts = [name for name, kind in kinds.items() if kind == "t5"]
    melodies = [name for name, kind in kinds.items() if kind == "chroma_stem"]
    fuser = configuration["fuser"]
    place = "prepend" if melodies else "cross"
    fused = {kind: set(fuser[kind]) for kind in ("sum", "cross", "prepend", "input_interpolate")}
    expected = {kind: set(kinds) if kind == place else set() for kind in fused}
    if len(texts) != 1 or len(melodies) > 1 or len(kinds) != 1 + len(melodies) or fused != expected:
        raise no_word(where, f"conditions ({', '.join(kinds) or 'none'}, fused by {place})")
    if fuser.get("cross_attention_pos_emb"):
        raise no_word(where, "positions in the cross-attention")
    if configuration["conditioners"][texts[0]]["t5"]["finetune"]:
        raise no_word(where, "a text encoder that was trained along (finetune)")
    return Conditioners(texts[0], melodies[0] if melodies else None)


def unprojected(
    configuration: Mapping[str, Any], named: Conditioners, text_encoder: Mapping[str, Any]
) -> frozenset[str]:
    """The conditioners as wide as the decoder, which transformers does not project."""
    widths = {named.text: text_encoder.get("d_model")}
    if named.melody:
        widths[named.melody] = configuration["conditioners"][named.melody]["chroma_stem"]["n_chroma"]
    width = configuration["transformer_lm"]["dim"]
    return frozenset(name for name, found in widths.items() if found == width)


def transformers_configuration(
    configuration: Mapping[str, Any], codec: Mapping[str, Any], text_encoder: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """`config.json` of a whole model.

    Args:
        configuration: `xp.cfg` of the language model.
        codec: Of its codec: the section `audio_encoder` as transformers has it (`codec_configuration`).
        text_encoder: `config.json` of its T5.
        where: Names the checkpoint in messages.

    Raises:
        ModelError: transformers has no such model.
    """
    transformer = configuration["transformer_lm"]
    _require(transformer, _FIXED, "transformer_lm", where)
    named = conditioners(configuration, where)
    stereo = bool((configuration.get("interleave_stereo_codebooks") or {}).get("use", False))
    _check_delays(configuration, 2 if stereo else 1, where)
    card, width = transformer["card"], transformer["dim"]
    kind = MELODY if named.melody else MUSICGEN
    config: dict[str, Any] = {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "is_encoder_decoder": True,
        "text_encoder": dict(text_encoder),
        "audio_encoder": dict(codec),
        "decoder": {
            "model_type": f"{kind}_decoder",
            "vocab_size": card,
            "max_position_embeddings": 2048,
            "num_hidden_layers": transformer["num_layers"],
            "ffn_dim": int(transformer.get("hidden_scale", 4) * width),
            "num_attention_heads": transformer["num_heads"],
            "hidden_size": width,
            "activation_function": "gelu",
            "scale_embedding": False,
            "dropout": transformer.get("dropout", 0.0),
            "num_codebooks": transformer["n_q"],
            "audio_channels": 2 if stereo else 1,
            "pad_token_id": card,
            "bos_token_id": card,
            "tie_word_embeddings": False,
        },
    }
    if named.melody:
        chroma = configuration["conditioners"][named.melody]["chroma_stem"]
        _require(chroma, _CHROMA, f"conditioners.{named.melody}.chroma_stem", where)
        config |= {"num_chroma": chroma["n_chroma"], "chroma_length": _chroma_length(configuration, chroma)}
    return config


def codec_configuration(configuration: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The section `audio_encoder` of a `config.json`, from `xp.cfg` of a codec.

    Raises:
        ModelError: transformers has no such codec.
    """
    encodec, seanet, quantizer = configuration["encodec"], configuration["seanet"], configuration["rvq"]
    kinds = (configuration["compression_model"], encodec["autoencoder"], encodec["quantizer"])
    if kinds != ("encodec", "seanet", "rvq") or encodec.get("renormalize", False):
        raise no_word(where, f"a codec of the kind {'/'.join(kinds)}")
    both = {key: value for key, value in seanet.items() if key not in ("encoder", "decoder")}
    encoder, decoder = (_CODEC_DEFAULTS | both | seanet[part] for part in ("encoder", "decoder"))
    for key in _CODEC_DEFAULTS:
        if encoder[key] != decoder[key]:
            raise no_word(where, f"a codec whose encoder and decoder differ (seanet.{key})")
    _require(decoder, _CODEC, "seanet", where)
    if decoder["lstm"] < 1:
        raise no_word(where, "a codec without an LSTM (seanet.lstm)")
    config = {
        "model_type": "encodec",
        "sampling_rate": encodec["sample_rate"],
        "audio_channels": 1,
        "normalize": False,
        "chunk_length_s": None,
        "overlap": None,
        "hidden_size": decoder["dimension"],
        "codebook_dim": decoder["dimension"],
        "num_filters": decoder["n_filters"],
        "num_residual_layers": decoder["n_residual_layers"],
        "upsampling_ratios": list(seanet["ratios"]),
        "norm_type": "weight_norm",
        "kernel_size": decoder["kernel_size"],
        "last_kernel_size": decoder["last_kernel_size"],
        "residual_kernel_size": decoder["residual_kernel_size"],
        "dilation_growth_rate": decoder["dilation_base"],
        "use_causal_conv": decoder["causal"],
        "pad_mode": decoder["pad_mode"],
        "compress": decoder["compress"],
        "num_lstm_layers": int(decoder["lstm"]),
        "trim_right_ratio": float(decoder.get("trim_right_ratio", 1.0)),
        "codebook_size": quantizer["bins"],
        "use_conv_shortcut": not decoder["true_skip"],
    }
    return config | {"target_bandwidths": [_bandwidth(config, quantizer["n_q"], where)]}


def generation_configuration(configuration: Mapping[str, Any], frame_rate: float) -> dict[str, Any]:
    """`generation_config.json`: how transformers generates where it is not told otherwise."""
    card = configuration["transformer_lm"]["card"]
    return {
        "bos_token_id": card,
        "decoder_start_token_id": card,
        "pad_token_id": card,
        "do_sample": True,
        "guidance_scale": configuration["classifier_free_guidance"]["inference_coef"],
        "max_length": int(configuration["dataset"]["segment_duration"] * frame_rate),
    }


def feature_configuration(configuration: Mapping[str, Any], codec: Mapping[str, Any]) -> dict[str, Any]:
    """`preprocessor_config.json`: what transformers' processor makes of audio."""
    rate = codec["sampling_rate"]
    chromas = [
        own["chroma_stem"] for _, own in conditioners_of(configuration) if own["model"] == "chroma_stem"
    ]
    if not chromas:
        stereo = bool((configuration.get("interleave_stereo_codebooks") or {}).get("use", False))
        return {
            "feature_extractor_type": "EncodecFeatureExtractor",
            "feature_size": 2 if stereo else 1,
            "padding_side": "left",
            "padding_value": 0.0,
            "return_attention_mask": True,
            "sampling_rate": rate,
        }
    fft = 2 ** chromas[0]["radix2_exp"]
    return {
        "feature_extractor_type": "MusicgenMelodyFeatureExtractor",
        "feature_size": chromas[0]["n_chroma"],
        "num_chroma": chromas[0]["n_chroma"],
        "n_fft": fft,
        "hop_length": fft // 4,
        "chunk_length": int(configuration["dataset"]["segment_duration"]),
        "sampling_rate": chromas[0]["sample_rate"],
        "stem_indices": [3, 2],
    }


_CLASSES = {MUSICGEN: "MusicgenForConditionalGeneration", MELODY: "MusicgenMelodyForConditionalGeneration"}


def _chroma_length(configuration: Mapping[str, Any], chroma: Mapping[str, Any]) -> int:
    """Steps of a melody as long as a segment, of spectra that are centred on every hop."""
    samples = int(chroma["sample_rate"] * configuration["dataset"]["segment_duration"])
    window = 2 ** chroma["radix2_exp"]
    return int(1 + max(samples, window) // (window // 4))


def _check_delays(configuration: Mapping[str, Any], channels: int, where: str) -> None:
    codebooks, pattern = configuration["transformer_lm"]["n_q"], configuration["codebooks_pattern"]
    delays = (pattern.get("delay") or {}).get("delays") or list(range(codebooks))
    expected = [k // channels for k in range(codebooks)]
    if pattern["modeling"] != "delay" or list(delays) != expected:
        raise no_word(where, f"a codebook pattern with the delays {str(delays)[:60]}, instead of {expected}")


def _bandwidth(config: Mapping[str, Any], quantizers: int, where: str) -> float:
    """In kbit/s, from which transformers gets so many quantizers back."""
    frames = math.ceil(config["sampling_rate"] / math.prod(config["upsampling_ratios"]))
    bits = math.ceil(math.log2(config["codebook_size"]))
    exact = float(quantizers * frames * bits / 1000)
    for bandwidth in (exact, exact * (1 + 0.01 / quantizers)):
        if quantizers_of({**config, "target_bandwidths": [bandwidth]}, where) == quantizers:
            return bandwidth
    raise no_word(where, f"{quantizers} codebooks of {config['codebook_size']} tokens")


def _require(settings: Mapping[str, Any], fixed: Mapping[str, Any], below: str, where: str) -> None:
    for key, value in fixed.items():
        if settings.get(key, value) != value:
            raise no_word(where, f"{below}.{key} = {settings[key]!r}")


def no_word(where: str, what: str) -> ModelError:
    """The error of a model that transformers has no counterpart of."""
    return ModelError(
        f"{where}: transformers' MusicGen cannot express {what}, so this model stays in audiocraft's format."
    )
