"""The keys of a checkpoint's `xp.cfg` that audiocraft reads: required ones, types, known options."""

from collections.abc import Callable, Mapping
from typing import Any

LANGUAGE_MODEL, CODEC = "language model", "codec"
LARGEST = 2**31
Check = Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Whether this is an integer or a float."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


KINDS: Mapping[str, Check] = {
    "a name": _is_text,
    "a name or null": lambda value: value is None or isinstance(value, str),
    "a whole number from 1 on": _is_count,
    "a whole number from 0 on": lambda value: _is_count(value) or value == 0,
    "a number": is_number,
    "a positive number": lambda value: is_number(value) and value > 0,
    "a section": lambda value: isinstance(value, Mapping),
    "a section or null": lambda value: value is None or isinstance(value, Mapping),
    "a list of names": _is_list_of(_is_text),
    "a list of whole numbers from 1 on": lambda value: bool(value) and _is_list_of(_is_count)(value),
    "true or false": lambda value: isinstance(value, bool),
}

REQUIRED: Mapping[str, Mapping[str, str]] = {
    LANGUAGE_MODEL: {
        "lm_model": "a name",
        "transformer_lm": "a section",
        "transformer_lm.dim": "a whole number from 1 on",
        "transformer_lm.num_heads": "a whole number from 1 on",
        "transformer_lm.num_layers": "a whole number from 1 on",
        "transformer_lm.n_q": "a whole number from 1 on",
        "transformer_lm.card": "a whole number from 1 on",
        "codebooks_pattern": "a section",
        "codebooks_pattern.modeling": "a name or null",
        "dataset.segment_duration": "a positive number",
        "conditioners": "a section or null",
        "fuser": "a section",
        "fuser.sum": "a list of names",
        "fuser.cross": "a list of names",
        "fuser.prepend": "a list of names",
        "fuser.input_interpolate": "a list of names",
        "attribute_dropout": "a section",
        "classifier_free_guidance.training_dropout": "a number",
        "classifier_free_guidance.inference_coef": "a number",
    },
    CODEC: {
        "compression_model": "a name",
        "encodec": "a section",
        "encodec.autoencoder": "a name",
        "encodec.quantizer": "a name",
        "encodec.sample_rate": "a whole number from 1 on",
        "encodec.channels": "a whole number from 1 on",
        "seanet": "a section",
        "seanet.ratios": "a list of whole numbers from 1 on",
        "seanet.encoder": "a section",
        "seanet.decoder": "a section",
        "rvq": "a section",
        "rvq.n_q": "a whole number from 1 on",
        "rvq.bins": "a whole number from 1 on",
    },
}
_SEANET_COUNTS = {
    "n_filters": "a whole number from 1 on",
    "dimension": "a whole number from 1 on",
    "channels": "a whole number from 1 on",
    "n_residual_layers": "a whole number from 0 on",
    "kernel_size": "a whole number from 1 on",
    "last_kernel_size": "a whole number from 1 on",
    "residual_kernel_size": "a whole number from 1 on",
    "dilation_base": "a whole number from 1 on",
    "compress": "a whole number from 1 on",
    "lstm": "a whole number from 0 on",
    "ratios": "a list of whole numbers from 1 on",
}
OPTIONAL: Mapping[str, str] = {
    "transformer_lm.hidden_scale": "a positive number",
    "transformer_lm.kv_repeat": "a whole number from 1 on",
    "codebooks_pattern.delay": "a section or null",
    "interleave_stereo_codebooks": "a section or null",
    **{
        f"{section}.{key}": kind
        for section in ("seanet", "seanet.encoder", "seanet.decoder")
        for key, kind in _SEANET_COUNTS.items()
    },
}
"""Kinds of what may be left out."""
KEPT: Mapping[str, tuple[str, ...]] = {
    LANGUAGE_MODEL: (
        *("lm_model", "transformer_lm", "codebooks_pattern", "conditioners", "fuser", "attribute_dropout"),
        *("classifier_free_guidance", "dataset.segment_duration", "interleave_stereo_codebooks"),
    ),
    CODEC: ("compression_model", "encodec", "seanet", "rvq"),
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SEANET = _words(
    "channels dimension n_filters n_residual_layers ratios activation activation_params norm "
    "norm_params kernel_size last_kernel_size residual_kernel_size dilation_base causal pad_mode "
    "true_skip compress lstm disable_norm_outer_blocks"
)
_SEANET_DECODER = _SEANET | {"final_activation", "final_activation_params", "trim_right_ratio"}
OPTIONS: Mapping[str, frozenset[str]] = {
    "transformer_lm": _words(
        "dim num_heads num_layers hidden_scale n_q card dropout emb_lr activation norm_first bias_ff "
        "bias_attn bias_proj past_context causal custom norm memory_efficient attention_as_float32 "
        "layer_scale positional_embedding max_period positional_scale xpos lr weight_decay "
        "checkpointing weight_init depthwise_init zero_bias_init cross_attention qk_layer_norm "
        "qk_layer_norm_cross attention_dropout kv_repeat two_step_cfg q_modeling"
    ),
    "fuser": _words(
        "sum cross prepend input_interpolate cross_attention_pos_emb cross_attention_pos_emb_scale"
    ),
    "conditioners.args": _words("merge_text_conditions_p drop_desc_p"),
    "codebooks_pattern.delay": _words("delays flatten_first empty_initial"),
    "codebooks_pattern.parallel": _words("empty_initial"),
    "encodec": _words("autoencoder quantizer sample_rate channels causal renormalize renorm"),
    "seanet": _SEANET | {"encoder", "decoder"},
    "seanet.encoder": _SEANET,
    "seanet.decoder": _SEANET_DECODER,
    "rvq": _words(
        "n_q q_dropout bins decay kmeans_init kmeans_iters threshold_ema_dead_code "
        "orthogonal_reg_weight orthogonal_reg_active_codes_only orthogonal_reg_max_codes"
    ),
}
"""By section, what version 1.3.0 of audiocraft takes; sections that are not here hold names of their own."""
CONDITIONER_OPTIONS: Mapping[str, frozenset[str]] = {
    "t5": _words("name finetune autocast_dtype word_dropout normalize_text"),
    "lut": _words("n_bins dim tokenizer pad_idx"),
    "chroma_stem": _words(
        "sample_rate n_chroma radix2_exp match_len_on_eval eval_wavs n_eval_wavs cache_path argmax norm"
    ),
}
CONDITIONER_REQUIRED: Mapping[str, Mapping[str, str]] = {
    "t5": {"name": "a name", "finetune": "true or false"},
    "lut": {"n_bins": "a whole number from 1 on", "dim": "a whole number from 1 on", "tokenizer": "a name"},
    "chroma_stem": {
        "sample_rate": "a whole number from 1 on",
        "n_chroma": "a whole number from 1 on",
        "radix2_exp": "a whole number from 1 on",
    },
}
ACTIVATIONS = ("ELU", "ReLU", "LeakyReLU", "PReLU", "GELU", "SiLU", "Mish", "Tanh", "Sigmoid", "Identity")
LIMITS: Mapping[str, float] = {
    "dataset.segment_duration": 600,
    "encodec.sample_rate": 768_000,
    "transformer_lm.hidden_scale": 64,
}
"""The largest values of settings that decide sizes which no tensor of the checkpoint shows."""
CHROMA_LIMITS: Mapping[str, float] = {"sample_rate": 192_000, "radix2_exp": 16, "n_chroma": 1024}
