"""Captured activations against the model's own modules, called one by one."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipelines.capture import CaptureSpec, array_specs, capture, forward_activations
from pipelines.models.musicgen import MusicGenModel, load_musicgen
from store.errors import InvalidInput
from store.records import REDUCTIONS, SITES

Codes = NDArray[np.int16]
RandomCodes = Callable[..., Codes]

ALL_LAYERS = tuple(range(8))
EVERYTHING = CaptureSpec(SITES, ALL_LAYERS, REDUCTIONS, segments=5)
FRAMES = CaptureSpec(SITES, ALL_LAYERS, ("frames",))


def hooks_on(model: MusicGenModel) -> int:
    modules = [*model.language_model.modules(), *model.codec.modules()]
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules)


def delayed(codes: Codes, special: int) -> torch.Tensor:
    """The delay pattern from its definition: frame t of codebook k at step 1 + t + k, up to step T."""
    clips, codebooks, frames = codes.shape
    sequence = np.full((clips, codebooks, frames + 1), special)
    for codebook in range(codebooks):
        sequence[:, codebook, 1 + codebook :] = codes[:, codebook, : frames - codebook]
    return torch.from_numpy(sequence)


def heads_by_hand(attention: Any, normed: torch.Tensor) -> torch.Tensor:
    """What the heads of a causal attention give, side by side (B, S, D), by its definition in float64."""
    clips, steps, width = normed.shape
    projected = normed.double() @ attention.in_proj_weight.double().T
    queries, keys, values = (
        part.view(clips, steps, attention.num_heads, -1).transpose(1, 2)
        for part in projected.chunk(3, dim=-1)
    )
    scores = queries @ keys.transpose(2, 3) / (width / attention.num_heads) ** 0.5
    scores = scores.masked_fill(torch.ones(steps, steps).triu(1).bool(), -torch.inf)
    heads: torch.Tensor = scores.softmax(dim=-1) @ values
    return heads.transpose(1, 2).reshape(clips, steps, width).float()


@torch.inference_mode()
def block_by_block(
    model: MusicGenModel, codes: Codes, condition: torch.Tensor
) -> list[dict[str, torch.Tensor]]:
    """Every block's inputs and outputs at all decoder steps, from its sub-modules called by hand."""
    lm = model.language_model
    sequence = delayed(codes, lm.special_token_id)
    stream = sum(table(sequence[:, k]) for k, table in enumerate(lm.emb))
    steps = torch.arange(sequence.shape[2]).view(1, -1, 1)
    half = torch.arange(lm.dim // 2)
    phase = steps / 10_000 ** (half / (lm.dim // 2 - 1))
    stream = stream + torch.cat([phase.cos(), phase.sin()], dim=-1)
    results = []
    for block in lm.transformer.layers:
        before = stream
        normed = block.norm1(stream)
        attn = block.self_attn(normed, normed, normed, need_weights=False)[0]
        head = heads_by_hand(block.self_attn, normed)
        stream = stream + attn
        xattn = block.cross_attention(block.norm_cross(stream), condition, condition, need_weights=False)[0]
        stream = stream + xattn
        mlp = block.linear2(torch.nn.functional.gelu(block.linear1(block.norm2(stream))))
        stream = stream + mlp
        results.append(
            {"embed": before, "head": head, "attn": attn, "xattn": xattn, "mlp": mlp, "resid": stream}
        )
    return results


def test_every_site_and_layer_agrees_with_the_blocks_called_by_hand(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    codes = random_codes(2, 30)
    got = forward_activations(pocket, codes, FRAMES, ["slow jazz", "slow jazz"])
    condition = pocket.conditions.encode("slow jazz")["description"][0].expand(2, -1, -1)
    expected = block_by_block(pocket, codes, condition)
    for site in ("resid", "attn", "head", "xattn", "mlp"):
        for layer in ALL_LAYERS:
            torch.testing.assert_close(
                got[f"{site}.frames"][:, layer], expected[layer][site][:, 4:], rtol=1e-5, atol=1e-5
            )
    torch.testing.assert_close(got["embed.frames"][:, 0], expected[0]["embed"][:, 4:], rtol=1e-5, atol=1e-6)


def test_the_residual_stream_is_the_sum_of_what_the_sites_add(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    got = forward_activations(pocket, random_codes(2, 40), FRAMES, ["fast rock", ""])
    stream = got["embed.frames"][:, 0]
    for layer in ALL_LAYERS:
        stream = stream + got["attn.frames"][:, layer] + got["xattn.frames"][:, layer]
        stream = stream + got["mlp.frames"][:, layer]
        torch.testing.assert_close(stream, got["resid.frames"][:, layer], rtol=0, atol=1e-5)
        stream = got["resid.frames"][:, layer]


def test_what_the_heads_give_times_the_output_projection_adds_up_to_the_attention(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    got = forward_activations(pocket, random_codes(2, 40), FRAMES, ["fast rock", ""])
    site = pocket.info.site("head")
    assert (site.heads, site.head_width) == (4, 32)
    for layer in ALL_LAYERS:
        weight = pocket.blocks[layer].self_attn.out_proj.weight.double()
        parts = got["head.frames"][:, layer].double().unflatten(-1, (site.heads, site.head_width))
        summed = sum(parts[..., h, :] @ weight[:, 32 * h : 32 * (h + 1)].T for h in range(site.heads))
        expected = got["attn.frames"][:, layer].double()
        assert torch.linalg.vector_norm(summed - expected) <= 1e-6 * expected.norm()


def test_heads_on_the_last_residual_stream_give_audiocrafts_own_predictions(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    from audiocraft.modules.conditioners import ConditioningAttributes

    lm = pocket.language_model
    codes = random_codes(2, 25)
    got = forward_activations(pocket, codes, CaptureSpec(("resid",), (7,), ("frames",)))["resid.frames"][:, 0]
    with torch.inference_mode():
        logits = torch.stack([head(lm.out_norm(got)) for head in lm.linears], dim=1)
        none = [ConditioningAttributes(text={"description": None})] * 2
        output = lm.compute_predictions(torch.from_numpy(codes).long(), none)
    for codebook in range(4):
        # Step s predicts what stands at s + 1: of codebook k the frame s − k. Row 0 is step 4; audiocraft
        # drops what the last step predicts.
        predicted = output.logits[:, codebook, 4 - codebook : 25 - codebook]
        torch.testing.assert_close(logits[:, codebook, :-1], predicted, rtol=1e-4, atol=1e-4)


def test_reductions_are_those_of_the_frames(pocket: MusicGenModel, random_codes: RandomCodes) -> None:
    got = forward_activations(pocket, random_codes(3, 40), EVERYTHING, ["a", "b c", ""])
    for site in SITES:
        frames = got[f"{site}.frames"].double().numpy()
        np.testing.assert_allclose(got[f"{site}.mean"], frames.mean(axis=2), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(got[f"{site}.std"], frames.std(axis=2), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(got[f"{site}.last"], frames[:, :, -1])
        bounds = [37 * index // 5 for index in range(6)]
        bins = [frames[:, :, a:b].mean(axis=2) for a, b in pairwise(bounds)]
        np.testing.assert_allclose(got[f"{site}.segments"], np.stack(bins, axis=2), rtol=1e-4, atol=1e-5)


def test_a_clip_computed_alone_agrees_with_the_clip_in_a_batch(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    codes = random_codes(5, 50)
    texts = ["", "slow jazz music with piano", "rock", "", "rock"]
    together = forward_activations(pocket, codes, EVERYTHING, texts)
    for clip in range(5):
        alone = forward_activations(pocket, codes[clip : clip + 1], EVERYTHING, texts[clip : clip + 1])
        for name, array in alone.items():
            torch.testing.assert_close(array[0], together[name][clip], rtol=1e-4, atol=2e-5)


def test_an_array_has_the_shape_that_its_specification_promised(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    spec = CaptureSpec(("embed", "resid", "mlp"), (5, 2), REDUCTIONS, segments=3)
    got = forward_activations(pocket, random_codes(2, 20), spec)
    promised = {array.name: array for array in array_specs(pocket.info, spec, 20)}
    assert {name: array.shape[1:] for name, array in got.items()} == {
        name: array.shape for name, array in promised.items()
    }
    assert all(array.dtype == torch.float32 for array in got.values())
    assert promised["resid.frames"].dimensions == ("layer", "time", "feature")
    assert promised["resid.frames"].dtype == "float16"
    assert promised["mlp.segments"].dimensions == ("layer", "segment", "feature")
    assert promised["resid.mean"].attributes["layers"] == [5, 2]
    assert promised["embed.mean"].attributes["layers"] == [0]


def test_chosen_layers_come_in_the_order_they_were_asked_for(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    codes = random_codes(2, 20)
    everything = forward_activations(pocket, codes, CaptureSpec(("resid", "mlp"), ALL_LAYERS))
    some = forward_activations(pocket, codes, CaptureSpec(("resid", "mlp"), (5, 0)))
    for name, array in some.items():
        torch.testing.assert_close(array, everything[name][:, [5, 0]], rtol=0, atol=0)


def test_blocks_above_the_last_one_wanted_are_not_computed(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    ran: list[int] = []
    handles = [
        block.register_forward_pre_hook(lambda *_, layer=layer: ran.append(layer))
        for layer, block in enumerate(pocket.blocks)
    ]
    try:
        forward_activations(pocket, random_codes(1, 20), CaptureSpec(("attn", "resid"), (3, 1)))
        assert ran == [0, 1, 2, 3]
        ran.clear()
        forward_activations(pocket, random_codes(1, 20), CaptureSpec(("embed",), (5,)))
        assert ran == [0]
    finally:
        for handle in handles:
            handle.remove()


def test_without_text_nothing_flows_through_cross_attention(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    codes = random_codes(1, 20)
    spec = CaptureSpec(("xattn",), ALL_LAYERS)
    assert not forward_activations(pocket, codes, spec)["xattn.mean"].any()
    assert forward_activations(pocket, codes, spec, ["rock"])["xattn.mean"].any()


def test_capturing_changes_neither_the_pass_nor_the_model(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    codes = torch.from_numpy(random_codes(2, 20))
    conditions = pocket.conditions.groups(["", ""])[0][1]
    weights = {name: tensor.clone() for name, tensor in pocket.language_model.state_dict().items()}
    bare = pocket.forward(codes, conditions)
    with capture(pocket, EVERYTHING, pocket.alignment(20)):
        watched = pocket.forward(codes, conditions)
    torch.testing.assert_close(watched, bare, rtol=0, atol=0)
    for name, tensor in pocket.language_model.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_hooks_exist_inside_the_block_and_nowhere_else(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    assert hooks_on(pocket) == 0
    with capture(pocket, EVERYTHING, pocket.alignment(20)):
        assert hooks_on(pocket) == 5 * 8 + 1
    assert hooks_on(pocket) == 0
    forward_activations(pocket, random_codes(1, 20), EVERYTHING)
    assert hooks_on(pocket) == 0


def test_hooks_are_gone_after_an_error_inside_the_block(pocket: MusicGenModel) -> None:
    with pytest.raises(RuntimeError, match="boom"), capture(pocket, EVERYTHING, pocket.alignment(20)):
        raise RuntimeError("boom")
    assert hooks_on(pocket) == 0


def test_hooks_are_gone_after_an_error_while_they_are_attached(
    pocket: MusicGenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(pocket.blocks[7], "register_forward_hook", refuse)
    with pytest.raises(RuntimeError, match="boom"), capture(pocket, EVERYTHING, pocket.alignment(20)):
        pass
    assert hooks_on(pocket) == 0


def test_results_before_a_pass_was_made_are_refused(pocket: MusicGenModel) -> None:
    with (
        capture(pocket, EVERYTHING, pocket.alignment(20)) as captured,
        pytest.raises(InvalidInput, match="Nothing is recorded yet"),
    ):
        captured.arrays()


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.05), ("float16", 0.008)])
def test_lower_precision_stays_close_to_float32_and_reduces_in_it(
    pocket: MusicGenModel, random_codes: RandomCodes, dtype: str, tolerance: float
) -> None:
    lower = load_musicgen("pocket-random", dtype=dtype)
    assert lower.blocks[0].linear1.weight.dtype == getattr(torch, dtype)
    codes = random_codes(2, 30)
    got = forward_activations(lower, codes, EVERYTHING, ["rock", ""])
    reference = forward_activations(pocket, codes, EVERYTHING, ["rock", ""])
    for name, array in got.items():
        assert array.dtype == torch.float32
        scale = reference[name].abs().max() + 1e-6
        assert (array - reference[name]).abs().max() <= tolerance * scale, name
    assert not torch.equal(got["resid.mean"], reference["resid.mean"])
    torch.testing.assert_close(got["embed.mean"], reference["embed.mean"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.full((1, 4, 20), 256, np.int16), r"must lie in 0–255, not 256–256"),
        (np.full((1, 4, 20), -1, np.int16), r"without start tokens or fill values"),
        (np.zeros((1, 3, 20), np.int16), r"shape \(B, 4, T\), not \(1, 3, 20\)"),
        (np.zeros((1, 4, 20), np.float32), r"must be integers"),
        (np.zeros((4, 20), np.int16), r"shape \(B, 4, T\)"),
        (np.zeros((1, 4, 3), np.int16), r"3 codec frames is too short"),
    ],
)
def test_codes_that_are_not_the_codecs_own_are_refused(
    pocket: MusicGenModel, codes: NDArray[Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        forward_activations(pocket, codes, FRAMES)


def test_texts_must_be_as_many_as_clips(pocket: MusicGenModel, random_codes: RandomCodes) -> None:
    with pytest.raises(InvalidInput, match="1 texts for 2 clips"):
        forward_activations(pocket, random_codes(2, 20), FRAMES, ["rock"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sites": ("resid", "resid")}, "each once"),
        ({"sites": ("resid.mean",)}, "no name of a site"),
        ({"sites": ()}, "Sites"),
        ({"reductions": ("max",)}, "Choose from mean, std, last, segments, frames"),
        ({"layers": ()}, "at least one"),
        ({"layers": (1, 1)}, "distinct"),
        ({"segments": 0}, "at least one"),
    ],
)
def test_a_specification_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        CaptureSpec(**{"sites": ("resid",), "layers": (0,), **changes})


def test_a_layer_the_model_does_not_have_is_refused(pocket: MusicGenModel) -> None:
    with pytest.raises(InvalidInput, match=r"Layer 8 is not in 'pocket-random' \(layers 0–7\)"):
        array_specs(pocket.info, CaptureSpec(("resid",), (0, 8)), 100)


def test_more_segments_than_rows_are_refused(pocket: MusicGenModel) -> None:
    with pytest.raises(InvalidInput, match="8 segments do not fit into 7 decoder steps"):
        array_specs(pocket.info, CaptureSpec(("resid",), (0,), ("segments",), segments=8), 10)
