"""Facts about a model from its checkpoint's files, without building a module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from typing import Any

from pipelines.models.backends import AUDIOCRAFT, TRANSFORMERS
from pipelines.models.broken_weights import BrokenWeight, broken_weights
from pipelines.models.checkpoint_configuration import refuse_unknown_settings, require_conditioners
from pipelines.models.checkpoint_schema import CODEC, LANGUAGE_MODEL
from pipelines.models.checkpoint_tensors import (
    require_codec_sizes,
    require_language_model_sizes,
)
from pipelines.models.checkpoints import (
    CODEC_FILE,
    FILES,
    HUB_NAMES,
    LANGUAGE_MODEL_FILE,
    Checkpoint,
    configuration_of,
    read_package,
    unsupported,
)
from pipelines.models.conversion.audiocraft_view import RECORD, audiocraft_view
from pipelines.models.conversion.transformers_files import CONFIG, FEATURES, GENERATION, WEIGHTS
from pipelines.models.fingerprints import fingerprint
from pipelines.models.loading import (
    build_codec,
    conditioner_settings,
    text_encoder_folder,
    text_encoder_settings,
)
from pipelines.models.text_encoder_files import text_encoder_state, text_encoder_width
from store.errors import ModelError
from store.records import ModelInfo, decoder_sites

CODEC_SECTIONS = ("compression_model", "encodec", "seanet", "rvq")
LONGEST_DELAY = 1000
PUBLISHED_LICENCE = "CC-BY-NC-4.0"
"""Of the weights that Meta published, as their model cards say."""
KNOWN_CONDITIONERS = {"t5", "lut", "chroma_stem"}
LANGUAGE_MODEL_SECTIONS = ("lm_model", "transformer_lm", "codebooks_pattern", "conditioners", "fuser")


@dataclass(frozen=True, slots=True)
class DescribedCheckpoint:
    """Facts about a checkpoint and the packages they were read from."""

    info: ModelInfo
    package: Mapping[str, Any]
    codec_package: Mapping[str, Any]
    broken: tuple[BrokenWeight, ...] = ()
    """Tensors that hold NaN or infinity."""


@dataclass(frozen=True, slots=True)
class _CodecFacts:
    sample_rate: int
    frame_rate: float
    codebooks: int
    codebook_size: int
    fingerprint: str


def describe_checkpoint(checkpoint: Checkpoint) -> DescribedCheckpoint:
    """Read both packages, check that the model is supported, hash its tensors; kept until the files change.

    Raises:
        ModelError: A file is missing or damaged, or the model is of another kind.
    """
    folder = checkpoint.folder
    others = (CONFIG, GENERATION, FEATURES, RECORD, *WEIGHTS)
    files = [folder / name for name in (FILES if checkpoint.backend == AUDIOCRAFT else others)]
    files += sorted(folder.glob("*.safetensors")) if checkpoint.backend == TRANSFORMERS else []
    return _described(checkpoint, tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files))


@lru_cache(maxsize=4)
def _described(checkpoint: Checkpoint, written: tuple[int, ...]) -> DescribedCheckpoint:  # noqa: ARG001
    parts = _parts(checkpoint)
    package, codec_package = parts.package, parts.codec_package
    configuration = _language_model_configuration(checkpoint.name, package, parts.where)
    encoders = parts.text_encoders(configuration)
    transformer = configuration.transformer_lm
    channels = _channels(checkpoint.name, _plain(configuration))
    codec = _codec_facts(codec_package, parts.codec_where, codebooks=transformer.n_q, channels=channels)
    info = ModelInfo(
        name=checkpoint.name,
        fingerprint=fingerprint(
            _sections(configuration, LANGUAGE_MODEL_SECTIONS), package["best_state"], *encoders.local
        ),
        codec_fingerprint=codec.fingerprint,
        layers=transformer.num_layers,
        width=transformer.dim,
        codebooks=transformer.n_q,
        codebook_size=transformer.card,
        frame_rate=codec.frame_rate,
        sample_rate=codec.sample_rate,
        random_weights=bool(package.get("random_weights", False)),
        revision=checkpoint.revision,
        melody=_has_chroma(configuration),
        max_seconds=float(configuration.dataset.segment_duration),
        delays=_delays(checkpoint.name, _plain(configuration)),
        cross_attention=bool(configuration.fuser.cross),
        text_encoder=", ".join(encoders.names),
        sites=decoder_sites(
            layers=transformer.num_layers,
            width=transformer.dim,
            heads=_readable_heads(transformer),
            cross_attention=bool(configuration.fuser.cross),
        ),
        licence=PUBLISHED_LICENCE if checkpoint.name in HUB_NAMES else "",
        channels=channels,
    )
    if codec.codebooks < info.codebooks // channels or codec.codebook_size != info.codebook_size:
        raise ModelError(
            f"Codec and decoder of {checkpoint.name!r} do not belong together: {codec.codebooks} codebooks "
            f"of {codec.codebook_size} tokens against {info.codebooks // channels} of {info.codebook_size}."
        )
    broken = broken_weights(
        package["best_state"], codec_package.get("best_state", {}), blocks=transformer.num_layers
    )
    return DescribedCheckpoint(info, package, codec_package, broken)


@dataclass(frozen=True, slots=True)
class _TextEncoders:
    names: tuple[str, ...]
    local: tuple[Mapping[str, Any], ...]
    """Tensors of those that the checkpoint holds itself; of the others a fingerprint covers the names."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """A checkpoint in audiocraft's words, in whichever format it lies."""

    package: Mapping[str, Any]
    codec_package: Mapping[str, Any]
    where: str
    codec_where: str
    text_encoders: Callable[[Any], _TextEncoders]
    """From the configuration of the language model."""


def _parts(checkpoint: Checkpoint) -> _Parts:
    if checkpoint.backend == TRANSFORMERS:
        view, where = audiocraft_view(checkpoint.folder), str(checkpoint.folder)
        name = view.text_encoder_name
        local = (view.text_encoder,) if name.startswith("./") else ()
        return _Parts(view.package, view.codec_package, where, where, lambda _: _TextEncoders((name,), local))
    files = [checkpoint.folder / name for name in (LANGUAGE_MODEL_FILE, CODEC_FILE)]
    return _Parts(
        read_package(files[0]),
        read_package(files[1]),
        str(files[0]),
        str(files[1]),
        partial(_text_encoders, checkpoint),
    )


def _language_model_configuration(name: str, package: Mapping[str, Any], where: str) -> Any:
    """What the decoder is, once it is known to be supported and to be what the file holds."""
    if "pretrained" in package:
        raise ModelError(f"{where} names a published codec; a language model belongs there (export_lm).")
    configuration = configuration_of(package, LANGUAGE_MODEL, where)
    plain = _plain(configuration)
    require_conditioners(plain, where)
    _refuse_other_architectures(name, configuration)
    _delays(name, plain)
    _channels(name, plain)
    refuse_unknown_settings(plain, where)
    require_language_model_sizes(plain, package["best_state"], where)
    return configuration


def _refuse_other_architectures(name: str, configuration: Any) -> None:
    kinds = {settings.model for settings in conditioner_settings(configuration)}
    unknown = sorted(kinds - KNOWN_CONDITIONERS)
    problem = ""
    if configuration.lm_model != "transformer_lm":
        problem = f"its decoder is a {configuration.lm_model}, not an autoregressive transformer"
    elif not configuration.transformer_lm.get("norm_first", False):
        problem = "its blocks normalise after adding, so there is no residual stream"
    elif unknown:
        problem = f"it is conditioned by {', '.join(unknown)}"
    if problem:
        raise unsupported(name, problem)


def _has_chroma(configuration: Any) -> bool:
    return any(settings.model == "chroma_stem" for settings in conditioner_settings(configuration))


def _readable_heads(transformer: Any) -> int:
    """Heads of the self-attention; 0 where torch's own module computes it, which hides their outputs."""
    is_audiocrafts_own = transformer.get("custom", False) or transformer.get("memory_efficient", False)
    return int(transformer.num_heads) if is_audiocrafts_own else 0


def _delays(name: str, plain: Mapping[str, Any]) -> tuple[int, ...]:
    codebooks = int(plain["transformer_lm"]["n_q"])
    pattern = plain["codebooks_pattern"]
    modeling = pattern["modeling"] or plain["transformer_lm"].get("q_modeling")
    settings = (pattern.get(modeling) if modeling else None) or {}
    if modeling == "parallel":
        return (0,) * codebooks
    if modeling != "delay" or settings.get("flatten_first") or settings.get("empty_initial"):
        raise ModelError(
            f"{name!r} interleaves its codebooks by {modeling!r}; only a plain delay is supported."
        )
    delays = settings.get("delays") or list(range(codebooks))
    legal = isinstance(delays, list) and all(isinstance(d, int) and 0 <= d <= LONGEST_DELAY for d in delays)
    if not legal or len(delays) != codebooks or sorted(delays) != delays:
        raise ModelError(
            f"{name!r} delays its codebooks by {str(delays)[:60]} (codebooks_pattern.delay.delays of "
            f"xp.cfg); it must be {codebooks} whole numbers from 0 to {LONGEST_DELAY:,} that do not fall."
        )
    return tuple(delays)


def _channels(name: str, plain: Mapping[str, Any]) -> int:
    """2 where the codebooks of two channels take turns."""
    stereo = plain.get("interleave_stereo_codebooks") or {}
    if not stereo.get("use", False):
        return 1
    codebooks, delays = int(plain["transformer_lm"]["n_q"]), _delays(name, plain)
    if stereo.get("per_timestep", False):
        raise ModelError(
            f"{name!r} is a stereo model whose channels take turns in time (interleave_stereo_codebooks."
            "per_timestep of xp.cfg); those of one step, as in every published model, are supported."
        )
    if codebooks % 2 or delays[::2] != delays[1::2]:
        raise ModelError(
            f"{name!r} is a stereo model with {codebooks} codebooks delayed by {delays}; left and right need "
            "as many each, and delayed alike."
        )
    return 2


def _text_encoders(checkpoint: Checkpoint, configuration: Any) -> _TextEncoders:
    """Those of a checkpoint in audiocraft's format, once their files are what their configurations say."""
    names = [settings.name for settings in text_encoder_settings(configuration)]
    folders = [text_encoder_folder(checkpoint, name) for name in names]
    for folder in folders:
        text_encoder_width(folder)
    shown = (
        f"{name}@{folder.name}" if folder.parent.name == "snapshots" else name
        for name, folder in zip(names, folders, strict=True)
    )
    local = (
        text_encoder_state(folder)
        for name, folder in zip(names, folders, strict=True)
        if name.startswith("./")
    )
    return _TextEncoders(tuple(shown), tuple(local))


def _codec_facts(package: Mapping[str, Any], where: str, *, codebooks: int, channels: int) -> _CodecFacts:
    """Codebooks and channels are those the decoder uses: the fingerprint has them, as stored codes do."""
    used = {"codebooks": codebooks, **({} if channels == 1 else {"channels": channels})}
    if "pretrained" in package:
        return _published_codec_facts(package, used)
    configuration = configuration_of(package, CODEC, where)
    encodec = configuration.encodec
    kinds = (configuration.compression_model, encodec.autoencoder, encodec.quantizer)
    if kinds != ("encodec", "seanet", "rvq") or encodec.channels != 1:
        raise ModelError(
            f"{where}: only mono EnCodec codecs (a SEANet with a residual quantizer) are supported."
        )
    plain = _plain(configuration)
    refuse_unknown_settings(plain, where)
    require_codec_sizes(plain, package["best_state"], where)
    sections = {**_sections(configuration, CODEC_SECTIONS), **used}
    return _CodecFacts(
        sample_rate=configuration.encodec.sample_rate,
        frame_rate=configuration.encodec.sample_rate / prod(configuration.seanet.ratios),
        codebooks=configuration.rvq.n_q,
        codebook_size=configuration.rvq.bins,
        fingerprint=fingerprint(sections, package["best_state"]),
    )


def _published_codec_facts(package: Mapping[str, Any], used: Mapping[str, int]) -> _CodecFacts:
    codec = build_codec(package, device="cpu")
    if codec.channels != 1:
        raise ModelError(
            f"The codec {package['pretrained']!r} has {codec.channels} channels; a codec hears one at a time."
        )
    identity = {"pretrained": package["pretrained"], **used}
    return _CodecFacts(
        sample_rate=codec.sample_rate,
        frame_rate=float(codec.frame_rate),
        codebooks=codec.total_codebooks,
        codebook_size=codec.cardinality,
        fingerprint=fingerprint(identity, codec.state_dict()),
    )


def _sections(configuration: Any, names: tuple[str, ...]) -> dict[str, Any]:
    plain = _plain(configuration)
    return {name: plain[name] for name in names}


def _plain(configuration: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    values: Any = OmegaConf.to_container(configuration)
    return dict(values)
