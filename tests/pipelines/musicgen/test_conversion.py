"""Checkpoints go to the format of transformers and back; transformers itself is the oracle."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from pipelines.models.conversion.converting import convert
from pipelines.models.conversion.dora import read_training_checkpoint
from pipelines.models.conversion.transformers_files import read_tensors
from pipelines.models.musicgen import load_musicgen
from pipelines.models.named import check_tokenizer, load_named_model
from store.errors import InvalidInput, ModelError

WriteCheckpoint = Callable[..., Path]
FILES = ("state_dict.bin", "compression_state_dict.bin")
KINDS = ("text", "melody", "stereo")


@pytest.fixture(scope="module")
def both(
    write_convertible: WriteCheckpoint, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, Path]]:
    """By kind, a checkpoint of audiocraft and what `convert` made of it."""
    root = tmp_path_factory.mktemp("both")
    return {
        kind: (
            source := write_convertible(root / kind, kind),
            convert(source, root / f"{kind}-transformers", largest_shard=60_000).folder,
        )
        for kind in KINDS
    }


@pytest.mark.parametrize("kind", KINDS)
def test_to_transformers_and_back_everything_is_the_same_to_the_bit(
    both: dict[str, tuple[Path, Path]], kind: str, tmp_path: Path
) -> None:
    source, other = both[kind]
    back = convert(other, tmp_path / "back").folder
    for name in FILES:
        before, after = torch.load(source / name), torch.load(back / name)
        assert_same_tensors(before.pop("best_state"), after.pop("best_state"))
        assert before == after  # configuration, version and marks
    assert_same_tensors(
        load_file(source / "t5" / "model.safetensors"), load_file(back / "t5" / "model.safetensors")
    )
    assert not [path for path in tmp_path.iterdir() if path != back]


def test_what_transformers_saved_comes_back_from_audiocrafts_format_to_the_bit(
    both: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    loaded(both["text"][1]).save_pretrained(saved)
    there = convert(saved, tmp_path / "there").folder
    back = convert(there, tmp_path / "back").folder
    assert_same_tensors(dict(read_tensors(saved)), dict(read_tensors(back)))
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (saved, back))
    for part in ("decoder", "audio_encoder", "text_encoder"):
        assert {key: before[part][key] for key in after[part] if key != "dropout"} == {
            key: value for key, value in after[part].items() if key != "dropout"
        }


def test_transformers_own_model_computes_the_logits_that_audiocraft_computes(
    both: dict[str, tuple[Path, Path]],
) -> None:
    ours, theirs = load_musicgen(str(both["text"][0])), loaded(both["text"][1])
    tokens = torch.randint(0, 256, (2, 4, 9), generator=torch.Generator().manual_seed(0))
    ((_, conditions),) = ours.conditions.groups(["slow jazz"] * 2)
    ids = tokenized(both["text"][1], "slow jazz")
    with torch.inference_mode():
        expected = ours.language_model(tokens, [], condition_tensors=conditions)
        found = theirs(input_ids=ids.expand(2, -1), decoder_input_ids=tokens.reshape(8, 9)).logits
    torch.testing.assert_close(found.view(2, 4, 9, 256), expected, rtol=1e-4, atol=1e-5)


def test_the_codec_of_both_gives_the_same_codes_and_the_same_sound(
    both: dict[str, tuple[Path, Path]],
) -> None:
    ours, theirs = load_musicgen(str(both["text"][0])), loaded(both["text"][1]).audio_encoder
    audio = torch.rand(1, 1, 8000, generator=torch.Generator().manual_seed(0)) - 0.5
    codes = ours.encode(audio)
    with torch.inference_mode():
        found = theirs.encode(audio).audio_codes
        heard = theirs.decode(found, [None]).audio_values
    assert codes.unique().numel() > 30
    assert torch.equal(found[0].to(torch.int16), codes)
    torch.testing.assert_close(heard, ours.codec.decode(codes.long()), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_finds_every_tensor_and_no_other(both: dict[str, tuple[Path, Path]], kind: str) -> None:
    import transformers

    config = json.loads((both[kind][1] / "config.json").read_text())
    _, told = getattr(transformers, config["architectures"][0]).from_pretrained(
        both[kind][1], output_loading_info=True
    )
    assert {key: list(value) for key, value in told.items() if value} == {}
    assert len(list(both[kind][1].glob("model-*.safetensors"))) > 1


def test_a_conversion_that_fails_leaves_nothing_behind_and_a_target_is_never_overwritten(
    both: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(both["text"][1], broken)
    next(iter(broken.glob("model-00002*"))).unlink()
    with pytest.raises(ModelError, match="lacks model-00002"):
        convert(broken, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]
    with pytest.raises(InvalidInput, match="is there already"):
        convert(both["text"][1], broken)


def drop(folder: Path, name: str) -> None:
    """One tensor of a package goes."""
    package = torch.load(folder / "state_dict.bin")
    del package["best_state"][name]
    torch.save(package, folder / "state_dict.bin")


def reconfigure(folder: Path, file: str, old: str, new: str) -> None:
    package = torch.load(folder / file)
    assert old in package["xp.cfg"]
    torch.save({**package, "xp.cfg": package["xp.cfg"].replace(old, new)}, folder / file)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda folder: reconfigure(folder, FILES[0], "layer_scale: null", "layer_scale: 0.1"),
            "layer_scale",
        ),
        (lambda folder: reconfigure(folder, FILES[0], "norm_first: true", "norm_first: false"), "norm_first"),
        (lambda folder: reconfigure(folder, FILES[0], "    - 3\n", "    - 4\n"), "delays"),
        (lambda folder: reconfigure(folder, FILES[0], "modeling: delay", "modeling: parallel"), "pattern"),
        (lambda folder: reconfigure(folder, FILES[1], "norm: weight_norm", "norm: none"), "seanet.norm"),
        (lambda folder: reconfigure(folder, FILES[1], "lstm: 2", "lstm: 0"), "LSTM"),
        (lambda folder: reconfigure(folder, FILES[1], "n_q: 4", "n_q: 5"), "do not fit"),
        (lambda folder: drop(folder, "out_norm.bias"), "lacks out_norm.bias"),
    ],
)
def test_what_transformers_has_no_place_for_is_refused_by_name(
    both: dict[str, tuple[Path, Path]], damage: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(both["text"][0], folder)
    damage(folder)
    with pytest.raises(ModelError, match=said):
        convert(folder, tmp_path / "other")


def edit(folder: Path, file: str, change: Callable[[dict[str, Any]], None]) -> None:
    values = json.loads((folder / file).read_text())
    change(values)
    (folder / file).write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: edit(f, "config.json", lambda c: c.update(model_type="gpt2")), "describes 'gpt2'"),
        (lambda f: edit(f, "config.json", lambda c: c["decoder"].update(ffn_dim=64)), "another model"),
        (lambda f: edit(f, "model.safetensors.index.json", escape), "names no files beside it"),
        (lambda f: next(f.glob("model-*.safetensors")).write_bytes(b"\xff" * 99), "damaged"),
        (lambda f: edit(f, "audiocraft.json", outside), "leads outside"),
        (lambda f: (f / "config.json").write_text("["), "no JSON"),
    ],
)
def test_a_damaged_folder_of_transformers_is_refused_in_a_sentence(
    both: dict[str, tuple[Path, Path]], damage: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(both["text"][1], folder)
    damage(folder)
    with pytest.raises(ModelError, match=said):
        convert(folder, tmp_path / "other")


def outside(record: dict[str, Any]) -> None:
    record["language model"]["xp.cfg"] = record["language model"]["xp.cfg"].replace("./t5", "./../t5")


def escape(index: dict[str, Any]) -> None:
    index["weight_map"] = dict.fromkeys(index["weight_map"], "../secret.safetensors")


@pytest.fixture
def training(both: dict[str, tuple[Path, Path]], tmp_path: Path) -> Callable[..., Path]:
    """A `checkpoint.th` as Dora writes it, with the configuration pickled as OmegaConf's objects."""

    def write(codec: str = "//pretrained/facebook/encodec_32khz", **more: Any) -> Path:
        package = torch.load(both["text"][0] / FILES[0])
        configuration = OmegaConf.create(package["xp.cfg"])
        configuration.compression_model_checkpoint = codec
        configuration.named = "${sample_rate}"
        checkpoint = {
            "xp.cfg": configuration,
            "xp.sig": "1a2b3c4d",
            "history": [{"train": {"ce": 3.5}}],
            "best_state": {"model": package["best_state"]},
            "fsdp_best_state": {},
            "optimizer": {"state": {}, "param_groups": [{"lr": 1e-4}]},
            **more,
        }
        torch.save(checkpoint, tmp_path / "checkpoint.th")
        return tmp_path / "checkpoint.th"

    return write


def test_a_training_checkpoint_becomes_what_audiocraft_exports_of_it(
    training: Callable[..., Path], tmp_path: Path
) -> None:
    from audiocraft.utils.export import export_lm

    raw = training()
    with torch.serialization.safe_globals([]), pytest.MonkeyPatch.context() as patched:
        load = torch.load
        patched.setattr(torch, "load", lambda *a: load(*a, weights_only=False))  # as audiocraft expects it
        export_lm(raw, tmp_path / "theirs.bin")
    made = convert(tmp_path, tmp_path / "made")
    assert (made.source_format, made.format) == ("dora", "audiocraft")
    theirs, ours = torch.load(tmp_path / "theirs.bin"), torch.load(made.folder / FILES[0])
    assert_same_tensors(theirs.pop("best_state"), ours.pop("best_state"))
    assert ours == theirs
    assert torch.load(made.folder / FILES[1])["pretrained"] == "facebook/encodec_32khz"


def test_a_codec_can_be_given_and_one_on_another_machine_has_to_be(
    training: Callable[..., Path], both: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    raw = training(codec="//sig/0123abcd")
    with pytest.raises(ModelError, match="--codec"):
        convert(raw, tmp_path / "made")
    codec = both["text"][0] / FILES[1]
    made = convert(raw, tmp_path / "made", codec=str(codec)).folder
    assert (made / FILES[1]).read_bytes() == codec.read_bytes()
    with pytest.raises(InvalidInput, match="leave out --codec"):
        convert(both["text"][0], tmp_path / "other", codec=str(codec))


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("executed"),)


def test_nothing_in_a_training_checkpoint_is_executed(
    training: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = training(history=[Harmful()])
    with pytest.raises(ModelError, match="without executing"):
        read_training_checkpoint(raw)
    assert not Path("executed").exists()
    pickle.loads(pickle.dumps(Harmful()))
    assert Path("executed").exists()  # it would have been


def loaded(folder: Path) -> Any:
    """Through transformers' own loader."""
    from transformers import MusicgenForConditionalGeneration

    return MusicgenForConditionalGeneration.from_pretrained(folder).eval()


def tokenized(folder: Path, text: str) -> torch.Tensor:
    from transformers import AutoTokenizer

    ids: torch.Tensor = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids
    return ids


def assert_same_tensors(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> None:
    assert set(before) == set(after)
    for name, tensor in before.items():
        assert tensor.dtype == after[name].dtype, name
        assert torch.equal(tensor, after[name]), name


def test_a_text_encoder_as_wide_as_the_decoder_needs_no_projection_in_transformers(
    both: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    from transformers import PreTrainedTokenizerFast

    whole = loaded(both["text"][1])
    config = whole.config
    config.text_encoder.d_model = config.decoder.hidden_size
    saved = tmp_path / "saved"
    type(whole)(config).save_pretrained(saved)
    words = WordLevel({"<unk>": 0, "<pad>": 1, "slow": 2, "jazz": 3}, unk_token="<unk>")
    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(words), unk_token="<unk>", pad_token="<pad>"
    ).save_pretrained(saved)
    assert "enc_to_dec_proj.weight" not in dict(read_tensors(saved))
    there = convert(saved, tmp_path / "there").folder
    back = convert(there, tmp_path / "back").folder
    assert_same_tensors(dict(read_tensors(saved)), dict(read_tensors(back)))
    models = [load_named_model(str(folder)) for folder in (saved, there, back)]
    assert len({model.info.fingerprint for model in models}) == 1
    states = [model.conditions.groups(["slow"])[0][1]["description"][0] for model in models[:2]]
    torch.testing.assert_close(*states, rtol=0, atol=2e-5)


def test_a_target_that_cannot_be_made_is_named(both: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=f"The folder {tmp_path / 'file' / 'x'} cannot be made"):
        convert(both["text"][0], tmp_path / "file" / "x")


def test_a_tokenizer_without_its_words_is_refused_before_a_run_would_begin(
    both: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    for number, source in enumerate(both["text"]):
        folder = shutil.copytree(source, tmp_path / str(number))
        check_tokenizer(str(folder))
        for file in (*folder.rglob("tokenizer.json"), *folder.rglob("*.model")):
            file.unlink()
        with pytest.raises(ModelError, match="no tokenizer that transformers' AutoTokenizer loads"):
            check_tokenizer(str(folder))
