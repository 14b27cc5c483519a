"""transformers' MusicGen beside audiocraft's of the same weights: codes, activations, tokens, steering."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.capture import CaptureSpec, capture, forward_activations
from pipelines.generation.generate import GeneratedAudio, GenerationRequest, encode_prompt, generate
from pipelines.generation.sampling import Sampling
from pipelines.models.checkpoints import Checkpoint
from pipelines.models.conversion.converting import convert
from pipelines.models.conversion.transformers_files import read_tensors
from pipelines.models.named import describe_model, load_named_model
from pipelines.models.transformers_musicgen import TransformersMusicGen, load_transformers_musicgen
from pipelines.steering.edits import Edit, Steering
from store.errors import ModelError

WriteCheckpoint = Callable[..., Path]
AgreesWith = Callable[..., GeneratedAudio]
Pair = tuple[Any, TransformersMusicGen]
KINDS = ("text", "melody", "stereo")


@pytest.fixture(scope="module")
def pairs(write_convertible: WriteCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """By kind, the same weights behind both back-ends."""
    root = tmp_path_factory.mktemp("pairs")
    found: dict[str, Pair] = {}
    for kind in KINDS:
        source = write_convertible(root / kind, kind)
        other = convert(source, root / f"{kind}-transformers").folder
        theirs = load_named_model(str(other))
        assert isinstance(theirs, TransformersMusicGen)
        found[kind] = load_named_model(str(source)), theirs
    return found


def spec_of(model: Any) -> CaptureSpec:
    return CaptureSpec(model.info.site_names, (0, 1), ("mean", "frames"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_weights_in_either_format_are_one_model(pairs: dict[str, Pair], kind: str) -> None:
    ours, theirs = pairs[kind]
    assert replace(theirs.info, name=ours.info.name) == ours.info
    assert "transformers" in repr(theirs)
    assert theirs.backend.endswith(", sdpa")


@pytest.mark.parametrize("kind", KINDS)
def test_activations_agree_at_every_site_and_layer(
    pairs: dict[str, Pair], kind: str, random_codes: Callable[..., Any]
) -> None:
    ours, theirs = pairs[kind]
    codes, texts = (
        random_codes(3, 40, codebooks=ours.info.codebooks),
        ["slow jazz", "", "fast rock with drums"],
    )
    expected = forward_activations(ours, codes, spec_of(ours), texts)
    found = forward_activations(theirs, codes, spec_of(ours), texts)
    assert set(found) == set(expected)
    for name, array in expected.items():
        for layer in range(array.shape[1]):
            gap = (found[name][:, layer] - array[:, layer]).norm() / array[:, layer].norm().clamp(min=1e-9)
            assert gap < 2e-5, (name, layer)


def test_cross_attention_to_no_text_is_left_out_and_gives_the_same(
    pairs: dict[str, Pair], random_codes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, codes = pairs["text"][1], random_codes(2, 24)
    asked: list[Any] = []
    handle = model.decoder.layers[1].encoder_attn.k_proj.register_forward_hook(lambda *_: asked.append(1))
    try:
        found = forward_activations(model, codes, spec_of(model))
        assert not asked
        monkeypatch.setenv("UNDERTONE_PLAIN", "1")
        expected = forward_activations(model, codes, spec_of(model))
        assert asked
    finally:
        handle.remove()
    for name, array in expected.items():
        gap = (found[name] - array).norm() / array.norm().clamp(min=1e-9)
        assert gap < 2e-5, name


@pytest.mark.parametrize("kind", KINDS)
def test_the_states_returned_are_those_before_the_final_norm(
    pairs: dict[str, Pair], kind: str, random_codes: Callable[..., Any]
) -> None:
    _, model = pairs[kind]
    codes = torch.from_numpy(random_codes(2, 20, codebooks=model.info.codebooks))
    ((_, conditions),) = model.conditions.groups(["jazz", "rock"])
    with capture(model, CaptureSpec(("resid",), (1,), ("frames",))) as seen:
        states = model.forward(codes, conditions)
    kept = seen.arrays()["resid.frames"][:, 0]
    assert torch.equal(states[:, -kept.shape[1] :], kept)
    assert not torch.allclose(model.decoder.layer_norm(states), states, atol=0.1)
    assert not model.decoder.layer_norm._forward_pre_hooks
    assert not model.decoder.layers[1]._forward_hooks


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("site", ["embed", "resid", "attn", "mlp", "head"])
def test_steered_and_unsteered_tokens_agree(
    pairs: dict[str, Pair], kind: str, site: str, agrees_with: AgreesWith
) -> None:
    ours, theirs = pairs[kind]
    vector = np.random.default_rng(1).normal(size=32).astype(np.float32)
    edit = Edit(site, 0 if site == "embed" else 1, vector / np.linalg.norm(vector), alpha=3.0)
    requests = [
        GenerationRequest(0.6, "slow jazz", random_state=3, steering=steering)
        for steering in (Steering(), Steering((edit,)))
    ]
    plain, steered = generate(theirs, requests)
    agrees_with(ours, requests[0], plain.codes)
    expected = agrees_with(ours, requests[1], steered.codes)
    assert not np.array_equal(plain.codes, steered.codes)
    if np.array_equal(expected.codes, steered.codes):
        np.testing.assert_allclose(steered.audio, expected.audio, atol=1e-4)


@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_codes_agree(pairs: dict[str, Pair], kind: str) -> None:
    ours, theirs = pairs[kind]
    audio = torch.rand(3, ours.info.channels, 9000, generator=torch.Generator().manual_seed(0)) - 0.5
    codes = theirs.encode(audio)
    assert codes.unique().numel() > 30
    assert torch.equal(codes, ours.encode(audio))


def test_left_and_right_are_where_the_libraries_have_them(pairs: dict[str, Pair]) -> None:
    """Between audio and codes, beside audiocraft's wrapper of the codec and transformers' own generation."""
    from audiocraft.models.encodec import InterleaveStereoCompressionModel

    ours, theirs = pairs["stereo"]
    audio = torch.rand(2, 2, 9000, generator=torch.Generator().manual_seed(0)) - 0.5
    codes = ours.encode(audio)
    assert not torch.equal(codes[:, ::2], codes[:, 1::2])
    single = pairs["text"][0].encode(audio.reshape(4, 1, -1)).reshape(2, 2, 4, -1)  # the same codec
    assert torch.equal(codes[:, ::2], single[:, 0])
    assert torch.equal(codes[:, 1::2], single[:, 1])
    wrapper = InterleaveStereoCompressionModel(ours.codec, per_timestep=False)
    with torch.inference_mode():
        assert torch.equal(codes.long(), wrapper.encode(audio)[0])
        expected = wrapper.decode(codes.long())
        left, right = (theirs.whole.audio_encoder.decode(codes[None, :, side::2].long(), [None]).audio_values
                       for side in (0, 1))  # fmt: skip
    for model in (ours, theirs):
        found = model.decode(codes)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found, torch.cat([left, right], dim=1), atol=1e-5, rtol=1e-4)


def test_a_stereo_model_makes_two_channels_and_goes_on_from_one_or_two(pairs: dict[str, Pair]) -> None:
    model = pairs["stereo"][1]
    single = np.random.default_rng(0).normal(scale=0.1, size=8000).astype(np.float32)
    codes = encode_prompt(model, single)
    np.testing.assert_array_equal(codes, encode_prompt(model, np.stack([single, single], axis=1)))
    np.testing.assert_array_equal(codes[::2], codes[1::2])
    made = generate(model, [GenerationRequest(0.6, "jazz", prompt_codes=codes[:, :6])])[0]
    assert made.audio.shape == (19 * 500, 2)
    np.testing.assert_array_equal(made.codes[:, :6], codes[:, :6])


@pytest.mark.parametrize("kind", KINDS)
def test_texts_and_guidance_change_what_is_computed(
    pairs: dict[str, Pair], kind: str, random_codes: Callable[..., Any]
) -> None:
    """Conditions were once dropped without a word by the library."""
    _, model = pairs[kind]
    spec = CaptureSpec(("resid",), (1,))
    one, other = (
        forward_activations(model, random_codes(1, 30, codebooks=model.info.codebooks), spec, [text])[
            "resid.mean"
        ]
        for text in ("jazz", "rock")
    )
    assert (one - other).norm() / one.norm() > 1e-4
    weak, strong = generate(
        model, [GenerationRequest(1.0, "jazz", sampling=Sampling(guidance=g)) for g in (1.0, 6.0)]
    )
    assert not np.array_equal(weak.codes, strong.codes)


@pytest.mark.usefixtures("stems_that_are_voice")
def test_a_melody_changes_what_is_generated_and_both_back_ends_follow_it(pairs: dict[str, Pair]) -> None:
    ours, theirs = pairs["melody"]
    time = np.arange(16_000) / 16_000
    low, high = (np.sin(2 * np.pi * pitch * time).astype(np.float32) for pitch in (261.6, 370.0))
    for melody in (low, high):
        expected = ours.conditions.encode_melody("jazz", melody)
        found = theirs.conditions.encode_melody("jazz", melody)
        for name, (embedding, mask) in expected.items():
            torch.testing.assert_close(found[name][0], embedding, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(found[name][1].float(), mask.float())
    made = [
        generate(theirs, [GenerationRequest(0.6, "jazz", melody=melody)])[0].codes for melody in (low, high)
    ]
    assert not np.array_equal(made[0], made[1])


def test_attention_computed_the_plain_way_agrees(
    pairs: dict[str, Pair], random_codes: Callable[..., Any]
) -> None:
    _, model = pairs["text"]
    folder = Path(model.conditions.folder)
    plain = load_transformers_musicgen(
        Checkpoint("plain", folder, backend="transformers"),
        device="cpu", dtype="float32", last_block=None, attention="eager",
    )  # fmt: skip
    codes, spec = random_codes(2, 20), CaptureSpec(("resid",), (0, 1))
    one, other = (forward_activations(each, codes, spec)["resid.mean"] for each in (model, plain))
    torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
    assert plain.backend.endswith(", eager")


def test_describing_builds_no_module_and_takes_no_library(pairs: dict[str, Pair]) -> None:
    assert (
        describe_model(str(pairs["text"][1].conditions.folder)).fingerprint
        == pairs["text"][0].info.fingerprint
    )


@pytest.mark.parametrize(
    ("part", "key", "value", "said"),
    [
        ("", "text_encoder", None, "lacks the section text_encoder"),
        ("audio_encoder", "trim_right_ratio", "text", "from 0 to 1"),
        ("audio_encoder", "target_bandwidths", [1e9], "n_q"),
        ("audio_encoder", "norm_type", "time_group_norm", "only models with"),
        ("decoder", "num_codebooks", 2**30, "more than any model has"),
        ("decoder", "hidden_size", 48, "do not fit"),
        ("decoder", "activation_function", "relu", "only models with"),
        ("decoder", "num_hidden_layers", 2**30, "more layers than"),
        ("text_encoder", "d_ff", 2**30, "do not fit"),
        ("text_encoder", "num_layers", 2**30, "too many"),
        ("text_encoder", "feed_forward_proj", "silly", "cannot build"),
    ],
)
def test_a_strangers_configuration_is_refused_before_anything_is_built(
    strangers: Path, part: str, key: str, value: object, said: str
) -> None:
    config = json.loads((strangers / "config.json").read_text())
    (config[part] if part else config)[key] = value
    (strangers / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=said):
        load_named_model(str(strangers))


def test_what_a_stranger_says_of_training_and_of_code_has_no_effect(strangers: Path) -> None:
    config = json.loads((strangers / "config.json").read_text())
    config |= {"auto_map": {"AutoModel": "evil.Model"}, "dtype": "float16", "_attn_implementation": "evil"}
    config["decoder"] |= {"dropout": 7, "max_position_embeddings": 2**40, "_attn_implementation": "evil"}
    (strangers / "config.json").write_text(json.dumps(config))
    assert "sdpa" in repr(load_named_model(str(strangers)))


@pytest.fixture
def strangers(pairs: dict[str, Pair], tmp_path: Path) -> Path:
    """A folder of transformers without what `undertone convert` put beside it."""
    folder = Path(shutil.copytree(pairs["text"][1].conditions.folder, tmp_path / "stranger"))
    (folder / "audiocraft.json").unlink()
    return folder


def test_a_folder_as_older_versions_wrote_it_is_the_same_model(
    pairs: dict[str, Pair], strangers: Path
) -> None:
    """One pickled file, other names of normed weights, the sines of positions, and no word on defaults."""
    before = describe_model(str(strangers))
    state = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in read_tensors(strangers).items()
    }
    state["decoder.model.decoder.embed_positions.weights"] = torch.zeros(2048, 32)
    torch.save(state, strangers / "pytorch_model.bin")
    (strangers / "model.safetensors").unlink()
    config = json.loads((strangers / "config.json").read_text())
    del config["audio_encoder"]["kernel_size"], config["decoder"]["num_codebooks"]
    (strangers / "config.json").write_text(json.dumps(config))
    assert describe_model(str(strangers)) == before
    codes = np.random.default_rng(0).integers(0, 256, (1, 4, 12), dtype=np.int16)
    spec = CaptureSpec(("resid",), (1,))
    one, other = (
        forward_activations(model, codes, spec)["resid.mean"]
        for model in (pairs["text"][1], load_named_model(str(strangers)))
    )
    assert torch.equal(one, other)


def test_in_lower_precision_the_matrices_are_smaller_and_the_residual_stream_is_not(
    pairs: dict[str, Pair], random_codes: Callable[..., Any]
) -> None:
    exact = pairs["text"][1]
    model = load_named_model(str(exact.conditions.folder), dtype="bfloat16")
    assert isinstance(model, TransformersMusicGen)
    assert model.decoder.layers[0].fc1.weight.dtype == torch.bfloat16
    codes, spec = random_codes(2, 20), CaptureSpec(("resid",), (0, 1))
    with capture(model, spec):
        ((_, conditions),) = model.conditions.groups(["jazz", "rock"])
        assert model.forward(torch.from_numpy(codes), conditions).dtype == torch.float32
    one, other = (forward_activations(each, codes, spec)["resid.mean"] for each in (exact, model))
    assert 1e-6 < (one - other).norm() / one.norm() < 0.02
    assert generate(model, [GenerationRequest(0.6, "jazz")])[0].codes.shape == (4, 19)
