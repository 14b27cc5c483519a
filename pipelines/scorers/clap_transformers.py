"""CLAP models in the format of transformers, from a folder or the Hugging Face hub."""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pipelines.audio.resampling import resampler
from pipelines.models.fingerprints import fingerprint
from pipelines.models.hub import hub_folder
from pipelines.scorers.clap_encoder import RECIPE, ClapInfo
from pipelines.scorers.mel_spectrogram import log_mel, mel_filters
from store.errors import ModelError

SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "tokenizer*",
    "special_tokens_map*",
    "vocab*",
    "merges*",
)
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""The first that a repository has; transformers opens the second with weights_only."""
VOLATILE = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")
"""Settings that say nothing about a model's output."""


class TransformersClap:
    """A `ClapModel` of transformers with its tokenizer and its spectrogram settings."""

    def __init__(self, name: str, model: Any, tokenizer: Any, extractor: Any, *, device: str) -> None:
        self._model = model.to(device).eval().requires_grad_(requires_grad=False)
        self._tokenizer = tokenizer
        self._extractor = extractor
        self._filters = mel_filters(extractor).to(device)
        self._views = 4 if extractor.truncation == "fusion" else 1
        self._device = device
        self.info = ClapInfo(
            name=name,
            fingerprint=_fingerprint(model, tokenizer, extractor),
            sample_rate=extractor.sampling_rate,
            width=model.config.projection_dim,
            window_samples=int(extractor.nb_max_samples),
            scale=float(model.logit_scale_a.exp()),
        )

    @torch.inference_mode()
    def embed_windows(self, windows: torch.Tensor) -> torch.Tensor:
        audio = windows.to(self._device)
        spectra = log_mel(
            audio,
            self._filters,
            window_samples=self._extractor.fft_window_size,
            hop_samples=self._extractor.hop_length,
        )
        # A model that fuses views of long audio gets the same view four times where nothing was cut away.
        views = spectra.unsqueeze(1).expand(-1, self._views, -1, -1)
        longer = torch.zeros(len(audio), 1, dtype=torch.bool, device=self._device)
        features = self._model.get_audio_features(views, is_longer=longer)
        return torch.as_tensor(features.pooler_output)

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        longest = self._model.config.text_config.max_position_embeddings - 2
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        ).to(self._device)
        features = self._model.get_text_features(tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return torch.as_tensor(features.pooler_output)


def load_from_folder(folder: Path, *, name: str, device: str) -> TransformersClap:
    """Loads the folder that `ClapModel.save_pretrained` and the two other `save_pretrained` wrote.

    Raises:
        ModelError: a file is missing or damaged, weights are lacking, or it is another kind of model.
    """
    _check(folder)
    try:
        with quiet_transformers():
            from transformers import AutoTokenizer, ClapFeatureExtractor
            from transformers import ClapModel as Clap

            loaded: Any = Clap.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            extractor = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ModelError(
            f"The CLAP in {folder} cannot be loaded ({type(error).__name__}: {reason}). A file of it is "
            f"damaged or incomplete: fetch the folder again."
        ) from error
    model, loading = loaded
    if missing := sorted(loading["missing_keys"]):
        raise ModelError(f"The CLAP in {folder} lacks {len(missing)} weights, for example {missing[0]}.")
    _check_vocabulary(folder, len(tokenizer), model.config.text_config.vocab_size)
    return TransformersClap(name, model, tokenizer, extractor, device=device)


def load_from_hub(name: str, *, device: str) -> TransformersClap:
    """Loads NAME or NAME@REVISION from the Hugging Face cache, filled from the network where there is one.

    Raises:
        ModelError: it is in neither, or not a CLAP.
    """
    repository, _, revision = name.partition("@")
    error: ModelError | None = None
    for weights in WEIGHTS:
        try:
            folder = hub_folder(repository, (*SETTINGS, weights), revision=revision or None)
        except ModelError as reason:
            error = error or reason
        else:
            if (folder / weights).exists():
                return load_from_folder(folder, name=repository, device=device)
    raise error or ModelError(f"{name!r} has none of {', '.join(WEIGHTS)}.")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """While transformers builds models: no warnings, no progress bars, no trace in torch's random state."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        from transformers.utils import logging

        had_bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if had_bars:
                logging.enable_progress_bar()


def _check(folder: Path) -> None:
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(f"{folder} holds no config.json: it is no model in the format of transformers.")
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{path} is not a JSON object: the file is damaged.") from error
    if kind != "clap":
        raise ModelError(f"{folder} holds a model of type {kind!r}; a CLAP has the type 'clap'.")
    if not (folder / "preprocessor_config.json").is_file():
        raise ModelError(f"{folder} lacks preprocessor_config.json: its spectrogram settings are not known.")


def _check_vocabulary(folder: Path, words: int, wanted: int) -> None:
    """Without its files a tokenizer comes up silently with a handful of tokens."""
    if words < wanted // 2:
        raise ModelError(
            f"The tokenizer in {folder} has {words} tokens, but the model knows {wanted}: its vocabulary "
            f"(tokenizer.json, or vocab.json and merges.txt) is missing."
        )


def _fingerprint(model: Any, tokenizer: Any, extractor: Any) -> str:
    configuration = {
        "recipe": RECIPE,
        "resampler": resampler(),
        "model": _settled(model.config.to_dict()),
        "vocabulary": tokenizer.get_vocab(),
        "spectrogram": _settled(extractor.to_dict()),
    }
    return fingerprint(json.loads(json.dumps(configuration, default=str)), model.state_dict())


def _settled(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {key: _settled(value) for key, value in settings.items() if key not in VOLATILE}
    return settings
