"""Folders whose model is code beside the weights, in the form that transformers reads (`auto_map`)."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from jobs.extract.options import ExtractOptions
from pipelines.capture import CaptureSpec, heard_activations
from pipelines.models.encoders.encoder import TransformersEncoder
from pipelines.models.named import describe_model, load_readable_model
from pipelines.models.own_code import TrustedModel
from pipelines.scorers.clap_transformers import quiet_transformers
from store.errors import InvalidInput, ModelError

CONFIGURATION = """
from transformers import HubertConfig

class TinyMERTConfig(HubertConfig):
    model_type = "mert_model"
"""
MODELING = """
from pathlib import Path
from transformers import HubertModel
from .configuration_mert import TinyMERTConfig

Path(__file__).with_name("was_run").touch()

class TinyMERTModel(HubertModel):
    config_class = TinyMERTConfig
"""


@pytest.fixture
def mert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as MERT's: HuBERT's architecture by a class of its own."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(tmp_path / "modules")
    folder = tmp_path / "tiny-mert"
    with quiet_transformers():
        torch.manual_seed(0)
        config = transformers.HubertConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
            conv_dim=(16, 16, 16), conv_kernel=(10, 8, 4), conv_stride=(5, 8, 8), num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
        )  # fmt: skip
        transformers.HubertModel(config).save_pretrained(folder)
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    (folder / "configuration_mert.py").write_text(CONFIGURATION, "utf-8")
    (folder / "modeling_mert.py").write_text(MODELING, "utf-8")
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    settings |= {"model_type": "mert_model", "architectures": ["TinyMERTModel"]}
    settings["auto_map"] = {
        "AutoConfig": "configuration_mert.TinyMERTConfig",
        "AutoModel": "modeling_mert.TinyMERTModel",
    }
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")
    return folder


def test_code_beside_weights_runs_only_where_it_is_asked_for_and_is_recorded(
    mert: Path, tmp_path: Path
) -> None:
    for act in (describe_model, load_readable_model):
        with pytest.raises(
            ModelError, match=r"^'tiny-mert' is computed by code that comes with it, configuration_mert\.py, "
            r"modeling_mert\.py in .*tiny-mert, which is not run .*--trust-remote-code",
        ):  # fmt: skip
            act(str(mert))
    assert not list(tmp_path.rglob("was_run"))
    model = load_readable_model(TrustedModel(str(mert)))
    assert list(tmp_path.rglob("was_run"))
    assert isinstance(model, TransformersEncoder)
    assert type(model.part).__name__ == "TinyMERTModel"
    said = model.info.document()
    assert said["trust_remote_code"] is True
    assert said["code"] == {
        name: sha256((mert / name).read_bytes()).hexdigest()
        for name in ("configuration_mert.py", "modeling_mert.py")
    }
    audio = np.random.default_rng(0).standard_normal((2, 16_000)).astype(np.float32)
    found = heard_activations(model, audio, CaptureSpec(("resid",), (0, 1), ("frames",)))["resid.frames"]
    inputs = model.family.inputs(model.config, model.extractor, audio)
    with torch.inference_mode():
        expected = model.part(**inputs, output_hidden_states=True).hidden_states[1:]
    np.testing.assert_allclose(found, torch.stack(expected, dim=1), atol=1e-6)


def test_other_code_is_another_model(mert: Path) -> None:
    first = describe_model(TrustedModel(str(mert)))
    with (mert / "modeling_mert.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert describe_model(TrustedModel(str(mert))).fingerprint != first.fingerprint


def _code_elsewhere(folder: Path) -> None:
    _change(folder, "auto_map", {"AutoModel": "somebody/else--modeling.Model"})


def _change(folder: Path, name: str, value: object) -> None:
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**settings, name: value}), "utf-8")


def _failing(folder: Path) -> None:
    (folder / "configuration_mert.py").write_text("raise RuntimeError('no such card')\n", "utf-8")


def _of_its_own(folder: Path) -> None:
    _change(folder, "model_type", "nothing_known")
    _change(folder, "conv_stride", None)
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    del settings["conv_stride"]
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "code of another repository": (
        _code_elsewhere,
        r"takes its code from another repository \(somebody/else",
    ),
    "code that fails": (_failing, r"cannot be read \(RuntimeError: no such card\)"),
    "an architecture that nobody knows": (_of_its_own, r"architecture of its own.*--model-file"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_trusted_code_that_does_not_serve_is_told_in_a_sentence(what: str, mert: Path) -> None:
    change, message = REFUSED[what]
    change(mert)
    with pytest.raises(ModelError, match=message):
        load_readable_model(TrustedModel(str(mert)))


def test_trust_changes_nothing_for_a_model_that_needs_none() -> None:
    assert describe_model(TrustedModel("pocket-clap")) == describe_model("pocket-clap")
    with pytest.raises(InvalidInput, match="leave out --trust-remote-code"):
        _ = ExtractOptions(
            "a.store", "songs", model_file=Path("my_model.py"), trust_remote_code=True
        ).named_model
