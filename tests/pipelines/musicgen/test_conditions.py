"""Text conditions, and what a melody model is given in place of a melody."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipelines.capture import CaptureSpec, array_specs, forward_activations
from pipelines.models import conditions
from pipelines.models.musicgen import MusicGenModel, load_musicgen
from pipelines.models.protocol import Conditions
from store.errors import InvalidInput, ModelError

RandomCodes = Callable[..., NDArray[np.int16]]


@pytest.fixture(scope="module")
def melody(write_melody_checkpoint: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_musicgen(str(write_melody_checkpoint(tmp_path_factory.mktemp("models") / "melody")))


def audiocrafts_conditions(model: MusicGenModel, texts: list[str | None]) -> Any:
    """What `MusicGen.generate` prepares for these descriptions, without any melody."""
    from audiocraft.models import MusicGen

    whole = MusicGen("model", model.codec, model.language_model, max_duration=30)
    attributes, _ = whole._prepare_tokens_and_attributes(texts, None)
    with torch.inference_mode():
        provider = model.language_model.condition_provider
        return provider(provider.tokenize(attributes))


@pytest.mark.parametrize("text", ["", "slow jazz music with piano"])
def test_a_text_is_encoded_as_audiocraft_does_when_it_generates(pocket: MusicGenModel, text: str) -> None:
    expected = audiocrafts_conditions(pocket, [text or None])
    got = pocket.conditions.encode(text)
    assert got.keys() == expected.keys()
    torch.testing.assert_close(got["description"], expected["description"])


def test_clips_share_a_pass_only_with_conditions_of_their_own_length(pocket: MusicGenModel) -> None:
    groups = pocket.conditions.groups(["rock", "slow jazz", "", "jazz", "slow jazz"])
    members = [positions for positions, _ in groups]
    # One word and the end token, two words and the end token, the single zero of no condition.
    assert members == [[0, 3], [1, 4], [2]]
    assert [part["description"][0].shape[:2] for _, part in groups] == [(2, 2), (2, 3), (1, 1)]
    for positions, part in groups:
        for row, position in enumerate(positions):
            alone = pocket.conditions.encode(["rock", "slow jazz", "", "jazz", "slow jazz"][position])
            assert torch.equal(part["description"][0][row], alone["description"][0][0])


def test_a_text_is_encoded_once_and_forgotten_when_there_are_too_many(
    pocket: MusicGenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []

    class Counting(conditions.ConditionEncoder):
        def _compute(self, text: str) -> Conditions:
            computed.append(text)
            return super()._compute(text)

    encoder = Counting(pocket.language_model.condition_provider, sample_rate=16_000)
    monkeypatch.setattr(conditions, "MAX_KEPT_TEXTS", 2)
    for text in ("a", "b", "a", "c", "a", "b"):
        encoder.encode(text)
    assert computed == ["a", "b", "c", "b"]


@pytest.mark.parametrize("text", ["", "happy rock"])
def test_a_melody_model_gets_audiocrafts_own_condition_for_no_melody(
    melody: MusicGenModel, text: str
) -> None:
    assert melody.info.melody
    expected = audiocrafts_conditions(melody, [text or None])
    got = melody.conditions.encode(text)
    assert list(got) == list(expected)
    chroma, mask = got["self_wav"]
    assert chroma.shape[1] == 118, "30 s at 16 kHz in hops of 4096, as many as the model was trained with"
    assert mask.all()
    for name in expected:
        torch.testing.assert_close(got[name], expected[name])


def test_the_prepended_conditions_of_a_melody_model_are_not_among_its_rows(
    melody: MusicGenModel, random_codes: RandomCodes
) -> None:
    codes = random_codes(2, 30)
    lm = melody.language_model
    spec = CaptureSpec(("resid", "attn", "mlp", "embed"), (0, 1), ("frames", "mean"))
    for texts in (["", ""], ["slow jazz", "slow rock"]):
        got = forward_activations(melody, codes, spec, texts)
        assert got["resid.frames"].shape == (2, 2, 27, 32)
        with torch.inference_mode():
            logits = torch.stack([head(lm.out_norm(got["resid.frames"][:, 1])) for head in lm.linears], dim=1)
            given = audiocrafts_conditions(melody, [text or None for text in texts])
            expected = lm.compute_predictions(torch.from_numpy(codes).long(), [], given).logits
        # Row 0 is step 4, which predicts frame 4 of codebook 0; the last step a frame beyond the clip.
        torch.testing.assert_close(logits[:, 0, :-1], expected[:, 0, 4:], rtol=1e-4, atol=1e-4)
        terms = got["embed.frames"][:, 0] + got["attn.frames"][:, 0] + got["mlp.frames"][:, 0]
        torch.testing.assert_close(terms, got["resid.frames"][:, 0], rtol=0, atol=1e-5)


def test_a_melody_clip_computed_alone_agrees_with_the_clip_in_a_batch_of_other_texts(
    melody: MusicGenModel, random_codes: RandomCodes
) -> None:
    codes = random_codes(3, 20)
    texts = ["", "slow jazz music", "rock"]
    spec = CaptureSpec(("resid",), (0, 1))
    together = forward_activations(melody, codes, spec, texts)["resid.mean"]
    for clip, text in enumerate(texts):
        alone = forward_activations(melody, codes[clip : clip + 1], spec, [text])["resid.mean"][0]
        torch.testing.assert_close(alone, together[clip], rtol=1e-4, atol=1e-5)


def test_cross_attention_is_refused_where_there_is_none(melody: MusicGenModel) -> None:
    with pytest.raises(InvalidInput, match="has no site 'xattn'"):
        array_specs(melody.info, CaptureSpec(("resid", "xattn"), (0,)), 100)


def test_an_audio_melody_is_refused_instead_of_downloading_a_stem_separator(melody: MusicGenModel) -> None:
    from audiocraft.models import MusicGen

    whole = MusicGen("model", melody.codec, melody.language_model, max_duration=30)
    attributes, _ = whole._prepare_tokens_and_attributes([None], None, [torch.zeros(1, 16_000)])
    provider = melody.language_model.condition_provider
    with pytest.raises(ModelError, match="needs the stem separator"):
        provider(provider.tokenize(attributes))
