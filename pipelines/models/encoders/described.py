"""Facts about an audio encoder in the format of transformers, from its files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipelines.models.backends import TRANSFORMERS
from pipelines.models.conversion.transformers_files import (
    CONFIG,
    FEATURES,
    WEIGHTS,
    is_transformers_folder,
    read_json,
    read_tensors,
)
from pipelines.models.encoders.clap import ClapFamily
from pipelines.models.encoders.codecs import CodecFamily
from pipelines.models.encoders.remote_code import brings_code, check_trusted, family_of_code
from pipelines.models.encoders.waveforms import WaveformFamily
from pipelines.models.encoders.whisper import WhisperFamily
from pipelines.models.fingerprints import fingerprint
from pipelines.models.own_code import code_of
from store.errors import ModelError
from store.records import ModelInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.models.checkpoints import Checkpoint
    from pipelines.models.encoders.family import EncoderFamily

FAMILIES: Mapping[str, EncoderFamily] = {
    "clap": ClapFamily(),
    "dac": CodecFamily("downsampling_ratios", "hidden_state"),
    "data2vec-audio": WaveformFamily(),
    "encodec": CodecFamily("upsampling_ratios", "hidden_states"),
    "hubert": WaveformFamily(),
    "unispeech": WaveformFamily(),
    "unispeech-sat": WaveformFamily(),
    "wav2vec2": WaveformFamily(),
    "wavlm": WaveformFamily(heads=False),
    "whisper": WhisperFamily(),
}
"""By the model_type of config.json."""
VOLATILE = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures")
"""Settings that say nothing about what an encoder computes."""


UNREADABLE = (AttributeError, ImportError, KeyError, OSError, TypeError, ValueError)
"""What transformers raises for files that are damaged."""


@dataclass(frozen=True, slots=True)
class DescribedEncoder:
    """What an encoder is, with transformers' own settings of it."""

    info: ModelInfo
    family: EncoderFamily
    config: Any
    extractor: Any
    """Its feature extractor; None where it needs none."""


def is_encoder(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is an encoder that is read.

    Raises:
        ModelError: it brings code, which nobody asked to run.
    """
    if checkpoint.backend != TRANSFORMERS or not is_transformers_folder(checkpoint.folder):
        return False
    settings = read_json(checkpoint.folder / CONFIG)
    if settings.get("model_type") in FAMILIES:
        return True
    if not brings_code(settings):
        return False
    check_trusted(checkpoint, settings)
    return True


def describe_encoder(checkpoint: Checkpoint) -> DescribedEncoder:
    """What an encoder is; kept until its files change.

    Raises:
        ModelError: a file is missing or damaged, or this one of its family cannot be read.
    """
    folder = checkpoint.folder
    files = [folder / CONFIG, folder / FEATURES, *(folder / name for name in WEIGHTS)]
    files += sorted(folder.rglob("*.py")) if checkpoint.trusted else []
    return _described(checkpoint, tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files))


@lru_cache(maxsize=4)
def _described(checkpoint: Checkpoint, written: tuple[int, ...]) -> DescribedEncoder:  # noqa: ARG001
    folder = checkpoint.folder
    settings = read_json(folder / CONFIG)
    family = FAMILIES.get(settings["model_type"]) or family_of_code(checkpoint.name, settings)
    code = code_of(folder) if settings["model_type"] not in FAMILIES else ()
    config, extractor = _settings_of(folder, has_extractor=family.has_extractor, trusted=bool(code))
    try:
        shape = family.shape(config, extractor)
    except ModelError as error:
        raise ModelError(f"{checkpoint.name!r} cannot be read: {error}") from error
    identity = {
        "config": _settled(settings),
        "extractor": _settled(read_json(folder / FEATURES)) if family.has_extractor else None,
        **({"code": dict(code)} if code else {}),
    }
    info = ModelInfo(
        name=checkpoint.name,
        fingerprint=fingerprint(identity, read_tensors(folder)),
        codec_fingerprint="",
        layers=max(site.layers for site in shape.sites),
        width=shape.sites[-1].width,
        codebooks=0,
        codebook_size=0,
        frame_rate=shape.frame_rate,
        sample_rate=shape.sample_rate,
        random_weights=False,
        revision=checkpoint.revision,
        max_seconds=shape.max_seconds,
        cross_attention=False,
        sites=shape.sites,
        abilities=(),
        takes_text=False,
        reach_samples=shape.reach_samples,
        code=code,
        trust_remote_code=bool(code),
    )
    return DescribedEncoder(info, family, config, extractor)


def _settings_of(folder: Path, *, has_extractor: bool, trusted: bool) -> tuple[Any, Any]:
    """Transformers' configuration and feature extractor; a folder's own code is run if trusted."""
    from pipelines.scorers.clap_transformers import quiet_transformers

    if has_extractor and not (folder / FEATURES).is_file():
        raise ModelError(
            f"{folder} lacks {FEATURES}: how audio becomes its input is not known. Copy that file, too."
        )
    try:
        with quiet_transformers():
            from transformers import AutoConfig, AutoFeatureExtractor

            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trusted)
            if not has_extractor:
                return config, None
            extractor: Any = AutoFeatureExtractor.from_pretrained(
                folder, local_files_only=True, trust_remote_code=trusted
            )
            return config, extractor
    except Exception as error:
        if not trusted and not isinstance(error, UNREADABLE):
            raise
        raise unread(folder, error) from error


def unread(folder: Path, error: Exception) -> ModelError:
    """The error of a folder that transformers cannot read."""
    reason = (str(error).strip().splitlines() or [""])[0][:200]
    return ModelError(
        f"The encoder in {folder} cannot be read ({type(error).__name__}: {reason}). A file of it is damaged "
        "or incomplete: copy the folder again."
    )


def _settled(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {key: _settled(value) for key, value in settings.items() if key not in VOLATILE}
    return settings
