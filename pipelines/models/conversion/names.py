"""Names of the same tensors in both formats; everywhere else in Undertone they have audiocraft's.

audiocraft keeps the projections of an attention's queries, keys and values as one matrix, transformers as
three.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

AUDIO_ENCODER, TEXT_ENCODER = "audio_encoder.", "text_encoder."
"""What the names of transformers begin with for the codec and for the text encoder."""
CHROMA_WINDOW = re.compile(r"condition_provider\.conditioners\.[\w-]+\.chroma\.spec\.window")
"""The one buffer of audiocraft's files that transformers computes instead."""
NOT_WEIGHTS = re.compile(r"decoder\.model\.decoder\.embed_positions\.weights|.*\.position_ids")
"""What files of older versions of transformers hold beside weights: sines, and numbers of places."""
_DECODER = "decoder.model.decoder."
_IN_PLACE = {
    "self_attn.out_proj.weight": "self_attn.out_proj.weight",
    "norm1.weight": "self_attn_layer_norm.weight",
    "norm1.bias": "self_attn_layer_norm.bias",
    "linear1.weight": "fc1.weight",
    "linear2.weight": "fc2.weight",
    "norm2.weight": "final_layer_norm.weight",
    "norm2.bias": "final_layer_norm.bias",
}
_CROSS = {
    "cross_attention.out_proj.weight": "encoder_attn.out_proj.weight",
    "norm_cross.weight": "encoder_attn_layer_norm.weight",
    "norm_cross.bias": "encoder_attn_layer_norm.bias",
}
WEIGHT_NORM = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor stands in both formats."""

    audiocraft: str
    transformers: tuple[str, ...]
    """One name, three whose tensors follow one another along the first axis, or none of an identity."""


def decoder_places(
    *,
    layers: int,
    codebooks: int,
    cross_attention: bool,
    text: str,
    melody: str | None,
    unprojected: Collection[str] = (),
) -> Iterator[Place]:
    """The decoder's tensors and those that project its conditions.

    Args:
        layers: Of the decoder.
        codebooks: That it reads and writes.
        cross_attention: Whether its blocks attend to the conditions.
        text: audiocraft's name of the conditioner for texts.
        melody: Likewise for melodies; None where the model takes none.
        unprojected: Of these two, those as wide as the decoder: transformers has no projection there.
    """
    for k in range(codebooks):
        yield Place(f"emb.{k}.weight", (f"{_DECODER}embed_tokens.{k}.weight",))
        yield Place(f"linears.{k}.weight", (f"decoder.lm_heads.{k}.weight",))
    for layer in range(layers):
        yield from _of_block(
            f"transformer.layers.{layer}.", f"{_DECODER}layers.{layer}.", cross=cross_attention
        )
    projections = {"enc_to_dec_proj": text, "audio_enc_to_dec_proj": melody}
    for kind in ("weight", "bias"):
        yield Place(f"out_norm.{kind}", (f"{_DECODER}layer_norm.{kind}",))
        for theirs, conditioner in projections.items():
            if conditioner is not None:
                ours = f"condition_provider.conditioners.{conditioner}.output_proj.{kind}"
                yield Place(ours, () if conditioner in unprojected else (f"{theirs}.{kind}",))


def _of_block(ours: str, theirs: str, *, cross: bool) -> Iterator[Place]:
    attentions = {"self_attn": "self_attn"} | ({"cross_attention": "encoder_attn"} if cross else {})
    for name, other in attentions.items():
        parts = tuple(f"{theirs}{other}.{part}_proj.weight" for part in "qkv")
        yield Place(f"{ours}{name}.in_proj_weight", parts)
    for name, other in (_IN_PLACE | (_CROSS if cross else {})).items():
        yield Place(ours + name, (theirs + other,))


def codec_names(configuration: Mapping[str, Any], names: Iterator[str]) -> dict[str, str]:
    """Audiocraft's names of a codec's tensors, by those of transformers, which begin with "audio_encoder.".

    Args:
        configuration: audiocraft's sections of the codec.
        names: Of transformers, as any version of it writes them.
    """
    transposed = _transposed_convolutions(configuration["seanet"])
    return {name: _codec_name(name.removeprefix(AUDIO_ENCODER), transposed) for name in names}


def codec_name_of_transformers(name: str) -> str:
    """The name that transformers has for a tensor of audiocraft's codec."""
    name = re.sub(r"^(encoder|decoder)\.model\.", r"\1.layers.", name)
    name = name.replace(".conv.conv.", ".conv.").replace(".convtr.convtr.", ".conv.")
    name = re.sub(r"weight_[gv]$", lambda found: WEIGHT_NORM[found[0]], name)
    return AUDIO_ENCODER + re.sub(
        r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"quantizer.layers.\1.codebook.", name
    )


def _codec_name(name: str, transposed: frozenset[str]) -> str:
    for ours, theirs in WEIGHT_NORM.items():
        name = name.replace(theirs, ours)
    name = re.sub(r"^quantizer\.layers\.(\d+)\.codebook\.", r"quantizer.vq.layers.\1._codebook.", name)
    layer = re.match(r"decoder\.layers\.(\d+)\.", name)
    kind = "convtr" if layer and layer[1] in transposed else "conv"
    name = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", name)
    return re.sub(r"\.conv\.(?=weight|bias)", f".{kind}.{kind}.", name)


def _transposed_convolutions(seanet: Mapping[str, Any]) -> frozenset[str]:
    """Numbers of the decoder's layers that make more samples.

    It begins with a convolution and an LSTM; each ratio has an activation, such a layer, and residual blocks.
    """
    stage = 2 + int(seanet["n_residual_layers"])
    return frozenset(str(3 + stage * number) for number in range(len(seanet["ratios"])))
