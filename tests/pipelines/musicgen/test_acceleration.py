"""With UNDERTONE_PLAIN=1 every pass is torch's and audiocraft's own, and gives the same but for rounding."""

import ctypes
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from pipelines.acceleration import freed_memory
from pipelines.acceleration.idle_attention import idle_attention
from pipelines.acceleration.matrix_products import fast_products
from pipelines.acceleration.streaming import streaming
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.generation.generate import GenerationRequest, generate
from pipelines.models.musicgen import MusicGenModel

CPU = torch.device("cpu")


def operators(run: Callable[[], object]) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        run()
    return {event.key for event in seen.key_averages()}


def multiply() -> None:
    with fast_products(CPU, torch.float32):
        torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3))


def test_products_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "aten::linear" not in operators(multiply)
    monkeypatch.setenv("UNDERTONE_PLAIN", "1")
    assert "aten::linear" in operators(multiply)
    monkeypatch.setenv("UNDERTONE_PLAIN", "0")
    assert "aten::linear" not in operators(multiply)


def test_no_forward_is_replaced(pocket: MusicGenModel, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = pocket.language_model.transformer.layers

    def replaced() -> int:
        with streaming(pocket.language_model, steps=2):
            return sum("forward" in vars(block.self_attn) for block in layers)

    assert replaced() == len(layers)
    monkeypatch.setenv("UNDERTONE_PLAIN", "1")
    assert replaced() == 0


def test_the_allocator_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2"))
    monkeypatch.setattr(
        ctypes, "CDLL", lambda _: type("C", (), {"mallopt": lambda _, *option: asked.append(option)})()
    )
    monkeypatch.setenv("UNDERTONE_PLAIN", "1")
    freed_memory.keep_freed_memory()
    assert asked == []
    monkeypatch.delenv("UNDERTONE_PLAIN")
    freed_memory.keep_freed_memory()
    assert len(asked) == 3


def test_a_teacher_forced_pass_gives_the_same(pocket: MusicGenModel, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = torch.randint(0, 64, (1, pocket.info.codebooks, 24), generator=torch.Generator().manual_seed(1))

    def activations() -> dict[int, Any]:
        seen: dict[int, Any] = {}
        layers = pocket.language_model.transformer.layers
        hooks = [
            layer.register_forward_hook(
                lambda _module, _inputs, output, at=at: seen.update({at: output.clone()})
            )
            for at, layer in enumerate(layers)
        ]
        try:
            pocket.forward(codes.to(torch.int16), pocket.conditions.encode("slow rock"))
        finally:
            for hook in hooks:
                hook.remove()
        return seen

    accelerated = activations()
    monkeypatch.setenv("UNDERTONE_PLAIN", "1")
    plain = activations()
    assert plain.keys() == accelerated.keys()
    for layer, values in plain.items():
        np.testing.assert_allclose(accelerated[layer], values, rtol=0, atol=2e-5 * float(values.abs().max()))


@pytest.mark.parametrize("text", ["", "slow rock"])
def test_attention_to_no_text_is_left_out_and_gives_the_same(
    pocket: MusicGenModel, random_codes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    codes, spec = random_codes(2, 24), CaptureSpec(pocket.info.site_names, (0, 3), ("frames",))
    pocket.conditions.encode(text)  # the text encoder attends, too

    def attentions_and_states() -> tuple[int, dict[str, torch.Tensor]]:
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            states = forward_activations(pocket, codes, spec, [text] * 2)
        attention = "aten::scaled_dot_product_attention"
        return sum(event.count for event in seen.key_averages() if event.key == attention), states

    computed, states = attentions_and_states()
    monkeypatch.setenv("UNDERTONE_PLAIN", "1")
    computed_plain, plain = attentions_and_states()
    blocks = 4  # the last one that is wanted, and those before it
    assert (computed, computed_plain) == (2 * blocks if text else blocks, 2 * blocks)
    assert bool(plain["xattn.frames"].any()) == bool(text)
    for name, values in plain.items():
        np.testing.assert_allclose(states[name], values, rtol=0, atol=2e-5 * float(values.abs().max()))


def test_attention_is_left_out_only_where_it_adds_nothing(pocket: MusicGenModel) -> None:
    attention = pocket.blocks[0].cross_attention
    with_bias = torch.nn.MultiheadAttention(8, 2)
    for module, conditions, left_out in (
        (attention, torch.zeros(1, 1, 128), True),
        (attention, torch.full((1, 1, 128), 1e-30), False),
        (attention, None, False),
        (with_bias, torch.zeros(1, 1, 8), False),
    ):
        with idle_attention([module, None], conditions):
            assert ("forward" in vars(module)) == left_out
        assert "forward" not in vars(module)


def test_a_generation_is_the_same_but_for_ties(
    pocket: MusicGenModel, agrees_with: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = GenerationRequest(text="slow rock", seconds=0.5, random_state=3)
    (accelerated,) = generate(pocket, [request])
    monkeypatch.setenv("UNDERTONE_PLAIN", "1")
    agrees_with(pocket, request, accelerated.codes)
