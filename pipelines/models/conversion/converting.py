"""Convert a checkpoint from audiocraft's format to that of transformers or back, tensor by tensor.

Everything is written into a folder beside the target, which gets its name when it is whole. Tensors keep
their values and their number formats.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from pipelines.models.backends import AUDIOCRAFT, TRANSFORMERS
from pipelines.models.checkpoint_configuration import read_configuration, require_conditioners
from pipelines.models.checkpoint_schema import CODEC, LANGUAGE_MODEL
from pipelines.models.checkpoints import (
    CODEC_FILE,
    LANGUAGE_MODEL_FILE,
    RAW_FILE,
    Checkpoint,
    part_folder,
    read_package,
)
from pipelines.models.conversion.audiocraft_view import (
    EXTRA_TENSORS,
    RECORD,
    audiocraft_view,
    places_of,
    text_encoder_fingerprint,
)
from pipelines.models.conversion.names import (
    AUDIO_ENCODER,
    CHROMA_WINDOW,
    TEXT_ENCODER,
    Place,
    codec_name_of_transformers,
)
from pipelines.models.conversion.packages import export, write_package
from pipelines.models.conversion.safetensors_shards import (
    LARGEST_SHARD,
    PlannedTensor,
    write_safetensors,
    write_shards,
)
from pipelines.models.conversion.to_audiocraft import codec_sections
from pipelines.models.conversion.to_transformers import (
    codec_configuration,
    conditioners,
    feature_configuration,
    generation_configuration,
    no_word,
    transformers_configuration,
)
from pipelines.models.conversion.transformers_files import (
    CONFIG,
    DEFAULTS,
    FEATURES,
    GENERATION,
    is_transformers_folder,
    read_json,
    read_tensors,
)
from pipelines.models.hub import hub_folder
from pipelines.models.loading import PUBLISHED_CODEC_FILES, text_encoder_folder
from pipelines.models.text_encoder_files import WEIGHTS as TEXT_WEIGHTS
from pipelines.models.text_encoder_files import load_tokenizer, text_encoder_width
from pipelines.models.transformers_modules import require_shapes, shapes_of
from store.errors import InvalidInput, ModelError

TOKENIZER_FILES = ("*.model", "tokenizer*", "special_tokens_map*")
NAMED = 3


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion wrote."""

    folder: Path
    source_format: str
    """"audiocraft", "transformers" or "dora"."""
    format: str
    tensors: int
    nbytes: int


def convert(
    source: Path, target: Path, *, codec: str | None = None, largest_shard: int = LARGEST_SHARD
) -> Converted:
    """Write a checkpoint in the other format.

    Args:
        source: A folder in either format, a `checkpoint.th` of Dora, or a folder that holds one.
        target: A folder that is not there yet.
        codec: For a `checkpoint.th` of a language model: the codec it was trained with, a file
            (`compression_state_dict.bin` or a `checkpoint.th`) or the name of a published one. By default
            what its configuration names.
        largest_shard: Bytes of a safetensors file.

    Raises:
        InvalidInput: The target is there already, or a codec is given where the source has one.
        ModelError: The source is missing, damaged, or has no counterpart in the other format.
    """
    if target.exists():
        raise InvalidInput(f"{target} is there already. Choose another folder, or delete it first.")
    raw = source if source.is_file() else source / RAW_FILE
    is_raw = raw.is_file() and not (source / LANGUAGE_MODEL_FILE).exists()
    if codec is not None and not is_raw:
        raise InvalidInput(f"{source} holds its codec: leave out --codec, which is for a {RAW_FILE}.")
    with _made_whole(target) as folder:
        if is_raw:
            tensors, kind, result = export(raw, folder, codec), "dora", AUDIOCRAFT
        elif is_transformers_folder(source) and not (source / LANGUAGE_MODEL_FILE).exists():
            tensors, kind, result = _to_audiocraft(source, folder), TRANSFORMERS, AUDIOCRAFT
        else:
            tensors, kind, result = _to_transformers(source, folder, largest_shard), AUDIOCRAFT, TRANSFORMERS
    nbytes = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    return Converted(target, kind, result, tensors, nbytes)


@contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """A new folder that is called `target` once the block has ended well, and is gone after an error."""
    folder = target.with_name(f".{target.name}.part")
    shutil.rmtree(folder, ignore_errors=True)  # of a conversion that was killed
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InvalidInput(
            f"The folder {target} cannot be made ({error.strerror}): name a place where you may write."
        ) from error
    try:
        yield folder
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _to_transformers(source: Path, folder: Path, largest_shard: int) -> int:
    package, codec_package = read_package(source / LANGUAGE_MODEL_FILE), read_package(source / CODEC_FILE)
    where = str(source / LANGUAGE_MODEL_FILE)
    if "pretrained" in package:
        raise ModelError(f"{where} names a published codec; a language model belongs there (export_lm).")
    configuration = read_configuration(package["xp.cfg"], LANGUAGE_MODEL, where)
    require_conditioners(configuration, where)
    named = conditioners(configuration, where)
    codec, codec_tensors = _codec_of(codec_package, str(source / CODEC_FILE))
    text_name = str(configuration["conditioners"][named.text]["t5"]["name"])
    text_folder = text_encoder_folder(Checkpoint(source.name, source), text_name)
    text_encoder_width(text_folder)
    text = _text_encoder_tensors(text_folder)
    text_config = read_json(text_folder / CONFIG)
    config = transformers_configuration(configuration, codec, text_config, where)
    state = package["best_state"]
    places = places_of(configuration, named, text_config)
    _refuse_other_names(state, places, where)
    planned = [*_split(state, places, where), *codec_tensors, *_planned(text, TEXT_ENCODER)]
    require_shapes(config, {tensor.name: tensor.shape for tensor in planned}, where)
    write_shards(folder, planned, largest=largest_shard)
    extra = {name: state[name] for name in state if CHROMA_WINDOW.fullmatch(name)}
    if extra:
        write_safetensors(folder / EXTRA_TENSORS, _planned(extra))
    frames = codec["sampling_rate"] / prod(codec["upsampling_ratios"])
    _write_json(folder / CONFIG, config)
    _write_json(folder / GENERATION, generation_configuration(configuration, frames))
    _write_json(folder / FEATURES, feature_configuration(configuration, codec))
    _write_json(folder / RECORD, _record(package, codec_package, codec, text))
    _copy_tokenizer(text_folder, folder)
    return len(planned) + len(extra)


def _record(
    package: Mapping[str, Any],
    codec_package: Mapping[str, Any],
    codec: Mapping[str, Any],
    text: Mapping[str, torch.Tensor],
) -> dict[str, Any]:
    """What `audiocraft.json` keeps: all that transformers has no place for."""
    if "pretrained" in codec_package:
        held = {"xp.cfg": json.dumps(codec_sections({"audio_encoder": codec}, CODEC_FILE)), "exported": True}
    else:
        held = _scalars(codec_package)
    return {LANGUAGE_MODEL: _scalars(package), CODEC: held, "text_encoder": text_encoder_fingerprint(text)}


def _scalars(package: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in package.items() if isinstance(value, str | bool | int | float)}


def _codec_of(package: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[PlannedTensor]]:
    """The section `audio_encoder` and the tensors of a codec; one that is only named is fetched."""
    if "pretrained" in package:
        published = hub_folder(str(package["pretrained"]), PUBLISHED_CODEC_FILES)
        config = read_json(published / CONFIG)
        kept = {key: value for key, value in config.items() if key not in ("architectures", "torch_dtype")}
        config = {**DEFAULTS["audio_encoder"], **kept}
        return config, _planned(read_tensors(published), AUDIO_ENCODER)
    configuration = read_configuration(package["xp.cfg"], CODEC, where)
    state = package["best_state"]
    names = {codec_name_of_transformers(name): name for name in state}
    planned = [_planned_one(theirs, state[ours]) for theirs, ours in names.items()]
    return codec_configuration(configuration, where), planned


def _text_encoder_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """A T5's encoder: published ones hold their decoder, too."""
    found = read_tensors(folder)
    wanted = [name for name in found if not name.startswith(("decoder.", "lm_head."))]
    return {name: found[name] for name in wanted}


def _refuse_other_names(state: Mapping[str, torch.Tensor], places: list[Place], where: str) -> None:
    expected = {place.audiocraft for place in places}
    missing = sorted(expected - set(state))
    unknown = sorted(name for name in set(state) - expected if not CHROMA_WINDOW.fullmatch(name))
    if missing or unknown:
        what = f"lacks {', '.join(missing[:NAMED])}" if missing else f"holds {', '.join(unknown[:NAMED])}"
        raise ModelError(
            f"{where} {what}, unlike the MusicGen that its xp.cfg describes, so it has no counterpart in "
            "transformers."
        )


def _split(state: Mapping[str, torch.Tensor], places: list[Place], where: str) -> Iterator[PlannedTensor]:
    for place in places:
        tensor = state[place.audiocraft]
        count = len(place.transformers)
        if count == 0:
            if not _changes_nothing(tensor):
                raise no_word(where, f"a projection between parts of one width ({place.audiocraft})")
            continue
        if tensor.ndim < 1 or len(tensor) % count:
            raise ModelError(f"{where}: {place.audiocraft} has the shape {tuple(tensor.shape)}.")
        for name, part in zip(place.transformers, tensor.chunk(count), strict=True):
            yield _planned_one(name, part)


def _changes_nothing(tensor: torch.Tensor) -> bool:
    """Whether it is the weight or the bias of a linear layer that gives what it is given."""
    expected = torch.eye(len(tensor)) if tensor.ndim == 2 else torch.zeros_like(tensor)
    return torch.equal(tensor.float(), expected.float())


def _planned(tensors: Mapping[str, torch.Tensor], prefix: str = "") -> list[PlannedTensor]:
    return [_planned_one(prefix + name, tensors[name]) for name in tensors]


def _planned_one(name: str, tensor: torch.Tensor) -> PlannedTensor:
    """Mapped from its file until it is written."""
    return PlannedTensor(name, tensor.dtype, tuple(tensor.shape), lambda: tensor)


def _to_audiocraft(source: Path, folder: Path) -> int:
    view = audiocraft_view(source)
    tensors = read_tensors(source)
    require_shapes(view.config, shapes_of(tensors), str(source))
    write_package(folder / LANGUAGE_MODEL_FILE, view.package)
    write_package(folder / CODEC_FILE, view.codec_package)
    written = len(view.package["best_state"]) + len(view.codec_package["best_state"])
    if not view.text_encoder_name.startswith("./"):
        return written
    text_folder = part_folder(folder, view.text_encoder_name, str(source))
    text_folder.mkdir(parents=True)
    write_safetensors(text_folder / TEXT_WEIGHTS, _planned(view.text_encoder))
    _write_json(text_folder / CONFIG, view.text_config)
    _copy_tokenizer(source, text_folder)
    return written + len(view.text_encoder)


def _copy_tokenizer(source: Path, folder: Path) -> None:
    """One that is there must be readable; a model that was saved without one is converted without one."""
    files = [file for pattern in TOKENIZER_FILES for file in source.glob(pattern)]
    for file in files:
        shutil.copyfile(file, folder / file.name)
    if files:
        load_tokenizer(folder)


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(values, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
