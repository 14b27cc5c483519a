"""Folders in the format of transformers whose model is code that lies beside the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.models.encoders.waveforms import WaveformFamily
from store.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.models.checkpoints import Checkpoint
    from pipelines.models.encoders.family import EncoderFamily

CODE = "auto_map"
"""In config.json, the classes by what they are for: "AutoModel": "modeling_MERT.MERTModel"."""
OF_WAVEFORMS = ("conv_kernel", "conv_stride", "hidden_size", "num_attention_heads", "num_hidden_layers")
"""Settings of a transformer over a convolution of the waveform."""
KNOWN = {"mert_model": WaveformFamily()}
"""Families by the model_type of published code; MERT's is HuBERT's architecture."""


def brings_code(settings: Mapping[str, Any]) -> bool:
    """Whether transformers computes a model by code of its folder alone."""
    if not isinstance(settings.get(CODE), dict) or "AutoModel" not in settings[CODE]:
        return False
    from transformers import CONFIG_MAPPING

    return settings.get("model_type") not in CONFIG_MAPPING


def check_trusted(checkpoint: Checkpoint, settings: Mapping[str, Any]) -> None:
    """Refuse code that nobody asked to run, or that lies elsewhere than the weights; raises ModelError."""
    classes = sorted({str(one) for one in settings[CODE].values() if isinstance(one, str)})
    if elsewhere := [one for one in classes if "--" in one]:
        raise ModelError(
            f"{checkpoint.name!r} takes its code from another repository ({elsewhere[0][:100]}), where it "
            "may change at any time: copy that code beside the weights, and name it so in config.json."
        )
    if not checkpoint.trusted:
        files = sorted({f"{one.split('.')[0]}.py" for one in classes})
        raise ModelError(
            f"{checkpoint.name!r} is computed by code that comes with it, {', '.join(files)[:200]} in "
            f"{checkpoint.folder}, which is not run unless you say so. Read it; then --trust-remote-code (in "
            "Python trust_remote_code=True) runs it and records its SHA-256."
        )


def family_of_code(name: str, settings: Mapping[str, Any]) -> EncoderFamily:
    """The family that a folder's code belongs to, by its settings; raises ModelError where it is none."""
    if (known := KNOWN.get(settings["model_type"])) is not None:
        return known
    if all(setting in settings for setting in OF_WAVEFORMS):
        return WaveformFamily(heads=False)
    raise _unknown(name)


def refuse_unknown_blocks(name: str, part: Any) -> None:
    """Raise ModelError where a folder's code made other blocks than its settings promised."""
    blocks = getattr(getattr(part, "encoder", None), "layers", None)
    if not blocks or not all(hasattr(blocks[0], one) for one in ("attention", "feed_forward")):
        raise _unknown(name)


def _unknown(name: str) -> ModelError:
    return ModelError(
        f"{name!r} is an architecture of its own, and where its activations pass is not known: it is no "
        "transformer over a convolution of the waveform. Name the modules in a file: --model-file."
    )
