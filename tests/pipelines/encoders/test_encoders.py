"""Audio encoders against transformers' own hidden states, on tiny random models that are saved and loaded."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from pipelines.capture import CaptureSpec, heard_activations
from pipelines.models.encoders.encoder import TransformersEncoder
from pipelines.models.named import describe_model, load_named_model, load_readable_model
from pipelines.models.protocol import LoadedModel, as_encoder
from pipelines.scorers.clap_transformers import quiet_transformers
from store.errors import InvalidInput, ModelError
from undertone_testing.encoders import EncoderConformance

RATE = 16_000
Audio = NDArray[np.float32]


def _wave(name: str, **more: Any) -> Callable[[Path], None]:
    def save(folder: Path) -> None:
        settings = getattr(transformers, f"{name}Config")(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            conv_dim=(16, 16, 16),
            conv_kernel=(10, 8, 4),
            conv_stride=(5, 8, 8),
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            **more,
        )
        getattr(transformers, f"{name}Model")(settings).save_pretrained(folder)
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)

    return save


def _whisper(folder: Path) -> None:
    config = transformers.WhisperConfig(
        d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=48, decoder_ffn_dim=48, max_source_positions=100, vocab_size=64, num_mel_bins=80,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    transformers.WhisperModel(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(chunk_length=2).save_pretrained(folder)


def _encodec(folder: Path) -> None:
    config = transformers.EncodecConfig(
        sampling_rate=RATE, upsampling_ratios=[8, 5, 4], num_filters=8, hidden_size=24, codebook_size=16,
        codebook_dim=24, normalize=False,
    )  # fmt: skip
    transformers.EncodecModel(config).save_pretrained(folder)


def _dac(folder: Path) -> None:
    settings: dict[str, Any] = {
        "encoder_hidden_size": 4, "downsampling_ratios": [2, 4, 8], "upsampling_ratios": [8, 4, 2],
        "decoder_hidden_size": 32, "n_codebooks": 2, "codebook_size": 16, "codebook_dim": 4,
        "sampling_rate": RATE,
    }  # fmt: skip
    config = transformers.DacConfig(**settings)
    transformers.DacModel(config).save_pretrained(folder)


SAVED: dict[str, Callable[[Path], None]] = {
    "hubert": _wave("Hubert"),
    "wav2vec2": _wave(
        "Wav2Vec2",
        do_stable_layer_norm=True,
        feat_extract_norm="layer",
    ),
    "wavlm": _wave("WavLM"),
    "unispeech-sat": _wave("UniSpeechSat"),
    "unispeech": _wave("UniSpeech"),
    "data2vec": _wave("Data2VecAudio"),
    "whisper": _whisper,
    "encodec": _encodec,
    "dac": _dac,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny model of each family, as `save_pretrained` writes it."""
    found = {}
    with quiet_transformers():
        torch.manual_seed(0)
        for name, save in SAVED.items():
            found[name] = tmp_path_factory.mktemp("encoders") / name
            save(found[name])
    return found


def _loaded(name: str | Path) -> TransformersEncoder:
    model = load_readable_model(str(name))
    assert isinstance(model, TransformersEncoder)
    return model


def _noise(clips: int, seconds: float = 1.0, seed: int = 0) -> Audio:
    samples = np.random.default_rng(seed).standard_normal((clips, round(seconds * RATE)))
    return (0.1 * samples).astype(np.float32)


def _all(model: TransformersEncoder, *reductions: str) -> CaptureSpec:
    return CaptureSpec(model.info.site_names, tuple(range(model.info.layers)), reductions or ("frames",))  # type: ignore[arg-type]


def _hidden_states(model: TransformersEncoder, audio: Audio) -> list[torch.Tensor]:
    """What transformers itself calls the hidden states of these clips."""
    inputs = model.family.inputs(model.config, model.extractor, audio)
    with torch.inference_mode():
        return list(model.part(**inputs, output_hidden_states=True).hidden_states)


@pytest.mark.parametrize(
    "family", ["hubert", "wav2vec2", "wavlm", "unispeech", "unispeech-sat", "data2vec", "whisper"]
)
def test_layers_are_the_hidden_states_of_transformers(family: str, folders: dict[str, Path]) -> None:
    model, audio = _loaded(folders[family]), _noise(2)
    found = heard_activations(model, audio, _all(model))
    expected = [states[:, : model.frames(1.0)] for states in _hidden_states(model, audio)]
    ends_behind_a_norm = family in (
        "wav2vec2",
        "whisper",
    )  # transformers' last state, that is; ours is before
    np.testing.assert_allclose(found["embed.frames"][:, 0], expected[0], atol=1e-6)
    np.testing.assert_allclose(found["resid.frames"][:, 0], expected[1], atol=1e-6)
    if not ends_behind_a_norm:
        np.testing.assert_allclose(found["resid.frames"][:, 1], expected[2], atol=1e-6)


@pytest.mark.parametrize("family", ["hubert", "whisper"])
def test_heads_give_the_attention_by_its_own_projection(family: str, folders: dict[str, Path]) -> None:
    model = _loaded(folders[family])
    found = heard_activations(model, _noise(2), _all(model))
    block = model.part.encoder.layers[1].attention if family == "hubert" else model.part.layers[1].self_attn
    with torch.inference_mode():
        projected = block.out_proj(found["head.frames"][:, 1])
    np.testing.assert_allclose(projected, found["attn.frames"][:, 1], atol=1e-6)
    assert model.info.site("head").heads == 4


class Conformance(EncoderConformance):
    """Of a tiny random encoder."""

    trained = False

    def __init__(self, family: str, folder: Path | str) -> None:
        self.name = str(folder)
        self.reaches_back = family == "encodec"

    def model(self) -> LoadedModel:
        return cast("LoadedModel", _loaded_once(self.name))


_loaded_once = lru_cache(maxsize=1)(load_readable_model)
TESTS = [
    name
    for name, _ in inspect.getmembers(EncoderConformance, inspect.isfunction)
    if name.startswith("test_") and name != "test_it_is_among_the_models_and_keeps_its_name"
]


@pytest.mark.parametrize("family", [*SAVED, "clap"])
@pytest.mark.parametrize("test", TESTS)
def test_every_family_passes(test: str, family: str, folders: dict[str, Path], tmp_path: Path) -> None:
    if "stopped" in test and family not in ("hubert", "encodec", "clap"):
        pytest.skip("the same for all that are transformers over a waveform")
    if "click" in test and family not in ("whisper", "encodec", "dac"):
        pytest.skip("its random convolution of positions is louder than a click, or frames are too few")
    run = getattr(Conformance(family, folders.get(family, "pocket-clap")), test)
    run(**({"tmp_path": tmp_path} if "tmp_path" in inspect.signature(run).parameters else {}))


def test_a_model_that_holds_its_activations_is_found(folders: dict[str, Path]) -> None:
    kept: list[Any] = []
    model = Conformance("whisper", folders["whisper"])
    handle = _part(model).layers[0].register_forward_hook(lambda *passed: kept.append(passed[-1]))
    try:
        with pytest.raises(AssertionError, match="activations of resid are held after their batch"):
            model.test_memory_is_bounded_by_the_batch()
    finally:
        handle.remove()


def test_frames_that_come_too_late_are_found(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Conformance("whisper", folders["whisper"])
    heard = TransformersEncoder.hear
    monkeypatch.setattr(TransformersEncoder, "hear", lambda own, audio: heard(own, audio.roll(640, dims=-1)))
    with pytest.raises(AssertionError, match="frames beside the click"):
        model.test_a_click_is_heard_within_half_a_frame()


def _part(model: Conformance) -> Any:
    loaded: Any = model.model()
    return loaded.part


def test_the_convolution_of_a_waveform_hears_a_click_at_its_time(folders: dict[str, Path]) -> None:
    """Before random positions are added, which reach over all frames."""
    model = _loaded(folders["hubert"])
    rate, quiet = model.info.frame_rate, _noise(1) * 1e-2
    frame, click = round(0.5 * rate), quiet.copy()
    middle = round((frame + 0.5) * RATE / rate)
    click[0, middle - 2 : middle + 3] = 0.9
    with torch.inference_mode():
        states = [
            model.part.feature_extractor(torch.from_numpy(one)).transpose(1, 2)[0] for one in (quiet, click)
        ]
    change = (states[1] - states[0]).abs().sum(dim=1).numpy()
    found = float((np.arange(len(change)) * change**4).sum() / (change**4).sum())
    assert abs(found - frame) <= 0.5 + 1e-6


def test_silence_behind_a_clip_does_not_count_in_whisper(folders: dict[str, Path]) -> None:
    model, audio = _loaded(folders["whisper"]), _noise(1)
    padded = np.pad(audio, ((0, 0), (0, RATE // 2)))
    short, long = (heard_activations(model, one, _all(model)) for one in (audio, padded))
    assert short["resid.frames"].shape[2] == 50
    np.testing.assert_allclose(short["resid.frames"], long["resid.frames"][:, :, :50], atol=1e-5)


def test_the_frames_of_pocket_clap_lie_in_the_order_of_time() -> None:
    model = _loaded("pocket-clap")
    quiet = _noise(1, 4.0) * 1e-3
    spec = CaptureSpec(("embed",), (0,), ("frames",))
    before = heard_activations(model, quiet, spec)["embed.frames"][0, 0]
    assert model.info.frame_rate == 2.0
    for frame in (0, 3, 4, 7):
        loud = quiet.copy()
        first = round(frame / 2.0 * RATE)
        loud[0, first + 2000 : first + 6000] = _noise(1, 4.0, seed=1)[0, :4000] * 5
        after = heard_activations(model, loud, spec)["embed.frames"][0, 0]
        assert int((after - before).abs().sum(dim=1).argmax()) == frame


def test_the_last_stage_of_pocket_clap_gives_its_embedding() -> None:
    model, audio = _loaded("pocket-clap"), _noise(2, 4.0)
    inputs = model.family.inputs(model.config, model.extractor, audio)
    patches: list[torch.Tensor] = []
    last = model.part.audio_encoder.layers[-1]
    handle = last.register_forward_hook(lambda _, __, output: patches.append(output[1]))
    with torch.inference_mode():
        model.part(**inputs)
    handle.remove()
    found = heard_activations(model, audio, CaptureSpec(("stage3",), (0,)))
    np.testing.assert_allclose(found["stage3.mean"][:, 0], patches[0].mean(dim=1), rtol=1e-4, atol=1e-5)


def test_nothing_stays_hooked_and_info_names_no_codes(folders: dict[str, Path]) -> None:
    model = _loaded(folders["hubert"])
    heard_activations(model, _noise(1), _all(model))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.part.modules())
    assert (model.info.codebooks, model.info.abilities, model.info.takes_text) == (0, (), False)
    assert as_encoder(model) is model
    assert model.frames(1.0) == model.part._get_feat_extract_output_lengths(RATE)


def test_a_fingerprint_follows_weights_and_inputs(folders: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    first = describe_model(str(folders["hubert"])).fingerprint
    other = tmp_path / "hubert"
    shutil.copytree(folders["hubert"], other)
    assert describe_model(str(other)).fingerprint == first
    with quiet_transformers():
        transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(other)
    assert describe_model(str(other)).fingerprint != first


def test_what_an_encoder_cannot_do_is_refused_in_a_sentence(folders: dict[str, Path]) -> None:
    with pytest.raises(InvalidInput, match=r"^'hubert' cannot encode: it can be extracted and probed\.$"):
        load_named_model(str(folders["hubert"]))
    with pytest.raises(InvalidInput, match="shorter than one frame"):
        heard_activations(_loaded(folders["hubert"]), _noise(1, 0.01), CaptureSpec(("resid",), (0,)))


def test_broken_folders_are_named(folders: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    other = tmp_path / "hubert"
    shutil.copytree(folders["hubert"], other)
    weights = load_file(other / "model.safetensors")
    name = next(name for name in weights if name.endswith("attention.q_proj.weight"))
    save_file({**weights, name: weights[name] * float("nan")}, other / "model.safetensors")
    with pytest.raises(ModelError, match="holds NaN or infinity"):
        load_readable_model(str(other))
    save_file({key: one for key, one in weights.items() if key != name}, other / "model.safetensors")
    with pytest.raises(ModelError, match=r"lacks 1 weights, for example .*q_proj"):
        load_readable_model(str(other))
    (other / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"lacks preprocessor_config\.json"):
        describe_model(str(other))
