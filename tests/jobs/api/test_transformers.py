"""A MusicGen that transformers built and saved goes the whole way: extract, verify, directions, steering."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import undertone as ut
from pipelines.models.transformers_modules import quiet_transformers
from pipelines.pocket.configuration import TEXT_WIDTH
from pipelines.pocket.text_encoder import write_text_encoder

LABELS = "SELECT clip_id, label FROM clips"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `save_pretrained` leaves of a two-layer MusicGen, with its tokenizer."""
    from transformers import (
        EncodecConfig,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        T5EncoderModel,
    )

    folder = tmp_path_factory.mktemp("hub") / "tuned"
    write_text_encoder(folder)  # its tokenizer stays, its weights are overwritten
    with quiet_transformers():
        torch.manual_seed(0)
        text = T5EncoderModel.from_pretrained(folder)
        assert text.config.d_model == TEXT_WIDTH
        codec = EncodecConfig(
            sampling_rate=16_000, target_bandwidths=[1.28], upsampling_ratios=[5, 5, 5, 4], num_filters=4,
            hidden_size=16, codebook_size=256, num_lstm_layers=1, use_causal_conv=False,
        )  # fmt: skip
        decoder = MusicgenDecoderConfig(
            vocab_size=256, num_hidden_layers=2, ffn_dim=128, num_attention_heads=2, hidden_size=32,
            pad_token_id=256, bos_token_id=256,
        )  # fmt: skip
        configuration = MusicgenConfig(text_encoder=text.config, audio_encoder=codec, decoder=decoder)
        model = MusicgenForConditionalGeneration(configuration)
        quantizer: Any = model.audio_encoder.quantizer
        for layer in quantizer.layers:
            layer.codebook.embed.copy_(0.05 * torch.randn(layer.codebook.embed.shape))
        model.save_pretrained(folder)
    return folder


def test_a_model_of_transformers_goes_the_whole_way(music: ut.Store, tuned: Path, genres: Path) -> None:
    run = ut.extract(
        music, "songs", model=tuned, backend="transformers", sites=None, layers=None, roots={"songs": genres}
    )
    sites = {name.partition(".")[0] for name in run.arrays}
    assert sites == {"embed", "resid", "attn", "head", "xattn", "mlp"}
    assert not ut.verify(music).damage
    (told,) = {row["provenance"] for row in music.opened.run(run.id).commits().rows(["provenance"])}
    assert json.loads(told)["backend"].startswith("transformers 5")
    found = ut.directions(run, labels=LABELS, sites=["resid"], engine="inline")
    model = ut.load_model(str(tuned), device="cpu")
    direction = next(iter(found))
    plain = ut.generate(model, "rock", seconds=0.5, seed=1)
    with ut.steer(model, found[direction.positive, 1], alpha=4.0):
        steered = ut.generate(model, "rock", seconds=0.5, seed=1)
    assert plain.codes is not None
    assert plain.codes.shape == (4, 16)
    assert steered.codes is not None
    assert not np.array_equal(plain.codes, steered.codes)


def test_a_back_end_that_does_not_have_the_format_is_refused_with_the_way_to_convert(
    music: ut.Store, tuned: Path
) -> None:
    with pytest.raises(ut.InvalidInput, match="undertone convert"):
        ut.extract(music, "songs", model=tuned, backend="audiocraft")
    with pytest.raises(ut.InvalidInput, match="names a back-end already"):
        ut.load_model(f"transformers:{tuned}", backend="audiocraft")
