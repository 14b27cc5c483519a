"""Small CLAP models with random weights: folders of transformers, and checkpoints of laion-clap."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

MakeFolder = Callable[..., Path]
WORDS = ("jazz", "rock", "a", "sound", "of", "this", "is")


@pytest.fixture(scope="session")
def make_folder(tmp_path_factory: pytest.TempPathFactory) -> MakeFolder:
    """Makes a folder that holds a tiny CLAP for one second at 8 kHz; `fused` ones look at several views."""
    from pipelines.scorers.clap_transformers import quiet_transformers

    def make(*, fused: bool = False, seed: int = 0) -> Path:
        folder = tmp_path_factory.mktemp("clap")
        with quiet_transformers():
            torch.manual_seed(seed)
            _model(fused=fused).save_pretrained(folder)
            _tokenizer().save_pretrained(folder)
            _extractor(fused=fused).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def folder(make_folder: MakeFolder) -> Path:
    """A CLAP folder that tests do not change."""
    return make_folder()


@pytest.fixture
def noise() -> Callable[[int, int], NDArray[np.float32]]:
    """Audio (clips, samples) that differs per clip."""

    def make(clips: int, samples: int) -> NDArray[np.float32]:
        generator = np.random.default_rng(samples)
        return (0.1 * generator.standard_normal((clips, samples))).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def laion_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny.pt` and `fused.pt` beside a folder `roberta-base`: HTSAT-tiny, and a RoBERTa of one layer."""
    from pipelines.scorers.clap_laion import _model_module

    folder = tmp_path_factory.mktemp("laion")
    _write_vocabulary(folder / "roberta-base")
    with warnings.catch_warnings(), _model_module() as module:
        warnings.simplefilter("ignore")
        for name, fused in (("tiny", False), ("fused", True)):
            torch.manual_seed(0)
            state = {
                f"module.{key}": value
                for key, value in _laion_model(module, fused=fused).state_dict().items()
            }
            position_ids = torch.arange(80).unsqueeze(0)
            state["module.text_branch.embeddings.position_ids"] = position_ids  # older transformers kept it
            content = {"epoch": np.int64(15), "score": np.float64(90.14), "name": name, "state_dict": state}
            torch.save(content, folder / f"{name}.pt")
    return folder


def _model(*, fused: bool) -> Any:
    from transformers import ClapConfig, ClapModel

    audio = {
        "num_mel_bins": 16,
        "spec_size": 32,
        "patch_size": 4,
        "patch_stride": (4, 4),
        "window_size": 2,
        "patch_embeds_hidden_size": 8,
        "depths": (2, 2),
        "num_attention_heads": (2, 2),
        "hidden_size": 16,
        "enable_fusion": fused,
        "fusion_type": "aff_2d" if fused else None,
        "num_classes": 1,
    }
    text = {
        "vocab_size": len(WORDS) + 4,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 20,
    }
    return ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=12))


def _extractor(*, fused: bool) -> Any:
    from transformers import ClapFeatureExtractor

    return ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=8_000,
        hop_length=128,
        max_length_s=1,
        fft_window_size=256,
        frequency_max=4_000,
        truncation="fusion" if fused else "rand_trunc",
    )


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbers = {word: number for number, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def _laion_model(module: Any, *, fused: bool) -> Any:
    from importlib.util import find_spec

    from transformers import RobertaConfig, RobertaModel

    spec = find_spec("laion_clap")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "clap_module" / "model_configs" / "HTSAT-tiny.json"
    settings = json.loads(path.read_text())
    settings["text_cfg"]["model_type"] = "roberta"
    configuration = RobertaConfig(
        vocab_size=len(_letters()),
        num_hidden_layers=1,
        intermediate_size=32,
        max_position_embeddings=80,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    original, module.RobertaModel = module.RobertaModel, _Untrained(RobertaModel(configuration))
    try:
        return module.CLAP(**settings, enable_fusion=fused, fusion_type="aff_2d" if fused else "None")
    finally:
        module.RobertaModel = original


class _Untrained:
    def __init__(self, model: Any) -> None:
        self._model = model

    def from_pretrained(self, _name: str) -> Any:
        return self._model


def _letters() -> list[str]:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *alphabet, *(f"Ġ{letter}" for letter in alphabet)]


def _write_vocabulary(folder: Path) -> None:
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(_letters())}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
