"""Shape of the pocket model: a MusicGen of audiocraft's own classes, small enough for two CPU cores.

16 kHz mono, 32 frames per second, 4 codebooks of 256 tokens with delays 0…3, 8 layers of width 128.
The codec is lopsided: its encoder decides how fast activations are extracted, so it is narrow and its
activation cheap; the decoder, needed for listening alone, is four times as wide and smoother.
The mappings are what audiocraft calls `xp.cfg`: its builders read them when a checkpoint is loaded.
"""

import math
from typing import Any

SAMPLE_RATE = 16_000
RATIOS = (4, 5, 5, 5)  # of the decoder
SAMPLES_PER_FRAME = math.prod(RATIOS)  # 500: 32 frames per second
ENCODER_FILTERS = 8  # oneDNN's convolutions are twice as slow on channels that are no multiple of 8
DECODER_FILTERS = 32
LATENT_WIDTH = 64
CODEBOOKS = 4
CODEBOOK_SIZE = 256
WIDTH = 128
LAYERS = 8
HEADS = 4
TEXT_WIDTH = 64
TEXT_LAYERS = 2
MAX_SECONDS = 30  # audiocraft refuses 18 and less
TEXT_ENCODER = "./t5"  # relative to the checkpoint's folder


def codec_configuration() -> dict[str, Any]:
    """`xp.cfg` of the EnCodec: a SEANet without LSTM before a residual vector quantizer."""
    return {
        "compression_model": "encodec",
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "encodec": {
            "autoencoder": "seanet",
            "quantizer": "rvq",
            "sample_rate": SAMPLE_RATE,
            "channels": 1,
            "causal": False,
            "renormalize": False,
        },
        "seanet": {
            "dimension": LATENT_WIDTH,
            "channels": 1,
            "causal": False,
            "n_filters": ENCODER_FILTERS,
            "n_residual_layers": 1,
            "ratios": list(RATIOS),
            "activation": "LeakyReLU",
            "activation_params": {"negative_slope": 0.4},
            "norm": "none",
            "norm_params": {},
            "kernel_size": 7,
            "residual_kernel_size": 3,
            "last_kernel_size": 7,
            "dilation_base": 2,
            "pad_mode": "constant",
            "true_skip": True,
            "compress": 2,
            "lstm": 0,
            "disable_norm_outer_blocks": 0,
            "encoder": {},
            "decoder": {
                "n_filters": DECODER_FILTERS,
                "activation": "ELU",
                "activation_params": {"alpha": 1.0},
                "trim_right_ratio": 1.0,
                "final_activation": None,
                "final_activation_params": None,
            },
        },
        "rvq": {"n_q": CODEBOOKS, "bins": CODEBOOK_SIZE, "q_dropout": False, "kmeans_init": False},
    }


def language_model_configuration() -> dict[str, Any]:
    """`xp.cfg` of the delay-pattern transformer, with the options of the published MusicGen models."""
    return {
        "lm_model": "transformer_lm",
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "dataset": {"segment_duration": MAX_SECONDS},
        "interleave_stereo_codebooks": {"use": False},
        "codebooks_pattern": {
            "modeling": "delay",
            "delay": {"delays": list(range(CODEBOOKS)), "flatten_first": 0, "empty_initial": 0},
        },
        "transformer_lm": {
            "dim": WIDTH,
            "num_heads": HEADS,
            "num_layers": LAYERS,
            "hidden_scale": 4,
            "n_q": CODEBOOKS,
            "card": CODEBOOK_SIZE,
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
            "cross_attention": True,
            "qk_layer_norm": False,
            "qk_layer_norm_cross": False,
            "attention_dropout": None,
            "kv_repeat": 1,
            "two_step_cfg": False,
        },
        "conditioners": {
            "description": {
                "model": "t5",
                "t5": {
                    "name": TEXT_ENCODER,
                    "finetune": False,
                    "word_dropout": 0.0,
                    "normalize_text": False,
                },
            }
        },
        "fuser": {
            "cross_attention_pos_emb": False,
            "cross_attention_pos_emb_scale": 1,
            "sum": [],
            "prepend": [],
            "cross": ["description"],
            "input_interpolate": [],
        },
        "classifier_free_guidance": {"training_dropout": 0.3, "inference_coef": 3.0},
        "attribute_dropout": {},
    }
