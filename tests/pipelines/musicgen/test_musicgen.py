"""The adapter against audiocraft's own loader and codec."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.models.audiocraft_import import quiet_construction, register_text_encoder
from pipelines.models.delay import alignment_for, frames_of
from pipelines.models.musicgen import MusicGenModel, load_musicgen
from pipelines.models.named import describe_model
from pipelines.models.placement import ENCODER_SAMPLES
from pipelines.pocket.configuration import TEXT_WIDTH
from store.errors import InvalidInput


def tones(*frequencies: float, seconds: float = 2.0) -> torch.Tensor:
    time = torch.arange(round(seconds * 16_000)) / 16_000
    return torch.stack([0.3 * torch.sin(2 * torch.pi * f * time) for f in frequencies]).unsqueeze(1)


def test_a_model_says_whether_its_weights_are_random() -> None:
    trained, random = describe_model("pocket"), describe_model("pocket-random")
    assert (trained.random_weights, random.random_weights) == (False, True)
    assert trained.fingerprint != random.fingerprint
    assert trained.codec_fingerprint != random.codec_fingerprint


def test_describing_a_model_says_what_loading_it_says(pocket: MusicGenModel) -> None:
    info = describe_model("pocket-random")
    assert info == pocket.info
    assert (info.layers, info.width) == (len(pocket.blocks), pocket.language_model.dim)
    assert (info.codebooks, info.codebook_size) == (pocket.codec.num_codebooks, pocket.codec.cardinality)
    assert (info.frame_rate, info.sample_rate) == (pocket.codec.frame_rate, pocket.codec.sample_rate)


def test_describing_a_model_that_is_built_imports_no_audiocraft(pocket_folder: Path) -> None:
    code = (
        "import sys; from pipelines.models.named import describe_model; "
        f"print(describe_model({str(pocket_folder)!r}).layers, 'audiocraft' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8", "False"]


def test_our_loader_gives_the_modules_that_audiocrafts_own_gives(
    pocket: MusicGenModel, pocket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pocket_folder)  # the checkpoint names its text encoder ./t5
    register_text_encoder("./t5", TEXT_WIDTH)
    with quiet_construction():
        from audiocraft.models import MusicGen

        theirs = MusicGen.get_pretrained(str(pocket_folder), device="cpu")
    for ours, reference in ((pocket.language_model, theirs.lm), (pocket.codec, theirs.compression_model)):
        state, expected = ours.state_dict(), reference.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], expected[name]) for name in state)
    attributes, _ = theirs._prepare_tokens_and_attributes(["slow jazz"], None)
    codes = torch.randint(0, 256, (1, 4, 20), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected_logits = theirs.lm.compute_predictions(codes, attributes).logits
        logits = pocket.language_model.compute_predictions(
            codes, [], pocket.conditions.encode("slow jazz")
        ).logits
    torch.testing.assert_close(logits, expected_logits, rtol=0, atol=0, equal_nan=True)


def test_codes_are_those_of_the_codec_whatever_the_batch(pocket: MusicGenModel) -> None:
    audio = tones(*range(100, 1000, 50))
    codes = pocket.encode(audio)
    assert codes.dtype == torch.int16
    assert codes.shape == (18, 4, pocket.frames(2.0))
    assert len(audio) * audio.shape[-1] > ENCODER_SAMPLES["cpu"], "one pass would prove nothing"
    with torch.inference_mode():
        expected = torch.cat([pocket.codec.encode(clip[None])[0] for clip in audio])
    # A distance near a tie may fall the other way in a batch.
    assert (codes == expected).float().mean() > 0.999


def test_different_audio_gives_different_codes_and_the_codebooks_are_used(pocket: MusicGenModel) -> None:
    generator = torch.Generator().manual_seed(0)
    audio = torch.cat([tones(110, 220, 330, 440, 880), 0.2 * torch.randn(5, 1, 32_000, generator=generator)])
    codes = pocket.encode(audio)
    for first in range(10):
        for second in range(first):
            assert (codes[first] != codes[second]).float().mean() > 0.5
    for codebook in codes.transpose(0, 1):
        share = torch.bincount(codebook.flatten().long()) / codebook.numel()
        perplexity = torch.special.entr(share).sum().exp()
        assert perplexity > 25


def test_silence_and_a_tone_are_constant_where_the_sound_is(pocket: MusicGenModel) -> None:
    whole_periods = 13 * round(pocket.info.frame_rate)
    codes = pocket.encode(torch.cat([torch.zeros(1, 1, 32_000), tones(whole_periods)]))
    inner = codes[:, 0, 5:-5]
    assert (inner[0] == inner[0, 0]).all()
    assert (inner[1] == inner[1, 0]).all()
    assert inner[0, 0] != inner[1, 0]


@pytest.mark.parametrize("seconds", [0.2, 1.0, 2.5, 0.33, 3.999])
def test_a_clip_has_as_many_frames_as_promised(pocket: MusicGenModel, seconds: float) -> None:
    audio = torch.zeros(1, 1, round(seconds * 16_000))
    assert pocket.encode(audio).shape[-1] == frames_of(pocket.info, seconds) == pocket.frames(seconds)


def test_musicgens_thirty_seconds_are_fifteen_hundred_frames() -> None:
    published = replace(describe_model("pocket"), sample_rate=32_000, frame_rate=50.0)
    assert frames_of(published, 30.0) == 1500
    assert frames_of(published, 0.1) == 5


def test_the_alignment_planned_for_a_clip_is_that_of_the_loaded_model(pocket: MusicGenModel) -> None:
    assert alignment_for(pocket.info, 4.0) == pocket.alignment(pocket.frames(4.0))


def test_a_clip_longer_than_the_model_knows_is_refused(pocket: MusicGenModel) -> None:
    with pytest.raises(InvalidInput, match=r"Clips of 31 s are longer than the 30 s"):
        alignment_for(pocket.info, 31)


@pytest.mark.parametrize("shape", [(1, 2, 16_000), (1, 16_000), (16_000,)])
def test_audio_that_is_not_mono_is_refused(pocket: MusicGenModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="Audio must be mono"):
        pocket.encode(torch.zeros(shape))


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        ({"dtype": "int8"}, "dtype 'int8' is not supported. Choose float32, bfloat16, float16"),
        ({"device": "tpu"}, "Device 'tpu' is not supported. Choose cpu or cuda"),
        ({"device": "cuda:1"}, "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_placement_that_does_not_exist_is_refused(placement: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        load_musicgen("pocket", **placement)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_gpu_is_refused() -> None:
    with pytest.raises(InvalidInput, match="sees no CUDA device"):
        load_musicgen("pocket", device="cuda")


def test_the_codec_stays_float32_in_lower_precision(pocket: MusicGenModel) -> None:
    lower = load_musicgen("pocket-random", dtype="bfloat16")
    assert {parameter.dtype for parameter in lower.codec.parameters()} == {torch.float32}
    audio = tones(110, 300)
    np.testing.assert_array_equal(lower.encode(audio), pocket.encode(audio))


def test_loading_leaves_torchs_random_state_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load_musicgen("pocket")
    assert torch.equal(torch.rand(3), expected)
