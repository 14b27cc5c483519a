"""CLAP checkpoints of laion-clap, loaded from a file; imports half of the package.

`import laion_clap` loads three tokenizers from the network, puts its folder on the import path for good and
opens checkpoints with pickle. Here its model classes are imported alone, built without any weights of their
own, and filled with the tensors of the checkpoint, which also say how large the model is.
"""

import importlib
import json
import pickle
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from pipelines.audio.resampling import resampler
from pipelines.models.fingerprints import fingerprint
from pipelines.models.hub import hub_folder
from pipelines.scorers.clap_encoder import RECIPE, ClapInfo
from pipelines.scorers.clap_transformers import quiet_transformers
from pipelines.scorers.mel_spectrogram import log_mel
from store.errors import ModelError

State = Mapping[str, torch.Tensor]

AUDIO_MODELS = {96: "HTSAT-tiny", 128: "HTSAT-base", 256: "HTSAT-large"}
"""By the width of their patch embeddings."""
PATCHES = "audio_branch.patch_embed.proj.weight"
WORDS = "text_branch.embeddings.word_embeddings.weight"
TOKENIZER = "roberta-base"
TOKENIZER_FILES = ("vocab.json", "merges.txt")
HEAD_WIDTH = 64
TEXT_TOKENS = 77


class LaionClap:
    """laion-clap's `CLAP` with RoBERTa's tokenizer."""

    def __init__(
        self, name: str, model: Any, settings: Mapping[str, Any], tokenizer: Any, *, device: str
    ) -> None:
        self._model = model.to(device).eval().requires_grad_(requires_grad=False)
        self._tokenizer = tokenizer
        self._device = device
        self._audio = settings["audio_cfg"]
        self._fused = bool(settings["enable_fusion"])
        recipe = {"recipe": RECIPE, "resampler": resampler(), **settings}
        self.info = ClapInfo(
            name=name,
            fingerprint=fingerprint(recipe, model.state_dict()),
            sample_rate=int(self._audio["sample_rate"]),
            width=int(model.joint_embed_shape),
            window_samples=int(self._audio["clip_samples"]),
            scale=float(model.logit_scale_a.exp()),
        )

    @torch.inference_mode()
    def embed_windows(self, windows: torch.Tensor) -> torch.Tensor:
        # The package takes what a 16-bit file would hold.
        audio = (windows.to(self._device).clamp(-1, 1) * 32767).trunc() / 32767
        inputs = {"waveform": audio, "longer": torch.zeros(len(audio), dtype=torch.bool)}
        if self._fused:
            inputs["mel_fusion"] = self._spectra(audio).unsqueeze(1).expand(-1, 4, -1, -1)
        hidden = self._model.encode_audio(inputs, device=self._device)["embedding"]
        return torch.as_tensor(self._model.audio_projection(hidden))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=TEXT_TOKENS, return_tensors="pt"
        )
        return torch.as_tensor(self._model.encode_text(tokens, device=self._device))

    def _spectra(self, audio: torch.Tensor) -> torch.Tensor:
        """(B, frames, mel bins) in dB, as torchaudio computes them for models that fuse views."""
        with quiet_transformers():
            from transformers.audio_utils import mel_filter_bank
        filters = mel_filter_bank(
            num_frequency_bins=self._audio["window_size"] // 2 + 1,
            num_mel_filters=self._audio["mel_bins"],
            min_frequency=self._audio["fmin"],
            max_frequency=self._audio["fmax"],
            sampling_rate=self._audio["sample_rate"],
            mel_scale="htk",
        )
        return log_mel(
            audio,
            torch.from_numpy(filters).float().to(self._device),
            window_samples=self._audio["window_size"],
            hop_samples=self._audio["hop_size"],
        )


def load_checkpoint(path: Path, *, device: str) -> LaionClap:
    """Loads a `.pt` file such as music_audioset_epoch_15_esc_90.14.pt. Nothing in it is executed.

    RoBERTa's vocabulary is no part of such a file. It is looked for in a folder `roberta-base` beside the
    checkpoint, then in the Hugging Face cache.

    Raises:
        ModelError: the file is damaged or no CLAP with HTSAT and RoBERTa; the vocabulary is nowhere.
    """
    state = read_state(path)
    settings = _settings(path, state)
    tokenizer = _tokenizer(path, len(state[WORDS]))
    model = _build(settings, state)
    try:
        result = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(f"The tensors of {path} do not fit {settings['name']}: {reason}") from error
    if missing := [name for name in result.missing_keys if not name.endswith("position_ids")]:
        raise ModelError(
            f"{path} lacks {len(missing)} weights of {settings['name']}, for example {missing[0]}."
        )
    return LaionClap(path.stem, model, settings, tokenizer, device=device)


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name, without the prefix that distributed training puts before them.

    Raises:
        ModelError: the file cannot be read without executing it, or is no CLAP.
    """
    import numpy as np

    # Checkpoints of a training hold NumPy numbers (epoch, metrics) beside the tensors.
    harmless: list[Any] = [np.dtype, np.float64, np.dtypes.Float64DType, np.dtypes.Int64DType]
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]  # noqa: SLF001
    harmless += [scalar, (scalar, "numpy.core.multiarray.scalar")]
    try:
        with torch.serialization.safe_globals(harmless):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise ModelError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}): it is damaged, or holds more "
            f"than tensors and would have to be executed. Download it again."
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    if PATCHES not in state or WORDS not in state:
        raise ModelError(
            f"{path} is no CLAP with an HTSAT audio encoder and a RoBERTa text encoder, as LAION publishes "
            f"them: it lacks {PATCHES if PATCHES not in state else WORDS}."
        )
    return {name: tensor for name, tensor in state.items() if not name.endswith("embeddings.position_ids")}


def _settings(path: Path, state: State) -> dict[str, Any]:
    """The package's own settings of the model that the tensors belong to."""
    width = state[PATCHES].shape[0]
    if width not in AUDIO_MODELS:
        raise ModelError(f"{path} has an audio encoder of width {width}; known are {sorted(AUDIO_MODELS)}.")
    name = AUDIO_MODELS[width]
    configurations = _package_folder() / "clap_module" / "model_configs"
    settings: dict[str, Any] = json.loads((configurations / f"{name}.json").read_text(encoding="utf-8"))
    fused = any(key.startswith("audio_branch.patch_embed.fusion_model") for key in state)
    settings["text_cfg"]["model_type"] = "roberta"
    return {
        **settings,
        "name": name,
        "enable_fusion": fused,
        "fusion_type": "aff_2d" if fused else "None",
        "joint_embed_shape": state["audio_projection.0.weight"].shape[0],
    }


def _build(settings: Mapping[str, Any], state: State) -> Any:
    """The package's model with random weights."""
    with quiet_transformers(), _model_module() as module, _text_encoder_of(module, state):
        known = {name: value for name, value in settings.items() if name != "name"}
        return module.CLAP(**json.loads(json.dumps(known)))


def _tokenizer(path: Path, words: int) -> Any:
    """RoBERTa's, with as many tokens as the checkpoint has embeddings."""
    folder = path.parent / TOKENIZER
    if not folder.is_dir():
        folder = hub_folder(TOKENIZER, TOKENIZER_FILES)
    with quiet_transformers():
        from transformers import RobertaTokenizer

        tokenizer = RobertaTokenizer.from_pretrained(folder, local_files_only=True)
    # Without its files transformers gives a tokenizer of five tokens, and no error.
    if len(tokenizer) != words:
        raise ModelError(
            f"The tokenizer in {folder} has {len(tokenizer)} tokens, but {path} was trained with {words}: "
            f"put {' and '.join(TOKENIZER_FILES)} of {TOKENIZER} there."
        )
    return tokenizer


def _package_folder() -> Path:
    spec = find_spec("laion_clap")
    if spec is None or spec.origin is None:
        raise ModelError("laion-clap is not installed; `make setup` installs it.")
    return Path(spec.origin).parent


@contextmanager
def _model_module() -> Iterator[ModuleType]:
    """The package's `clap_module.model`, which it imports by that generic name from its own folder."""
    folder = str(_package_folder())
    sys.path.insert(0, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield importlib.import_module("clap_module.model")
    finally:
        sys.path.remove(folder)


@contextmanager
def _text_encoder_of(module: Any, state: State) -> Iterator[None]:
    """While the model is built: a text encoder of the checkpoint's shape, for which nothing is fetched."""
    from transformers import RobertaConfig, RobertaModel

    words, width = state[WORDS].shape
    layers = {name.split(".")[3] for name in state if name.startswith("text_branch.encoder.layer.")}
    configuration = RobertaConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=max(1, width // HEAD_WIDTH),
        intermediate_size=state["text_branch.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=state["text_branch.embeddings.position_embeddings.weight"].shape[0],
        type_vocab_size=state["text_branch.embeddings.token_type_embeddings.weight"].shape[0],
        layer_norm_eps=1e-5,
    )

    class Untrained:
        @staticmethod
        def from_pretrained(name: str) -> Any:  # noqa: ARG004
            return RobertaModel(configuration)

    original = module.RobertaModel
    module.RobertaModel = Untrained
    try:
        yield
    finally:
        module.RobertaModel = original
