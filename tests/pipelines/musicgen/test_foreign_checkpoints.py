"""Checkpoints of strangers: nothing outside of them is read, and what is wrong with one is a sentence."""

import copy
import inspect
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from pipelines.models import checkpoint_schema
from pipelines.models import facts as model_facts
from pipelines.models.audiocraft_import import import_audiocraft
from pipelines.models.checkpoint_configuration import read_configuration
from pipelines.models.checkpoint_schema import CODEC, LANGUAGE_MODEL
from pipelines.models.checkpoint_tensors import non_finite_tensors
from pipelines.models.checkpoints import resolve_checkpoint
from pipelines.models.facts import describe_checkpoint
from pipelines.models.musicgen import load_musicgen
from pipelines.models.named import check_weights, describe_model
from pipelines.pocket.configuration import codec_configuration, language_model_configuration
from pipelines.pocket.shipped import shipped_folder
from store.errors import ModelError

LM_FILE, CODEC_FILE = "state_dict.bin", "compression_state_dict.bin"
Package = dict[str, Any]
Change = Callable[[Any], object]
Forge = Callable[..., Path]
T5 = {"model_type": "t5", "num_layers": 2, "vocab_size": 300, "d_kv": 16, "num_heads": 4, "d_ff": 128}
SECRET = "TOPSECRET123"


@pytest.fixture(scope="session")
def packages() -> dict[str, Package]:
    return {name: torch.load(shipped_folder() / name, weights_only=True) for name in (LM_FILE, CODEC_FILE)}


@pytest.fixture
def forge(tmp_path: Path, packages: dict[str, Package]) -> Forge:
    """The shipped model as a stranger changed it: its configuration, its text, or its whole package."""

    def write(
        file: str = LM_FILE, change: Change = lambda _: None, *, text: Any = None, **package: Any
    ) -> Path:
        folder = tmp_path / "evil"
        shutil.copytree(shipped_folder(), folder)
        (folder / file).unlink()
        configuration = yaml.safe_load(packages[file]["xp.cfg"])
        change(configuration)
        written = json.dumps(configuration) if text is None else text
        torch.save({**packages[file], "xp.cfg": written, **package}, folder / file)
        return folder

    return write


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*arguments: Any, **_: Any) -> None:
        raise AssertionError(f"the hub was asked for {arguments}")

    monkeypatch.setattr("huggingface_hub.snapshot_download", asked)
    monkeypatch.setenv("SOME_SECRET", SECRET)


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as raised:
        describe_model(str(folder))
    message = str(raised.value)
    assert SECRET not in message
    assert "\n" not in message
    return message


def put(key: str, value: Any) -> Change:
    def change(configuration: Any) -> None:
        *sections, last = key.split(".")
        for section in sections:
            configuration = configuration[section]
        configuration[last] = value

    return change


def drop(key: str) -> Change:
    def change(configuration: Any) -> None:
        *sections, last = key.split(".")
        for section in sections:
            configuration = configuration[section]
        del configuration[last]

    return change


@pytest.mark.parametrize(
    "value",
    [
        "x/${oc.env:SOME_SECRET}",
        "${oc.env:SOME_SECRET}",
        "./${oc.env:SOME_SECRET}",
        "${oc.decode:${oc.env:SOME_SECRET}}",
        "${oc.select:elsewhere}",
        "${oc.create:x}",
        "${elsewhere}",
        "${.${key}}",
        "${oc.dict.values:elsewhere}",
        "\\${oc.env:SOME_SECRET}",
        "${dollar}${rest}",
    ],
)
def test_the_environment_is_never_asked(forge: Forge, value: str) -> None:
    def change(configuration: Any) -> None:
        configuration["elsewhere"] = "${oc.env:SOME_SECRET}"
        configuration |= {"key": "elsewhere", "dollar": "$", "rest": "{oc.env:SOME_SECRET}"}
        configuration["conditioners"]["description"]["t5"]["name"] = value

    message = refusal(forge(LM_FILE, change))
    assert "conditioners.description.t5.name of xp.cfg" in message
    assert "Write the value itself into xp.cfg" in message


def test_sections_that_nothing_reads_may_hold_anything(forge: Forge) -> None:
    def change(configuration: Any) -> None:
        configuration["dora"] = {"dir": "/checkpoints/${oc.env:SOME_SECRET}", "excluded": "${not.there}"}
        configuration["dataset"]["train"] = "???"

    described = describe_checkpoint(resolve_checkpoint(str(forge(LM_FILE, change))))
    assert SECRET not in repr(described.info)


def test_references_within_the_text_are_followed_as_omegaconf_follows_them() -> None:
    configuration = codec_configuration()
    configuration["encodec"]["sample_rate"] = "${sample_rate}"
    configuration["seanet"]["channels"] = "${encodec.channels}"
    configuration["encodec"]["channels"] = "${channels}"
    configuration["seanet"]["decoder"] = "${shared.parts}"
    configuration["shared"] = {"parts": {"n_filters": "${.wide}", "wide": 3}} | {"parts": {"n_filters": 32}}
    text = json.dumps(configuration)
    expected = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    assert isinstance(expected, dict)
    read = read_configuration(text, CODEC, "here")
    assert read == {name: expected[name] for name in ("compression_model", "encodec", "seanet", "rvq")}


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({"a": "${a}"}, "refers to itself"),
        ({"a": "${b}", "b": "${a}"}, "refers to itself"),
        ({f"k{i}": [f"${{k{i + 1}}}"] * 10 for i in range(9)} | {"k9": [1], "a": "${k0}"}, "far too large"),
    ],
)
def test_references_that_never_end_are_refused_at_once(references: dict[str, Any], message: str) -> None:
    configuration = language_model_configuration() | references
    configuration["transformer_lm"]["dim"] = "${a}"
    with pytest.raises(ModelError, match=message):
        read_configuration(json.dumps(configuration), LANGUAGE_MODEL, "here")


def test_numbers_are_read_as_omegaconf_reads_them() -> None:
    configuration = language_model_configuration()
    configuration["transformer_lm"]["layer_scale"] = 1e-4
    text = OmegaConf.to_yaml(OmegaConf.create(configuration)).replace("0.0001", "1e-4")
    assert "1e-4" in text
    read = read_configuration(text, LANGUAGE_MODEL, "here")
    assert read["transformer_lm"]["layer_scale"] == 1e-4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "xp.cfg is empty"),
        ("  \n", "xp.cfg is empty"),
        ("a: [b", r"not YAML \(line \d\)"),
        ("- a\n- b\n", "holds a list"),
        ("just words", "holds a str"),
        ("a: !!python/object/apply:os.system ['true']", "not YAML"),
        ("a: &x [1]\nb: [*x, *x]", "aliases"),
        ("a: &x [*x]", "aliases"),
        ("[" * 5000, "nested more than"),
        ("a: '" + "x" * 300_000 + "'", "characters"),
        ({"lm_model": "transformer_lm"}, "export_lm"),
        (None, "export_lm"),
        (b"lm_model: x", "export_lm"),
    ],
)
def test_a_text_that_is_no_configuration_is_said(text: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_configuration(text, LANGUAGE_MODEL, "here")


@pytest.mark.parametrize("file", [LM_FILE, CODEC_FILE])
def test_every_missing_key_is_named(file: str, packages: dict[str, Package]) -> None:
    kind = LANGUAGE_MODEL if file == LM_FILE else CODEC
    configuration = yaml.safe_load(packages[file]["xp.cfg"])
    for key in checkpoint_schema.REQUIRED[kind]:
        without = copy.deepcopy(configuration)
        drop(key)(without)
        with pytest.raises(ModelError, match=rf"lacks {key}\b|holds a") as raised:
            read_configuration(json.dumps(without), kind, "here")
        assert "audiocraft.utils.export" in str(raised.value) or "export_lm" in str(raised.value)


@pytest.mark.parametrize("value", [None, "text", -1, 0, 1.5, True, [], {}, 10**40])
def test_a_refusal_of_a_value_names_its_key(value: Any, packages: dict[str, Package]) -> None:
    """Either the value is legal there, or the refusal names it: nothing else is raised."""
    for file, kind in ((LM_FILE, LANGUAGE_MODEL), (CODEC_FILE, CODEC)):
        configuration = yaml.safe_load(packages[file]["xp.cfg"])
        for key in leaves(configuration):
            changed = copy.deepcopy(configuration)
            put(key, value)(changed)
            message = said(partial(read_configuration, json.dumps(changed), kind, "x"))
            assert not message or key.split(".")[-1] in message or "holds a" in message


def said(call: Callable[[], object]) -> str:
    """The sentence with which a call refuses; empty where it does not."""
    try:
        call()
    except ModelError as error:
        return str(error)
    return ""


def leaves(value: Any, below: str = "") -> Iterator[str]:
    for name, item in value.items():
        yield f"{below}{name}"
        if isinstance(item, dict):
            yield from leaves(item, f"{below}{name}.")


@pytest.mark.parametrize("value", [None, "text", -1, {}, 2**30])
def test_no_value_at_any_key_ends_in_anything_but_a_sentence(
    packages: dict[str, Package], value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole description of a model, fed with every change of one setting in turn."""
    served: dict[str, Package] = {}
    monkeypatch.setattr(model_facts, "fingerprint", lambda *_: "0" * 16)
    monkeypatch.setattr(model_facts, "text_encoder_state", lambda _: {})
    monkeypatch.setattr(model_facts, "broken_weights", lambda *_, **__: ())
    monkeypatch.setattr(model_facts, "read_package", lambda path: served[path.name])
    for file in (LM_FILE, CODEC_FILE):
        original = yaml.safe_load(packages[file]["xp.cfg"])
        for key in leaves(original):
            changed = copy.deepcopy(original)
            put(key, value)(changed)
            served = {**packages, file: {**packages[file], "xp.cfg": json.dumps(changed)}}
            model_facts._described.cache_clear()
            assert "\n" not in said(lambda: describe_model("pocket"))
    model_facts._described.cache_clear()


@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        (LM_FILE, "transformer_lm.dim", 2**30, "do not fit its own configuration"),
        (LM_FILE, "transformer_lm.num_layers", 2**30, "has .* tensors"),
        (LM_FILE, "transformer_lm.n_q", 2**30, "has .* tensors|whole numbers"),
        (LM_FILE, "transformer_lm.card", 2**30, "do not fit its own configuration"),
        (LM_FILE, "transformer_lm.hidden_scale", 2**20, "more than 64"),
        (LM_FILE, "transformer_lm.dim", -128, "from 1 on"),
        (LM_FILE, "transformer_lm.dim", 10**40, "no model can have"),
        (LM_FILE, "dataset.segment_duration", 10**8, "more than 600"),
        (CODEC_FILE, "seanet.n_filters", 2**20, "parameters"),
        (CODEC_FILE, "seanet.ratios", [2] * 60, "tensors|parameters"),
        (CODEC_FILE, "seanet.ratios", [2**20, 5, 5, 5], "parameters"),
        (CODEC_FILE, "seanet.decoder.n_filters", 2**20, "the decoder .* parameters"),
        (CODEC_FILE, "seanet.kernel_size", 2**30, "parameters"),
        (CODEC_FILE, "seanet.lstm", 50, "parameters"),
        (CODEC_FILE, "seanet.dilation_base", 2**30, "dilation_base"),
        (CODEC_FILE, "rvq.bins", 2**30, "do not fit its own configuration"),
        (CODEC_FILE, "rvq.n_q", 2**30, "tensors"),
        (CODEC_FILE, "seanet.activation", "Bilinear", "legal: ELU"),
        (CODEC_FILE, "encodec.channels", 2, "only mono"),
        (LM_FILE, "transformer_lm.option_of_a_newer_version", True, "newer or changed audiocraft"),
        (CODEC_FILE, "seanet.option_of_a_newer_version", True, "newer or changed audiocraft"),
        (LM_FILE, "transformer_lm.layer_class", "x", "newer or changed audiocraft"),
        (LM_FILE, "codebooks_pattern.delay.delays", [0, 1, 2], "4 whole numbers"),
        (LM_FILE, "codebooks_pattern.delay.delays", [0, 1, 2, 10**9], "4 whole numbers"),
        (LM_FILE, "fuser.cross", [], "stands in none of the fuser's lists"),
        (LM_FILE, "lm_model", "???", "never set"),
    ],
)
def test_what_does_not_fit_the_file_is_refused_before_anything_is_built(
    forge: Forge, file: str, key: str, value: Any, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        describe_model(str(forge(file, put(key, value))))


@pytest.mark.parametrize(
    "name", ["../t5", "./../outside", "/etc", "t5", "./t5/../../outside", "//reference/t5", "evil/t5", ""]
)
def test_a_text_encoder_outside_of_the_folder_is_not_looked_at(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for outside in ("outside", "t5"):
        shutil.copytree(shipped_folder() / "t5", tmp_path / outside)
    monkeypatch.chdir(tmp_path)
    message = refusal(forge(LM_FILE, put("conditioners.description.t5.name", name)))
    assert "./t5" in message


def test_a_link_to_a_text_encoder_elsewhere_is_not_followed(forge: Forge, tmp_path: Path) -> None:
    folder = forge()
    shutil.move(folder / "t5", tmp_path / "elsewhere")
    (folder / "t5").symlink_to(tmp_path / "elsewhere")
    assert "leads outside the checkpoint's folder" in refusal(folder)


@pytest.mark.parametrize(
    "name",
    [
        "//sig/0123abcd",
        "/checkpoints/a.th",
        "../a",
        "./codec",
        "a",
        "a/b/c",
        "dac_44khz",
        "a b/c",
        "",
        7,
        None,
        "//pretrained/../x",
        "-a/b",
        "x/" + "y" * 300,
        "https://host/model",
    ],
)
def test_a_codec_that_is_no_repository_is_refused(forge: Forge, name: Any) -> None:
    folder = forge()
    (folder / CODEC_FILE).unlink()
    torch.save({"pretrained": name}, folder / CODEC_FILE)
    message = refusal(folder)
    assert "export_encodec" in message
    assert "facebook/encodec_32khz" in message


def test_audiocrafts_prefix_of_published_codecs_is_understood(
    forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(repository: str, **_: Any) -> None:
        asked.append(repository)
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    folder = forge()
    (folder / CODEC_FILE).unlink()
    torch.save({"pretrained": "//pretrained/facebook/encodec_32khz"}, folder / CODEC_FILE)
    assert "hf download facebook/encodec_32khz" in refusal(folder)
    assert asked == ["facebook/encodec_32khz"]


def test_either_model_in_the_place_of_the_other_is_said(forge: Forge) -> None:
    folder = forge()
    for there, other in ((CODEC_FILE, LM_FILE), (LM_FILE, CODEC_FILE)):
        kept = (folder / there).read_bytes()
        (folder / there).unlink()
        shutil.copy(shipped_folder() / other, folder / there)
        assert "put each in its place" in refusal(folder)
        (folder / there).unlink()
        (folder / there).write_bytes(kept)


def test_a_training_checkpoint_names_audiocrafts_export(forge: Forge, packages: dict[str, Package]) -> None:
    folder = forge()
    (folder / LM_FILE).unlink()
    configuration = OmegaConf.create(packages[LM_FILE]["xp.cfg"])
    raw: Package = {
        "best_state": {"model": packages[LM_FILE]["best_state"]},
        "xp.cfg": configuration,
        "history": [],
    }
    torch.save(raw, folder / LM_FILE)
    assert "export_lm" in refusal(folder)
    (folder / LM_FILE).rename(folder / "checkpoint.th")
    assert "training checkpoint of Dora" in refusal(folder)


def test_the_state_as_dora_nests_it_is_read(forge: Forge, packages: dict[str, Package]) -> None:
    state = packages[LM_FILE]["best_state"]
    nested = describe_model(str(forge(best_state={"model": state}))).fingerprint
    assert nested == describe_model("pocket").fingerprint


def test_another_model_of_transformers_is_told_with_those_that_are_supported(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert "without their config.json" in refusal(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    message = refusal(tmp_path)
    assert "describes 'gpt2'" in message
    assert "musicgen_melody" in message


@pytest.mark.parametrize(
    "state",
    [
        {},
        [],
        {"emb.0.weight": 3},
        {"emb.0.weight": torch.zeros(1).expand(2**40)},
        {"emb.0.weight": torch.zeros(4, 4).to_sparse()},
    ],
)
def test_a_state_of_anything_but_whole_tensors_is_refused(forge: Forge, state: Any) -> None:
    assert "tensor" in refusal(forge(best_state=state))


def test_missing_and_misshapen_tensors_are_named(forge: Forge, packages: dict[str, Package]) -> None:
    state = dict(packages[LM_FILE]["best_state"])
    del state["emb.0.weight"]
    state["emb.1.weight"] = torch.zeros(3, 5)
    message = refusal(forge(best_state=state))
    assert "emb.0.weight is missing" in message
    assert "emb.1.weight is 3×5, not 257×128" in message


def test_what_only_the_builder_notices_is_a_sentence_too(forge: Forge) -> None:
    with pytest.raises(ModelError, match="audiocraft cannot build the language model"):
        load_musicgen(str(forge(LM_FILE, put("transformer_lm.num_heads", 7))))


def test_keys_that_are_too_many_are_named(forge: Forge, packages: dict[str, Package]) -> None:
    state = packages[LM_FILE]["best_state"] | {"head_of_a_stranger": torch.zeros(1)}
    with pytest.raises(ModelError, match=r"do not fit its own configuration.*head_of_a_stranger"):
        load_musicgen(str(forge(best_state=state)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "JSON"),
        ("[]", "only text encoders of the kind t5"),
        ('{"model_type": "gpt2"}', "'gpt2'"),
        ('{"model_type": "t5"}', "d_model is None"),
        (json.dumps(T5 | {"d_model": 10**9}), "do not belong together"),
    ],
)
def test_a_text_encoder_that_does_not_fit_its_file_is_refused(
    forge: Forge, config: str, message: str
) -> None:
    folder = forge()
    (folder / "t5" / "config.json").write_text(config, encoding="utf-8")
    assert message in refusal(folder)


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 100])
def test_damaged_weights_of_a_text_encoder_are_a_sentence(forge: Forge, content: bytes | None) -> None:
    folder = forge()
    (folder / "t5" / "model.safetensors").unlink()
    if content is not None:
        (folder / "t5" / "model.safetensors").write_bytes(content)
    assert "model.safetensors" in refusal(folder)


def test_a_melody_conditioner_is_given_no_path_to_read_or_write(
    forge: Forge, packages: dict[str, Package], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_audiocraft()
    from audiocraft.models import builders

    def change(configuration: Any) -> None:
        chroma: dict[str, Any] = {"sample_rate": 16_000, "n_chroma": 12, "radix2_exp": 14}
        chroma |= {"eval_wavs": "/private/manifest.jsonl", "cache_path": "/private/cache"}
        for name in ("self_wav", "other_wav"):
            configuration["conditioners"][name] = {"model": "chroma_stem", "chroma_stem": dict(chroma)}
        configuration["fuser"]["prepend"] = ["self_wav", "other_wav"]

    def build(configuration: Any) -> None:
        built.append(OmegaConf.to_yaml(configuration))
        raise ValueError("stop here")

    built: list[str] = []
    monkeypatch.setattr(builders, "get_lm_model", build)
    projections = {
        f"condition_provider.conditioners.{name}.output_proj.weight": torch.zeros(128, 12)
        for name in ("self_wav", "other_wav")
    }
    folder = forge(LM_FILE, change, best_state=packages[LM_FILE]["best_state"] | projections)
    with pytest.raises(ModelError, match="stop here"):
        load_musicgen(str(folder))
    assert "/private" not in built[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("facebook/magnet-small-10secs", "it fills masked tokens in any order"),
        ("facebook/audio-magnet-medium", "it fills masked tokens in any order"),
        ("facebook/jasco-chords-drums-400M", "it has no tokens"),
    ],
)
def test_other_architectures_give_their_reason_by_name(name: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        resolve_checkpoint(name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda it: it.update(lm_model="transformer_lm_magnet"), "its decoder is a transformer_lm_magnet"),
        (
            lambda it: it["conditioners"].update(self_wav={"model": "style", "style": {}}),
            "conditioned by style",
        ),
    ],
)
def test_other_architectures_give_their_reason_by_folder(forge: Forge, change: Change, reason: str) -> None:
    assert reason in refusal(forge(LM_FILE, change))


@pytest.mark.parametrize("name", ["facebook/musicgen-style", "facebook/musicgen-style@main"])
def test_the_style_model_gives_its_reason_by_name(name: str) -> None:
    with pytest.raises(ModelError, match="it is conditioned by style"):
        describe_model(name)


def test_weights_that_are_no_numbers_are_counted_and_named(
    forge: Forge, packages: dict[str, Package]
) -> None:
    state = {name: tensor.clone() for name, tensor in packages[LM_FILE]["best_state"].items()}
    spoilt = "transformer.layers.2.linear1.weight"
    state[spoilt][0, :3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    folder = forge(best_state=state)
    (note,) = check_weights(str(folder), last_block=1)
    assert f"{spoilt} (3 of {state[spoilt].numel():,})" in note
    with pytest.raises(ModelError, match="Layers 0 to 1 come before"):
        check_weights(str(folder), last_block=2)
    assert check_weights("pocket", last_block=None) == ()


def test_sums_that_overflow_are_not_taken_for_infinite_weights() -> None:
    large = torch.full((4,), 3e38)
    half = torch.full((1000,), 6e4, dtype=torch.float16)
    assert non_finite_tensors({"a": large, "b": half, "c": torch.zeros(0), "d": torch.arange(3)}) == ()
    opposed = torch.tensor([float("inf"), -float("inf")])
    (found,) = non_finite_tensors({"a": large, "b": opposed})
    assert (found.name, found.count, found.values) == ("b", 2, 2)


def test_the_declared_options_are_those_that_audiocraft_takes() -> None:
    """The schema was written by hand; the signatures of the classes that are built are the oracle."""
    import_audiocraft()
    from audiocraft.models.encodec import EncodecModel
    from audiocraft.models.lm import LMModel
    from audiocraft.modules.chroma import ChromaExtractor
    from audiocraft.modules.codebooks_patterns import DelayedPatternProvider
    from audiocraft.modules.conditioners import (
        ChromaStemConditioner,
        ConditionFuser,
        LUTConditioner,
        T5Conditioner,
    )
    from audiocraft.modules.seanet import SEANetDecoder, SEANetEncoder
    from audiocraft.modules.transformer import StreamingTransformer, StreamingTransformerLayer
    from audiocraft.quantization import ResidualVectorQuantizer

    def taken(*classes: Any) -> set[str]:
        return {name for each in classes for name in inspect.signature(each.__init__).parameters}

    options = checkpoint_schema.OPTIONS
    assert options["transformer_lm"] - {"q_modeling"} <= taken(
        LMModel, StreamingTransformer, StreamingTransformerLayer, torch.nn.TransformerEncoderLayer
    )
    assert options["fuser"] <= taken(ConditionFuser) | {"sum", "cross", "prepend", "input_interpolate"}
    assert options["codebooks_pattern.delay"] == taken(DelayedPatternProvider) - {"self", "n_q"}
    assert options["seanet.encoder"] == taken(SEANetEncoder) - {"self"}
    assert options["seanet.decoder"] == taken(SEANetDecoder) - {"self"}
    assert options["rvq"] == taken(ResidualVectorQuantizer) - {"self", "dimension"}
    read_by_the_builder = {"autoencoder", "quantizer", "renorm"}
    made_by_the_builder = {"self", "encoder", "decoder", "frame_rate"}
    assert options["encodec"] - read_by_the_builder <= taken(EncodecModel) - made_by_the_builder
    conditioners = checkpoint_schema.CONDITIONER_OPTIONS
    assert conditioners["t5"] == taken(T5Conditioner) - {"self", "output_dim", "device"}
    assert conditioners["lut"] == taken(LUTConditioner) - {"self", "output_dim"}
    assert conditioners["chroma_stem"] <= taken(ChromaStemConditioner, ChromaExtractor)
