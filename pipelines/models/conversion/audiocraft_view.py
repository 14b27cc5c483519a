"""Look at a folder in the format of transformers as if it were in audiocraft's: configurations and tensors.

So there is one description, one check and one fingerprint of a model, in whichever format it lies. A folder
that `undertone convert` wrote holds the configuration that the model had in audiocraft's format as well, in
`audiocraft.json`; it counts as long as it describes what `config.json` does.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.models.checkpoint_configuration import (
    read_configuration,
    refuse_unknown_settings,
    require_conditioners,
)
from pipelines.models.checkpoint_schema import CODEC, LANGUAGE_MODEL
from pipelines.models.checkpoint_tensors import require_codec_sizes, require_language_model_sizes
from pipelines.models.conversion.names import (
    AUDIO_ENCODER,
    CHROMA_WINDOW,
    TEXT_ENCODER,
    Place,
    codec_names,
    decoder_places,
)
from pipelines.models.conversion.to_audiocraft import (
    TEXT_FOLDER,
    codec_sections,
    language_model_sections,
)
from pipelines.models.conversion.to_transformers import (
    Conditioners,
    codec_configuration,
    conditioners,
    transformers_configuration,
    unprojected,
)
from pipelines.models.conversion.transformers_files import (
    FEATURES,
    GENERATION,
    LazyTensors,
    read_config,
    read_json,
    read_tensors,
    safetensors_readers,
)
from pipelines.models.fingerprints import fingerprint
from store.errors import ModelError

RECORD, EXTRA_TENSORS = "audiocraft.json", "audiocraft.safetensors"
LARGEST_RECORD = 1 << 20
NAMED = 3
"""Tensors that a message names."""


@dataclass(frozen=True, slots=True)
class AudiocraftView:
    """A model in the format of transformers, in audiocraft's words."""

    package: Mapping[str, Any]
    """As `state_dict.bin` holds it: "xp.cfg", "best_state" and what else was there."""
    codec_package: Mapping[str, Any]
    """As `compression_state_dict.bin` holds it."""
    configuration: Mapping[str, Any]
    """`xp.cfg` of the language model, checked."""
    text_encoder: Mapping[str, torch.Tensor]
    """The T5's tensors, under its own names."""
    text_config: Mapping[str, Any]
    text_encoder_name: str
    """"./…", or that of the published one which this is."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """`config.json` itself."""


def audiocraft_view(folder: Path) -> AudiocraftView:
    """The view of a folder.

    Raises:
        ModelError: A file is missing or damaged, the model is of another kind, or tensors do not fit.
    """
    where, config, tensors = str(folder), read_config(folder), read_tensors(folder)
    record = _record(folder)
    text_encoder = _below(tensors, TEXT_ENCODER)
    texts = _texts(folder, config, record)
    configuration = read_configuration(texts[LANGUAGE_MODEL], LANGUAGE_MODEL, where)
    codec = read_configuration(texts[CODEC], CODEC, where)
    require_conditioners(configuration, where)
    if record:
        _refuse_another_record(folder, config, configuration, codec)
    name = _text_encoder_name(configuration, record, text_encoder, where)
    if _rename_text_encoder(configuration, name, where):
        texts[LANGUAGE_MODEL] = json.dumps(configuration)
    state = _decoder_state(folder, configuration, tensors, config["text_encoder"], where)
    names = codec_names(codec, iter([name for name in tensors if name.startswith(AUDIO_ENCODER)]))
    codec_state = LazyTensors({ours: partial(tensors.__getitem__, theirs) for theirs, ours in names.items()})
    refuse_unknown_settings(configuration, where)
    require_language_model_sizes(configuration, state, where)
    require_codec_sizes(codec, codec_state, where)
    kept = record or {LANGUAGE_MODEL: {}, CODEC: {}}
    return AudiocraftView(
        package={**kept[LANGUAGE_MODEL], "xp.cfg": texts[LANGUAGE_MODEL], "best_state": state},
        codec_package={**kept[CODEC], "xp.cfg": texts[CODEC], "best_state": codec_state},
        configuration=configuration,
        text_encoder=text_encoder,
        text_config=config["text_encoder"],
        text_encoder_name=name,
        config=config,
    )


def text_encoder_fingerprint(tensors: Mapping[str, torch.Tensor]) -> str:
    """Tells whether a T5 inside a model is still the published one it was taken from."""
    return fingerprint({}, tensors)


def _texts(folder: Path, config: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, str]:
    """`xp.cfg` of both parts, as it was once or as `config.json` says it."""
    where = str(folder)
    if record:
        return {part: str(record[part].get("xp.cfg")) for part in (LANGUAGE_MODEL, CODEC)}
    generation = read_json(folder / GENERATION, optional=True)
    features = read_json(folder / FEATURES, optional=True)
    sections = {
        CODEC: codec_sections(config, where),
        LANGUAGE_MODEL: language_model_sections(config, generation, features, where),
    }
    return {part: json.dumps(values) for part, values in sections.items()}


def _record(folder: Path) -> dict[str, Any]:
    record = read_json(folder / RECORD, largest=LARGEST_RECORD, optional=True)
    if record and not all(isinstance(record.get(part), dict) for part in (LANGUAGE_MODEL, CODEC)):
        raise ModelError(f"{folder / RECORD} is damaged: delete it, the model is whole without.")
    return record


def _refuse_another_record(
    folder: Path, config: Mapping[str, Any], configuration: Mapping[str, Any], codec: Mapping[str, Any]
) -> None:
    where = str(folder / RECORD)
    expected = transformers_configuration(
        configuration, codec_configuration(codec, where), config["text_encoder"], where
    )
    for part, values in expected.items():
        found = config.get(part)
        same = (
            all(found.get(key, value) == value for key, value in values.items())
            if isinstance(values, dict) and isinstance(found, Mapping)
            else found == values
        )
        if not same:
            raise ModelError(
                f"{where} describes another model than config.json beside it ({part}). Delete it: it only "
                "says how the model was configured in audiocraft's format."
            )


def _text_encoder_name(
    configuration: Mapping[str, Any],
    record: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    where: str,
) -> str:
    named = conditioners(configuration, where).text
    name = str(configuration["conditioners"][named]["t5"].get("name"))
    unchanged = record.get("text_encoder") == text_encoder_fingerprint(tensors) if record else False
    return name if unchanged or name.startswith("./") else TEXT_FOLDER


def _rename_text_encoder(configuration: Mapping[str, Any], name: str, where: str) -> bool:
    """Whether it had another name: that of a published one which it no longer is."""
    settings = configuration["conditioners"][conditioners(configuration, where).text]["t5"]
    before, settings["name"] = settings["name"], name
    return bool(before != name)


def places_of(
    configuration: Mapping[str, Any], named: Conditioners, text_config: Mapping[str, Any]
) -> list[Place]:
    """Where each tensor of decoder and conditioners stands in either format."""
    transformer = configuration["transformer_lm"]
    return list(
        decoder_places(
            layers=transformer["num_layers"],
            codebooks=transformer["n_q"],
            cross_attention=named.melody is None,
            text=named.text,
            melody=named.melody,
            unprojected=unprojected(configuration, named, text_config),
        )
    )


def _decoder_state(
    folder: Path,
    configuration: Mapping[str, Any],
    tensors: LazyTensors,
    text_encoder: Mapping[str, Any],
    where: str,
) -> LazyTensors:
    transformer, named = configuration["transformer_lm"], conditioners(configuration, where)
    if max(transformer["num_layers"], transformer["n_q"]) > len(tensors):
        raise ModelError(f"{where}: config.json describes more layers than the files hold tensors.")
    places = places_of(configuration, named, text_encoder)
    _refuse_missing([name for place in places for name in place.transformers], tensors, where)
    readers: dict[str, Callable[[], torch.Tensor]] = {
        place.audiocraft: partial(_joined, tensors, place.transformers)
        if place.transformers
        else partial(_identity, tensors, place.audiocraft, transformer["dim"])
        for place in places
    }
    return LazyTensors(readers | _extra(folder, configuration, named.melody))


def _joined(tensors: Mapping[str, torch.Tensor], names: tuple[str, ...]) -> torch.Tensor:
    return tensors[names[0]] if len(names) == 1 else torch.cat([tensors[name] for name in names])


def _identity(tensors: Mapping[str, torch.Tensor], name: str, width: int) -> torch.Tensor:
    """What a projection is in audiocraft's format where transformers has none: it changes nothing."""
    dtype = tensors["decoder.model.decoder.layer_norm.weight"].dtype
    return torch.eye(width, dtype=dtype) if name.endswith(".weight") else torch.zeros(width, dtype=dtype)


def _refuse_missing(expected: list[str], tensors: Mapping[str, torch.Tensor], where: str) -> None:
    known = set(tensors)
    missing = [name for name in expected if name not in known]
    others = sorted(known - set(expected))
    unknown = [name for name in others if not name.startswith((AUDIO_ENCODER, TEXT_ENCODER))]
    if missing or unknown:
        what = f"lacks {', '.join(missing[:NAMED])}" if missing else f"holds {', '.join(unknown[:NAMED])}"
        raise ModelError(
            f"{where} {what}, unlike a MusicGen of transformers: it is damaged, or its config.json belongs "
            "to another model."
        )


def _extra(
    folder: Path, configuration: Mapping[str, Any], melody: str | None
) -> dict[str, Callable[[], torch.Tensor]]:
    """The buffer of the melody conditioner that audiocraft keeps in its files."""
    if melody is None:
        return {}
    if (folder / EXTRA_TENSORS).is_file():
        found = safetensors_readers(folder / EXTRA_TENSORS)
        return {name: read for name, read in found.items() if CHROMA_WINDOW.fullmatch(name)}
    length = 2 ** configuration["conditioners"][melody]["chroma_stem"]["radix2_exp"]
    return {f"condition_provider.conditioners.{melody}.chroma.spec.window": partial(_hann_window, length)}


def _hann_window(length: int) -> torch.Tensor:
    """In double precision before it is rounded, so that it is the same on every processor."""
    return torch.from_numpy((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32))


def _below(tensors: LazyTensors, prefix: str) -> LazyTensors:
    return LazyTensors(
        {
            name.removeprefix(prefix): partial(tensors.__getitem__, name)
            for name in tensors
            if name.startswith(prefix)
        }
    )
