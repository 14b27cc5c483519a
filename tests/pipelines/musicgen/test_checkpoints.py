"""Checkpoints in every place they may lie, whole and broken."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.models.backends import with_backend
from pipelines.models.checkpoints import HUB_NAMES, resolve_checkpoint
from pipelines.models.conversion.converting import convert
from pipelines.models.musicgen import load_musicgen
from pipelines.models.named import describe_model, load_named_model, pinned_name
from store.errors import InvalidInput, ModelError, NotFound

WriteCheckpoint = Callable[..., Path]

MODEL_COMMIT = "4c8334b02c6ec4e8664a91979669a501ec497792"
TEXT_COMMIT = "a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1"
CODEC_COMMIT = "0" * 40


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


def put(hub: Path, repository: str, commit: str, files: Path, *, reference: str | None = "main") -> Path:
    """Lay a repository out as huggingface_hub does: blobs, symbolic links to them, and refs."""
    root = hub / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (root / "blobs").mkdir(exist_ok=True)
    for number, file in enumerate(sorted(file for file in files.iterdir() if file.is_file())):
        blob = root / "blobs" / f"{commit}-{number}"
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(f"../../blobs/{blob.name}")
    if reference:
        (root / "refs").mkdir(exist_ok=True)
        (root / "refs" / reference).write_text(commit)
    return snapshot


@pytest.fixture
def published(hub: Path, write_checkpoint: WriteCheckpoint, tmp_path: Path) -> Path:
    """musicgen-small as a user without a network has it, and t5-base in a repository of its own."""
    source = write_checkpoint(tmp_path / "source", text_encoder="t5-base")
    put(hub, "t5-base", TEXT_COMMIT, source / "t5")
    put(hub, "facebook/musicgen-small", MODEL_COMMIT, source)
    return source


@pytest.mark.usefixtures("published")
def test_a_hub_name_loads_offline_and_records_the_revisions_it_used() -> None:
    model = load_musicgen("facebook/musicgen-small")
    assert model.info.name == "facebook/musicgen-small"
    assert model.info.revision == MODEL_COMMIT
    assert model.info.text_encoder == f"t5-base@{TEXT_COMMIT}"
    assert not model.info.random_weights
    assert model.conditions.encode("slow jazz")["description"][0].shape == (1, 3, 32)
    assert model.info == describe_model("facebook/musicgen-small")


def test_audiogen_is_found_by_name_and_used_like_any_other(hub: Path, published: Path) -> None:
    put(hub, "facebook/audiogen-medium", "a0" * 20, published)
    info = describe_model("facebook/audiogen-medium")
    assert (info.name, info.revision) == ("facebook/audiogen-medium", "a0" * 20)
    assert info.fingerprint == describe_model("facebook/musicgen-small").fingerprint
    assert info.licence == "CC-BY-NC-4.0"


PUBLISHED = (
    "small", "medium", "large", "melody", "melody-large",
    "stereo-small", "stereo-medium", "stereo-large", "stereo-melody", "stereo-melody-large",
)  # fmt: skip
"""What stands behind facebook/musicgen- on the hub, but for style."""


@pytest.mark.parametrize("backend", [None, "audiocraft", "transformers"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_name_is_found_in_either_format(
    hub: Path, tmp_path: Path, name: str, backend: str | None
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for file in ("state_dict.bin", "compression_state_dict.bin", "config.json", "model.safetensors"):
        (files / file).write_bytes(b"")
    put(hub, f"facebook/musicgen-{name}", MODEL_COMMIT, files)
    found = resolve_checkpoint(with_backend(f"facebook/musicgen-{name}", backend))
    assert (found.name, found.revision) == (f"facebook/musicgen-{name}", MODEL_COMMIT)
    assert found.backend == (backend or "audiocraft")


def test_a_pinned_revision_is_used_although_main_has_moved_on(
    hub: Path, published: Path, write_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    before = describe_model("facebook/musicgen-small")
    newer = write_checkpoint(tmp_path / "newer", text_encoder="t5-base")
    package = torch.load(newer / "state_dict.bin")
    package["best_state"]["emb.0.weight"] += 1
    torch.save(package, newer / "state_dict.bin")
    put(hub, "facebook/musicgen-small", "f" * 40, newer)
    assert describe_model("facebook/musicgen-small").revision == "f" * 40
    pinned = describe_model(f"facebook/musicgen-small@{MODEL_COMMIT}")
    assert pinned == before
    assert pinned.fingerprint != describe_model("facebook/musicgen-small").fingerprint


def test_the_fingerprint_belongs_to_the_content_and_not_to_the_place(published: Path) -> None:
    folder = describe_model(str(published))
    assert (folder.name, folder.revision) == ("source", None)
    assert folder.fingerprint == describe_model("facebook/musicgen-small").fingerprint
    assert folder.codec_fingerprint == describe_model("facebook/musicgen-small").codec_fingerprint


def test_a_codec_of_a_repository_of_its_own_is_found_in_the_hub_cache(
    hub: Path, write_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    from transformers import EncodecConfig, EncodecModel

    torch.manual_seed(0)
    shape = EncodecConfig(
        sampling_rate=16_000,
        audio_channels=1,
        target_bandwidths=[0.8],
        upsampling_ratios=[8, 5, 4, 4],
        num_filters=4,
        hidden_size=16,
        codebook_size=256,
        codebook_dim=16,
        num_lstm_layers=1,
        normalize=False,
    )
    EncodecModel(shape).save_pretrained(tmp_path / "encodec")
    put(hub, "facebook/encodec_32khz", CODEC_COMMIT, tmp_path / "encodec")
    folder = write_checkpoint(tmp_path / "tuned")
    reference = {"pretrained": "facebook/encodec_32khz", "exported": True, "version": "1.3.0"}
    torch.save(reference, folder / "compression_state_dict.bin")
    model = load_musicgen(str(folder))
    assert (model.info.frame_rate, model.info.codebook_size) == (25.0, 256)
    audio = torch.rand(2, 1, 16_000) - 0.5
    codes = model.encode(audio)
    assert codes.shape == (2, 4, 25)
    held = load_named_model(str(convert(folder, tmp_path / "held").folder))
    assert torch.equal(held.encode(audio), codes)


@pytest.mark.usefixtures("hub")
def test_a_hub_model_that_is_nowhere_says_how_to_get_it() -> None:
    with pytest.raises(ModelError, match=r"hf download facebook/musicgen-large state_dict\.bin"):
        describe_model("facebook/musicgen-large")


def test_a_hub_model_cached_in_another_format_says_what_is_missing(hub: Path, tmp_path: Path) -> None:
    (tmp_path / "transformers").mkdir()
    (tmp_path / "transformers" / "model.safetensors").write_bytes(b"")
    put(hub, "facebook/musicgen-medium", MODEL_COMMIT, tmp_path / "transformers")
    with pytest.raises(ModelError, match=r"without state_dict\.bin\. With a network: hf download"):
        describe_model("facebook/musicgen-medium")


def test_a_text_encoder_that_is_nowhere_says_how_to_get_it(
    hub: Path, write_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    assert not list(hub.iterdir())
    folder = write_checkpoint(tmp_path / "model", text_encoder="t5-base")
    with pytest.raises(ModelError, match="hf download t5-base"):
        describe_model(str(folder))


def test_a_local_folder_with_odd_characters_loads(write_checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "mein Modell – größer")
    model = load_musicgen(str(folder))
    assert (model.info.layers, model.info.width) == (2, 32)
    assert model.info.name == "mein Modell – größer", "a store keeps it, and must not hold absolute paths"


def test_fingerprints_follow_every_tensor(write_checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    before = describe_model(str(folder))
    change_tensor(folder / "state_dict.bin", "transformer.layers.1.linear2.weight")
    decoder_changed = describe_model(str(folder))
    assert decoder_changed.fingerprint != before.fingerprint
    assert decoder_changed.codec_fingerprint == before.codec_fingerprint
    change_tensor(folder / "compression_state_dict.bin", "quantizer.vq.layers.3._codebook.embed")
    codec_changed = describe_model(str(folder))
    assert codec_changed.fingerprint == decoder_changed.fingerprint
    assert codec_changed.codec_fingerprint != before.codec_fingerprint


def test_fingerprints_follow_the_text_encoder_beside_the_checkpoint(
    write_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = write_checkpoint(tmp_path / "model")
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    tensors = load_file(other / "t5" / "model.safetensors")
    tensors["shared.weight"][0, 0] += 1
    save_file(tensors, other / "t5" / "model.safetensors", metadata={"format": "pt"})
    assert describe_model(str(folder)).fingerprint != describe_model(str(other)).fingerprint


def change_tensor(path: Path, name: str) -> None:
    package = torch.load(path)
    package["best_state"][name].view(-1)[0] += 1
    torch.save(package, path)


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(NotFound) as raised:
        describe_model("musicgen-tiny")
    for choice in ("'musicgen-tiny'", "pocket", "pocket-random", *HUB_NAMES, "state_dict.bin"):
        assert choice in str(raised.value)


@pytest.mark.parametrize(
    ("per_timestep", "delays", "said"),
    [
        (True, [0, 0, 1, 1, 2, 2, 3, 3], "take turns in time"),
        (False, [0, 1, 2, 3, 4, 5, 6, 7], "delayed alike"),
    ],
)
def test_a_stereo_model_of_another_interleaving_is_refused(
    write_checkpoint: WriteCheckpoint, tmp_path: Path, per_timestep: bool, delays: list[int], said: str
) -> None:
    def change(configuration: dict[str, Any]) -> None:
        configuration["interleave_stereo_codebooks"] = {"use": True, "per_timestep": per_timestep}
        configuration["transformer_lm"]["n_q"] = 8
        configuration["codebooks_pattern"]["delay"]["delays"] = delays

    with pytest.raises(ModelError, match=said):
        describe_model(str(write_checkpoint(tmp_path / "odd", change)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["transformer_lm"].update(norm_first=False), "no residual stream"),
        (lambda c: c["codebooks_pattern"].update(modeling="unroll", unroll={}), "only a plain delay"),
        (lambda c: c["codebooks_pattern"]["delay"].update(flatten_first=2), "only a plain delay"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    write_checkpoint: WriteCheckpoint, tmp_path: Path, change: Callable[[Any], None], message: str
) -> None:
    folder = write_checkpoint(tmp_path / "model", change)
    with pytest.raises(ModelError, match=message):
        describe_model(str(folder))


def test_a_codec_with_too_few_codebooks_is_refused(write_checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
    def change(configuration: dict[str, Any]) -> None:
        configuration["transformer_lm"]["n_q"] = 5
        configuration["codebooks_pattern"]["delay"]["delays"] = [0, 1, 2, 3, 4]

    folder = write_checkpoint(tmp_path / "model", change)
    with pytest.raises(ModelError, match="4 codebooks of 256 tokens against 5 of 256"):
        describe_model(str(folder))


@pytest.mark.parametrize("file", ["state_dict.bin", "compression_state_dict.bin"])
def test_a_missing_file_is_named(write_checkpoint: WriteCheckpoint, tmp_path: Path, file: str) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / file).unlink()
    with pytest.raises(ModelError, match=f"holds no {file}"):
        describe_model(str(folder))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 truncated"])
def test_a_damaged_file_is_named(write_checkpoint: WriteCheckpoint, tmp_path: Path, content: bytes) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / "state_dict.bin").write_bytes(content)
    with pytest.raises(ModelError, match=r"state_dict.bin cannot be read .* Download it again"):
        describe_model(str(folder))


def test_a_truncated_file_is_named(write_checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "model") / "state_dict.bin"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ModelError, match="cannot be read"):
        describe_model(str(file.parent))


def test_a_file_that_is_no_audiocraft_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "state_dict.bin")
    with pytest.raises(ModelError, match="not in audiocraft's format"):
        describe_model(str(tmp_path))


class _Payload:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (Path.touch, (self.witness,))  # type: ignore[return-value]


def test_code_inside_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    torch.save({"best_state": _Payload(witness), "xp.cfg": ""}, tmp_path / "state_dict.bin")
    with pytest.raises(ModelError, match="cannot be read"):
        describe_model(str(tmp_path))
    assert not witness.exists()
    (tmp_path / "state_dict.bin").write_bytes(pickle.dumps(_Payload(witness)))
    with pytest.raises(ModelError, match="cannot be read"):
        describe_model(str(tmp_path))
    assert not witness.exists()


def test_tensors_that_do_not_fit_the_configuration_are_refused(
    write_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path / "model")
    package = torch.load(folder / "state_dict.bin")
    del package["best_state"]["emb.0.weight"]
    torch.save(package, folder / "state_dict.bin")
    with pytest.raises(ModelError, match=r"do not fit its own configuration.*emb\.0\.weight"):
        load_musicgen(str(folder))


@pytest.fixture
def both_formats(hub: Path, write_convertible: WriteCheckpoint, tmp_path: Path) -> tuple[Path, Path]:
    """A tuned model whose text encoder is named, and the same in the format of transformers."""
    source = write_convertible(tmp_path / "tuned")
    put(hub, "t5-base", TEXT_COMMIT, source / "t5")
    package = torch.load(source / "state_dict.bin")
    package["xp.cfg"] = package["xp.cfg"].replace("./t5", "t5-base")
    torch.save(package, source / "state_dict.bin")
    shutil.rmtree(source / "t5")
    return source, convert(source, tmp_path / "tuned-transformers").folder


def test_any_repository_is_found_in_the_format_that_it_has(
    hub: Path, both_formats: tuple[Path, Path]
) -> None:
    ours, theirs = both_formats
    put(hub, "someone/tuned", MODEL_COMMIT, theirs)
    put(hub, "someone/trained", MODEL_COMMIT, ours)
    found = load_named_model("someone/tuned")
    assert (found.info.name, found.info.revision) == ("someone/tuned", MODEL_COMMIT)
    assert found.backend.startswith("transformers")
    assert load_named_model(f"someone/trained@{MODEL_COMMIT}").backend.startswith("audiocraft")
    assert pinned_name("someone/tuned") == f"transformers:someone/tuned@{MODEL_COMMIT}"
    assert describe_model("someone/trained").fingerprint == found.info.fingerprint


def test_where_a_repository_has_both_formats_the_name_can_say_which(
    hub: Path, both_formats: tuple[Path, Path], tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    for folder in both_formats:
        shutil.copytree(folder, mixed, dirs_exist_ok=True)
    put(hub, "facebook/musicgen-small", MODEL_COMMIT, mixed)
    assert load_named_model("facebook/musicgen-small").backend.startswith("audiocraft")
    assert load_named_model("transformers:facebook/musicgen-small").backend.startswith("transformers")
    put(hub, "facebook/musicgen-medium", MODEL_COMMIT, both_formats[1])  # the other one is not in the cache
    assert load_named_model("facebook/musicgen-medium").backend.startswith("transformers")
    with pytest.raises(InvalidInput, match="convert the model"):
        describe_model(f"audiocraft:{both_formats[1]}")


def test_a_named_text_encoder_stays_named_while_it_is_the_same(
    both_formats: tuple[Path, Path], tmp_path: Path
) -> None:
    ours, theirs = both_formats
    assert describe_model(str(theirs)).text_encoder == "t5-base"
    back = convert(theirs, tmp_path / "back").folder
    assert {path.name for path in back.iterdir()} == {path.name for path in ours.iterdir()}
    trained_on = shutil.copytree(theirs, tmp_path / "trained-on")
    weights = load_file(trained_on / "model.safetensors")
    weights["text_encoder.shared.weight"] += 1
    save_file(weights, trained_on / "model.safetensors")
    assert describe_model(str(trained_on)).text_encoder == "./t5"
    assert describe_model(str(trained_on)).fingerprint != describe_model(str(theirs)).fingerprint


def test_a_name_that_is_no_folder_and_no_repository_is_told_with_what_there_is(hub: Path) -> None:
    with pytest.raises(NotFound, match=r"no folder 'some/model', no such repository.*pocket"):
        describe_model("some/model")


def test_without_a_network_a_misspelt_repository_is_told_once_and_at_once(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nobody listens there

    def asked(*_: Any, **__: Any) -> Any:
        raise AssertionError("its library tries for a minute")

    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", asked)
    with pytest.raises(NotFound, match=r"cannot be reached.*Did you mean facebook/musicgen-small\?"):
        describe_model("facebook/musicgen-smal")
    with pytest.raises(ModelError, match=r"the hub cannot be reached.*hf download"):
        describe_model("facebook/musicgen-small")
