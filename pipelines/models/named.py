"""Describe and load models by name, whichever back-end they need."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.models.placement import check_placement

if TYPE_CHECKING:
    from pipelines.models.checkpoints import Checkpoint
    from pipelines.models.own_code import NamedModel
    from pipelines.models.protocol import LoadedModel, ReadableModel
    from store.records import ModelInfo


def describe_model(name: NamedModel) -> ModelInfo:
    """What a model is, from its checkpoint's files alone: no module is built, audiocraft is not imported.

    A torch module of a user's own is loaded for it.

    Args:
        name: As for `load_named_model`.

    Raises:
        ModelError: The checkpoint is missing, damaged or unsupported.
        NotFound: There is no model of that name.
    """
    from pipelines.models.encoders.described import describe_encoder, is_encoder
    from pipelines.models.facts import describe_checkpoint
    from pipelines.models.own_code import own_module

    if (own := own_module(name)) is not None:
        from pipelines.models.encoders.own_module import describe_own_module

        return describe_own_module(own)
    checkpoint = _checkpoint(name)
    if is_encoder(checkpoint):
        return describe_encoder(checkpoint).info
    return describe_checkpoint(checkpoint).info


def check_weights(name: NamedModel, *, last_block: int | None) -> tuple[str, ...]:
    """Notes on a model's weights; raises ModelError where passes up to that block would meet NaN or infinity.

    Args:
        name: As for `load_named_model`.
        last_block: The last decoder block that is computed, None where sound is generated.
    """
    from pipelines.models.broken_weights import note_on_weights, refuse_broken_weights
    from pipelines.models.encoders.described import is_encoder
    from pipelines.models.facts import describe_checkpoint
    from pipelines.models.own_code import own_module

    if own_module(name) is not None:
        return ()
    checkpoint = _checkpoint(name)
    if is_encoder(checkpoint):  # which is looked at as it is loaded
        return ()
    described = describe_checkpoint(checkpoint)
    refuse_broken_weights(described.info.name, described.broken, last_block=last_block)
    return (note_on_weights(described.info.name, described.broken),) if described.broken else ()


def check_tokenizer(name: NamedModel) -> None:
    """Raise ModelError where a model's folder holds a tokenizer that cannot be loaded, before work begins."""
    from pipelines.models.backends import TRANSFORMERS
    from pipelines.models.encoders.described import is_encoder
    from pipelines.models.facts import describe_checkpoint
    from pipelines.models.loading import text_encoder_folder
    from pipelines.models.own_code import own_module
    from pipelines.models.text_encoder_files import load_tokenizer
    from pipelines.models.transformers_modules import quiet_transformers

    if own_module(name) is not None:
        return
    checkpoint = _checkpoint(name)
    if is_encoder(checkpoint):  # which takes no text
        return
    named = describe_checkpoint(checkpoint).info.text_encoder
    folders = [checkpoint.folder] if checkpoint.backend == TRANSFORMERS else []
    if not folders and named.startswith("./"):
        folders = [text_encoder_folder(checkpoint, one) for one in named.split(", ")]
    with quiet_transformers():
        for folder in folders:
            load_tokenizer(folder)


def load_named_model(
    name: NamedModel, *, device: str = "cpu", dtype: str = "float32", last_block: int | None = None
) -> LoadedModel:
    """Load a model that runs over codes: `load_readable_model`, but for encoders.

    Raises:
        InvalidInput: It is an encoder, or device or dtype are not legal here.
    """
    from pipelines.models.protocol import with_codes

    check_placement(device, dtype)
    describe_model(name).require("encode")
    return with_codes(load_readable_model(name, device=device, dtype=dtype, last_block=last_block))


def load_readable_model(
    name: NamedModel, *, device: str = "cpu", dtype: str = "float32", last_block: int | None = None
) -> ReadableModel:
    """Load a model, an audio encoder or one that runs over codes.

    Args:
        name: "pocket", "pocket-clap", "pocket-random", a plug-in's, a hub name such as
            "facebook/musicgen-small" (with "@revision" where one is to be pinned), or a folder in
            audiocraft's format or in that of transformers, also of an audio encoder; "transformers:" or
            "audiocraft:" before it chooses where there are both. A `ModelFile` or a `TrustedModel` brings
            code that is run.
        device: "cpu" or "cuda"; choose among several GPUs with CUDA_VISIBLE_DEVICES.
        dtype: Of the decoder's matrices: "float32", "bfloat16" or "float16". The codec is always float32.
        last_block: The last decoder block that passes will compute, None for all and the output heads: only
            weights behind it may hold NaN or infinite values.

    Raises:
        InvalidInput: Device or dtype are not legal here.
        ModelError: The checkpoint is missing, damaged or unsupported.
        NotFound: There is no model of that name.
    """
    from pipelines.models.backends import TRANSFORMERS
    from pipelines.models.encoders.described import is_encoder
    from pipelines.models.own_code import own_module

    check_placement(device, dtype)
    if (own := own_module(name)) is not None:
        from pipelines.models.encoders.own_module import load_own_module

        return load_own_module(own, device=device, dtype=dtype)
    checkpoint = _checkpoint(name)
    if is_encoder(checkpoint):
        from pipelines.models.encoders.encoder import load_encoder

        return load_encoder(checkpoint, device=device, dtype=dtype)
    if checkpoint.backend == TRANSFORMERS:
        from pipelines.models.transformers_musicgen import load_transformers_musicgen

        return load_transformers_musicgen(checkpoint, device=device, dtype=dtype, last_block=last_block)
    from pipelines.models.musicgen import load_musicgen_checkpoint

    return load_musicgen_checkpoint(checkpoint, device=device, dtype=dtype, last_block=last_block)


def pinned_name(name: NamedModel) -> NamedModel:
    """The same model by the commit and the back-end that it has now, for workers elsewhere."""
    from pipelines.models.backends import split_backend, with_backend
    from pipelines.models.own_code import ModelFile, TrustedModel, own_module

    if isinstance(name, ModelFile) or own_module(name) is not None:
        return name
    checkpoint = _checkpoint(name)
    if checkpoint.revision is None:
        return name
    _, repository = split_backend(name.name if isinstance(name, TrustedModel) else name)
    pinned = with_backend(f"{repository.partition('@')[0]}@{checkpoint.revision}", checkpoint.backend)
    return TrustedModel(pinned) if isinstance(name, TrustedModel) else pinned


def _checkpoint(name: NamedModel) -> Checkpoint:
    """Where the checkpoint of a model lies; of a trusted one with the code beside its weights."""
    from pipelines.models.checkpoints import resolve_checkpoint
    from pipelines.models.hub import hub_folder
    from pipelines.models.own_code import TrustedModel

    if not isinstance(name, TrustedModel):
        assert isinstance(name, str)  # files are torch modules
        return resolve_checkpoint(name)
    found = replace(resolve_checkpoint(name.name), trusted=True)
    if found.revision is not None:
        hub_folder(found.name, ("config.json", "*.py"), revision=found.revision)
    return found
