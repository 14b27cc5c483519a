"""Generation against audiocraft's own `MusicGen.generate`, and against itself in other company."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipelines.capture import CaptureSpec, forward_activations
from pipelines.generation.decoding import _next_logits, guided, windows_of
from pipelines.generation.generate import (
    GeneratedAudio,
    GenerationRequest,
    decode,
    encode_prompt,
    generate,
)
from pipelines.generation.sampling import GumbelNoise, Sampling
from pipelines.models.musicgen import MusicGenModel, load_musicgen
from pipelines.models.protocol import Conditions
from pipelines.steering.edits import Edit, Monitor, Steering
from pipelines.steering.schedules import parse_schedule
from pipelines.steering.steer import steer
from store.errors import InvalidInput, ModelError

AgreesWith = Callable[..., GeneratedAudio]

GREEDY = Sampling(top_k=1)
SECONDS = 2.0
TEXTS = ["slow jazz music with flute", "rock", ""]
ROUNDING = 2.0**-24 * (8 * 6 * 512) ** 0.5
"""Relative error of the pocket's activations: 8 blocks with 6 products each, of 512 terms at most, and each
term rounded by half a unit in the last place, either way."""


def direction(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(128)


def steering(
    alpha: float = 0.6, *, layers: tuple[int, ...] = (2, 5), seed: int = 0, **options: Any
) -> Steering:
    return Steering(tuple(Edit("resid", layer, direction(seed), alpha, **options) for layer in layers))


def one(model: MusicGenModel, **options: Any) -> GeneratedAudio:
    defaults: dict[str, Any] = {"seconds": SECONDS, "text": "rock"}
    return generate(model, [GenerationRequest(**defaults | options)])[0]


@dataclass(frozen=True)
class Passes:
    """What a block gave and what the next one read, pass by pass: before and after edits of the first."""

    before: list[torch.Tensor] = field(default_factory=list)
    after: list[torch.Tensor] = field(default_factory=list)


@contextmanager
def watched(model: MusicGenModel, layer: int) -> Iterator[Passes]:
    passes = Passes()
    handles = [
        model.blocks[layer].register_forward_hook(lambda _, __, output: passes.before.append(output)),
        model.blocks[layer + 1].register_forward_pre_hook(lambda _, inputs: passes.after.append(inputs[0])),
    ]
    yield passes
    for handle in handles:
        handle.remove()


@pytest.fixture(scope="module")
def audiocraft_musicgen(pocket: MusicGenModel) -> Any:
    """The same modules behind audiocraft's own interface."""
    from audiocraft.models import MusicGen

    musicgen = MusicGen("pocket", pocket.codec, pocket.language_model)
    musicgen.set_generation_params(top_k=1, duration=SECONDS)
    return musicgen


@pytest.fixture
def prompt(pocket: MusicGenModel) -> NDArray[np.int16]:
    """Codes (K, T₀) of 0.6 s of noise."""
    noise = np.random.default_rng(3).standard_normal(round(0.6 * pocket.info.sample_rate)).astype(np.float32)
    return encode_prompt(pocket, 0.1 * noise)


@pytest.fixture
def short_segment(pocket: MusicGenModel) -> MusicGenModel:
    """The same model, said to have been trained for 1 s at most."""
    return replace(pocket, info=replace(pocket.info, max_seconds=1.0))


@pytest.mark.parametrize("guidance", [3.0, 1.5])
@pytest.mark.parametrize("text", TEXTS)
def test_greedy_tokens_and_audio_are_those_of_audiocraft(
    pocket: MusicGenModel, audiocraft_musicgen: Any, agrees_with: AgreesWith, text: str, guidance: float
) -> None:
    audiocraft_musicgen.set_generation_params(top_k=1, duration=SECONDS, cfg_coef=guidance)
    audio, tokens = audiocraft_musicgen.generate([text or None], return_tokens=True)
    request = GenerationRequest(SECONDS, text, sampling=Sampling(top_k=1, guidance=guidance))
    ours = agrees_with(pocket, request, tokens[0])
    assert np.allclose(decode(pocket, tokens[0].numpy()), audio[0, 0], atol=1e-6)
    assert ours.audio.shape == (round(SECONDS * pocket.info.sample_rate),)


def test_a_greedy_continuation_is_that_of_audiocraft(
    pocket: MusicGenModel, audiocraft_musicgen: Any, agrees_with: AgreesWith, prompt: NDArray[np.int16]
) -> None:
    audiocraft_musicgen.set_generation_params(top_k=1, duration=SECONDS)
    attributes, _ = audiocraft_musicgen._prepare_tokens_and_attributes(["rock"], None)
    expected = audiocraft_musicgen._generate_tokens(attributes, torch.tensor(prompt[None]).long())
    request = GenerationRequest(SECONDS, "rock", prompt_codes=prompt, sampling=GREEDY)
    ours = agrees_with(pocket, request, expected[0])
    assert np.array_equal(ours.codes[:, : prompt.shape[1]], prompt)


def test_beyond_its_segment_windows_move_on_as_in_audiocraft(
    short_segment: MusicGenModel, audiocraft_musicgen: Any, agrees_with: AgreesWith
) -> None:
    from audiocraft.models import MusicGen

    musicgen = MusicGen("short", short_segment.codec, short_segment.language_model)
    musicgen.max_duration = 1.0
    musicgen.set_generation_params(top_k=1, duration=2.5, extend_stride=0.6)
    _, expected = musicgen.generate(["rock"], return_tokens=True)
    frames = round(2.5 * short_segment.info.frame_rate)
    agrees_with(short_segment, GenerationRequest(2.5, "rock", sampling=GREEDY), expected[0, :, :frames])


def test_no_window_draws_the_noise_of_another(
    short_segment: MusicGenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    at = GumbelNoise.at

    def remembered(noise: GumbelNoise, step: int) -> torch.Tensor:
        drawn.append(step)
        return at(noise, step)

    monkeypatch.setattr(GumbelNoise, "at", remembered)
    one(short_segment, seconds=2.2)
    info = short_segment.info
    spread = max(info.delays)
    expected = [
        step
        for window in windows_of(info, round(2.2 * info.frame_rate), 0)
        for step in range(window.known + 1, window.end + 1 + spread)
    ]
    assert drawn == expected
    assert max(drawn.count(step) for step in drawn) == 2, "where delayed codebooks of a window end"


@pytest.mark.parametrize("rows", ["conditional", "both"])
def test_a_steered_generation_is_that_of_audiocraft_inside_the_same_block(
    pocket: MusicGenModel, audiocraft_musicgen: Any, agrees_with: AgreesWith, rows: Any
) -> None:
    audiocraft_musicgen.set_generation_params(top_k=1, duration=SECONDS)
    steered = replace(steering(schedule=parse_schedule("every:3")), rows=rows)
    frames = round(SECONDS * pocket.info.frame_rate)
    with steer(pocket, steered, frames=frames, guided=True):
        _, tokens = audiocraft_musicgen.generate(["rock"], return_tokens=True)
    request = GenerationRequest(SECONDS, "rock", sampling=GREEDY, steering=steered)
    ours = agrees_with(pocket, request, tokens[0])
    assert not np.array_equal(ours.codes, one(pocket, sampling=GREEDY).codes)


def test_without_guidance_rows_without_conditions_are_not_needed(
    pocket: MusicGenModel, audiocraft_musicgen: Any, agrees_with: AgreesWith
) -> None:
    audiocraft_musicgen.set_generation_params(top_k=1, duration=SECONDS, cfg_coef=1.0)
    _, tokens = audiocraft_musicgen.generate(["rock"], return_tokens=True)
    request = GenerationRequest(SECONDS, "rock", sampling=Sampling(top_k=1, guidance=1.0))
    agrees_with(pocket, request, tokens[0])


def test_a_generation_is_the_same_whatever_the_batch_but_for_ties(
    pocket: MusicGenModel, agrees_with: AgreesWith, prompt: NDArray[np.int16]
) -> None:
    requests = [
        GenerationRequest(0.8, text, number, prompt_codes, steering=one_steering)
        for number, text in enumerate(("rock", "slow jazz music with flute"))
        for prompt_codes in (None, prompt)
        for one_steering in (Steering(), steering(0.3), steering(0.9, layers=(1,), scaling="norm_restored"))
    ]
    together = generate(pocket, requests)
    halves = generate(pocket, requests[::-1], batch_size=5)[::-1]
    for number, request in enumerate(requests):
        assert together[number].request is request
        agrees_with(pocket, request, together[number].codes, halves[number].codes)
        # A clip is decoded alone: the same shapes, and so the same bits.
        assert np.array_equal(together[number].audio, decode(pocket, together[number].codes))


def test_activations_are_the_same_alone_and_in_company_but_for_rounding(
    pocket: MusicGenModel, agrees_with: AgreesWith
) -> None:
    spec = CaptureSpec(("resid",), (0, 7), ("frames",))
    requests = [GenerationRequest(0.5, "rock", state, steering=steering(0.4)) for state in range(7)]
    together = generate(pocket, requests, capture=spec)
    for number in (0, 6):
        agrees_with(pocket, requests[number], together[number].codes)
        alone = generate(pocket, [requests[number]], capture=spec)[0]
        others = np.argwhere((alone.codes != together[number].codes).any(axis=0)).ravel()
        end = int(others[0]) - max(pocket.info.delays) if len(others) else None  # where a tie fell otherwise
        ours, theirs = (one.activations["resid.frames"][:, :end] for one in (alone, together[number]))
        lengths = np.linalg.norm(ours, axis=-1)
        assert (np.linalg.norm(ours - theirs, axis=-1) <= ROUNDING * lengths).all()


def test_random_states_differ_and_repeat(pocket: MusicGenModel) -> None:
    first, second, again = (one(pocket, random_state=state) for state in (1, 2, 1))
    assert not np.array_equal(first.codes, second.codes)
    assert np.array_equal(first.codes, again.codes)


def test_torchs_own_random_state_is_neither_read_nor_moved(pocket: MusicGenModel) -> None:
    torch.manual_seed(1)
    first, after = one(pocket), torch.rand(1)
    torch.manual_seed(2)
    assert np.array_equal(one(pocket).codes, first.codes)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)


@pytest.mark.parametrize("alpha", [0.0, -0.0])
def test_no_strength_leaves_the_tokens_identical(pocket: MusicGenModel, alpha: float) -> None:
    assert np.array_equal(one(pocket, steering=steering(alpha)).codes, one(pocket).codes)


def test_a_schedule_that_is_closed_throughout_leaves_the_tokens_identical(pocket: MusicGenModel) -> None:
    closed = steering(schedule=parse_schedule("window:50-60"))
    assert np.array_equal(one(pocket, steering=closed).codes, one(pocket).codes)


def test_the_generation_is_its_twins_until_the_schedule_opens(pocket: MusicGenModel) -> None:
    rate = pocket.info.frame_rate
    opening = round(rate)
    steered = one(pocket, steering=steering(3.0, schedule=parse_schedule("window:1-")), sampling=GREEDY).codes
    twin = one(pocket, sampling=GREEDY).codes
    # At the step that predicts frame t of codebook 0, codebook k is predicted for frame t − k.
    for k, delay in enumerate(pocket.info.delays):
        assert np.array_equal(steered[k, : opening - delay], twin[k, : opening - delay])
    assert not np.array_equal(steered[:, opening:], twin[:, opening:])


@pytest.mark.parametrize("steer_prompt", [False, True])
def test_an_audio_prompt_is_steered_only_on_request(
    pocket: MusicGenModel, prompt: NDArray[np.int16], steer_prompt: bool
) -> None:
    with watched(pocket, layer=2) as passes:
        one(pocket, prompt_codes=prompt, steering=replace(steering(), steer_prompt=steer_prompt))
    before, after = passes.before[0][0], passes.after[0][0]
    changed = [step for step in range(len(before)) if not torch.equal(before[step], after[step])]
    frames = prompt.shape[1]
    assert len(before) == frames + 1
    assert changed == (list(range(frames + 1)) if steer_prompt else [frames])


def test_the_rows_without_conditions_stay_bit_identical_at_the_steered_layer(pocket: MusicGenModel) -> None:
    with watched(pocket, layer=2) as passes:
        one(pocket, steering=steering(layers=(2,)))
    for before, after in zip(passes.before, passes.after, strict=True):
        half = len(before) // 2
        assert torch.equal(before[half:], after[half:])
        assert not torch.equal(before[:half], after[:half])


def test_the_projection_during_generation_moves_as_the_algebra_says(pocket: MusicGenModel) -> None:
    """p' = (p + α‖h‖)/(1 + α) at every step, h being what the layer computed there."""
    steered = steering(0.7, layers=(4,))
    with watched(pocket, layer=4) as passes:
        one(pocket, steering=steered)
    unit = torch.tensor(steered.edits[0].vector)
    for before, after in zip(passes.before, passes.after, strict=True):
        h = before[: len(before) // 2]
        assert torch.allclose(after[: len(h)] @ unit, (h @ unit + 0.7 * h.norm(dim=-1)) / 1.7, atol=1e-4)


def test_later_windows_steer_what_they_pass_again_as_it_was_steered_first(
    short_segment: MusicGenModel,
) -> None:
    with watched(short_segment, layer=0) as passes:
        one(short_segment, seconds=2.2, steering=steering(layers=(0,), schedule=parse_schedule("every:4")))
    window = int(short_segment.info.frame_rate)
    refills = [number for number, before in enumerate(passes.before) if before.shape[1] > 1]
    assert len(refills) == 2
    for windows, number in enumerate(refills, start=1):
        first_frame = windows * int(0.6 * window)
        before, after = passes.before[number][0], passes.after[number][0]
        changed = [step for step in range(len(before)) if not torch.equal(before[step], after[step])]
        assert changed == [step for step in range(len(before)) if (first_frame + step) % 4 == 0]


def test_a_monitor_switches_the_edit_off_where_the_concept_is_reached(pocket: MusicGenModel) -> None:
    reached = Monitor(mean_positive=-1e4, mean_negative=-2e4, deviation=1.0, threshold=0.5)
    never = Monitor(mean_positive=2e4, mean_negative=1e4, deviation=1.0, threshold=0.5)
    plain, full = one(pocket).codes, one(pocket, steering=steering()).codes
    assert not np.array_equal(plain, full)
    assert np.array_equal(one(pocket, steering=steering(monitor=never)).codes, full)
    assert np.array_equal(one(pocket, steering=steering(monitor=reached)).codes, plain)


def test_logits_that_are_no_numbers_are_an_error_and_no_sound(pocket: MusicGenModel) -> None:
    far = Edit("resid", 0, direction(0), 3e38, kind="add", scaling="unit")
    with pytest.raises(ModelError, match="not finite"):
        one(pocket, steering=Steering((far,)))


def test_a_monitor_gates_the_first_frame_after_a_recording_too(
    pocket: MusicGenModel, prompt: NDArray[np.int16]
) -> None:
    reached = Monitor(mean_positive=-1e4, mean_negative=-2e4, deviation=1.0, threshold=0.5)
    plain = one(pocket, prompt_codes=prompt)
    watched_only = one(pocket, prompt_codes=prompt, steering=steering(monitor=reached))
    assert np.array_equal(watched_only.codes, plain.codes)


def test_a_monitor_that_decays_weakens_the_edit_frame_by_frame(pocket: MusicGenModel) -> None:
    even = Monitor(mean_positive=1e-9, mean_negative=-1e-9, deviation=1.0, threshold=0.9, decay=0.2)
    steered = steering(1.0, layers=(3,), monitor=even)
    with watched(pocket, layer=3) as passes:
        one(pocket, seconds=0.5, steering=steered)
    unit = torch.tensor(steered.edits[0].vector)
    for step, (before, after) in enumerate(zip(passes.before, passes.after, strict=True)):
        strength = 0.9 ** (step + 1)  # C is one half, so each frame multiplies by 1 − 0.2 · 0.5
        h = before[0, -1]
        assert torch.allclose(after[0, -1], (h + strength * h.norm() * unit) / (1 + strength), atol=1e-4)


def test_a_later_window_finds_the_gates_of_a_monitor_as_they_were(short_segment: MusicGenModel) -> None:
    even = Monitor(mean_positive=1e-9, mean_negative=-1e-9, deviation=1.0, threshold=0.9, decay=0.2)
    with watched(short_segment, layer=0) as passes:
        one(short_segment, seconds=1.3, steering=steering(1.0, layers=(0,), monitor=even))
    refill = next(number for number, before in enumerate(passes.before) if before.shape[1] > 1)
    window = int(short_segment.info.frame_rate)
    first_frame = int(0.6 * window)
    before = torch.cat(passes.before[refill:], dim=1)[0]
    after = torch.cat(passes.after[refill:], dim=1)[0]
    unit = torch.tensor(steering(layers=(0,)).edits[0].vector)
    for step, (h, edited) in enumerate(zip(before, after, strict=True)):
        strength = 0.9 ** (first_frame + step + 1)
        assert torch.allclose(edited, (h + strength * h.norm() * unit) / (1 + strength), atol=1e-4)


def test_a_monitored_generation_is_the_same_whatever_the_batch_but_for_ties(
    pocket: MusicGenModel, agrees_with: AgreesWith
) -> None:
    monitor = Monitor(mean_positive=1.0, mean_negative=-1.0, deviation=2.0, threshold=0.6, decay=0.05)
    requests = [
        GenerationRequest(1.0, "rock", 3, steering=steering(alpha, monitor=watched))
        for alpha in (0.3, 0.6)
        for watched in (monitor, None)
    ]
    together = generate(pocket, requests)
    for request, result in zip(requests, together, strict=True):
        agrees_with(pocket, request, result.codes)


def test_captured_activations_are_those_of_a_teacher_forced_pass_over_the_result(
    pocket: MusicGenModel, prompt: NDArray[np.int16]
) -> None:
    spec = CaptureSpec(("embed", "resid", "attn", "xattn", "mlp"), (0, 3, 7), ("mean", "last", "frames"))
    steered = steering(0.5, layers=(2, 5), schedule=parse_schedule("linear-down"))
    request = GenerationRequest(SECONDS, "rock", prompt_codes=prompt, steering=steered)
    other = GenerationRequest(SECONDS, "jazz", 5, prompt_codes=prompt)
    result = generate(pocket, [other, request], capture=spec)[1]
    with steer(pocket, steered, frames=result.codes.shape[1], prompt_frames=prompt.shape[1]):
        expected = forward_activations(pocket, result.codes[None], spec, ["rock"])
    assert result.activations.keys() == expected.keys()
    for name, values in expected.items():
        assert np.allclose(result.activations[name], values[0], atol=1e-4), name


def test_captured_activations_beyond_the_segment_are_whole(short_segment: MusicGenModel) -> None:
    result = generate(
        short_segment, [GenerationRequest(2.2, "rock")], capture=CaptureSpec(("resid",), (0,), ("frames",))
    )[0]
    rows = result.activations["resid.frames"]
    assert rows.shape == (1, result.codes.shape[1] - 3, 128)
    assert np.isfinite(rows).all()
    assert len(np.unique(rows[0], axis=0)) == rows.shape[1]


def test_melody_models_generate_with_their_conditions_before_the_audio(
    write_melody_checkpoint: Callable[..., Any], agrees_with: AgreesWith, tmp_path: Path
) -> None:
    from audiocraft.models import MusicGen

    model = load_musicgen(str(write_melody_checkpoint(tmp_path)))
    musicgen = MusicGen("melody", model.codec, model.language_model)
    musicgen.set_generation_params(top_k=1, duration=1.0)
    steered = Steering((Edit("resid", 0, np.arange(1.0, 33.0), 0.9),))
    for chosen in (Steering(), steered):
        with steer(model, chosen, frames=round(model.info.frame_rate), guided=True):
            _, tokens = musicgen.generate(["rock"], return_tokens=True)
        request = GenerationRequest(1.0, "rock", sampling=GREEDY, steering=chosen)
        agrees_with(model, request, tokens[0])


@pytest.mark.parametrize(
    "options",
    [
        {"memory_efficient": False, "custom": True},
        {"memory_efficient": False},
        {"positional_embedding": "rope"},
        {"attention_as_float32": True},
    ],
)
def test_models_with_unusual_attention_are_steered_and_streamed_as_audiocraft_does(
    write_checkpoint: Callable[..., Any], agrees_with: AgreesWith, tmp_path: Path, options: dict[str, Any]
) -> None:
    from audiocraft.models import MusicGen

    folder = write_checkpoint(tmp_path, lambda c: c["transformer_lm"].update(options))
    model = load_musicgen(str(folder))
    musicgen = MusicGen("unusual", model.codec, model.language_model)
    musicgen.set_generation_params(top_k=1, duration=0.6)
    edit = Edit("resid", 0, np.arange(1.0, 33.0), 0.9, schedule=parse_schedule("every:3"))
    steered = Steering((edit,))
    with steer(model, steered, frames=round(0.6 * model.info.frame_rate), guided=True):
        _, tokens = musicgen.generate(["rock"], return_tokens=True)
    agrees_with(model, GenerationRequest(0.6, "rock", sampling=GREEDY, steering=steered), tokens[0])


def test_progress_counts_every_step_once(short_segment: MusicGenModel) -> None:
    calls: list[tuple[int, int]] = []
    requests = [GenerationRequest(2.2, "rock"), GenerationRequest(0.5, "rock")]
    generate(short_segment, requests, progress=lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == list(range(1, len(calls) + 1))
    assert {total for _, total in calls} == {len(calls)}


def test_a_schedule_counts_from_the_beginning_of_the_whole_generation_in_later_windows_too(
    short_segment: MusicGenModel,
) -> None:
    plain = one(short_segment, seconds=2.2).codes[0]
    late = steering(2.0, schedule=parse_schedule("window:1.5-"))
    steered = one(short_segment, seconds=2.2, steering=late).codes[0]
    opens = round(1.5 * short_segment.info.frame_rate)
    assert np.array_equal(steered[:opens], plain[:opens])
    assert not np.array_equal(steered[opens:], plain[opens:])


def test_steering_away_moves_the_projection_down_during_generation(pocket: MusicGenModel) -> None:
    """p' = (p − |α|‖h‖)/(1 + |α|)."""
    steered = steering(-0.7, layers=(4,), away=True)
    with watched(pocket, layer=4) as passes:
        one(pocket, seconds=0.5, steering=steered)
    unit = torch.tensor(steered.edits[0].vector)
    for before, after in zip(passes.before, passes.after, strict=True):
        h = before[: len(before) // 2]
        assert torch.allclose(after[: len(h)] @ unit, (h @ unit - 0.7 * h.norm(dim=-1)) / 1.7, atol=1e-4)


def test_under_guidance_rows_with_conditions_come_first(pocket: MusicGenModel) -> None:
    conditions = [pocket.conditions.encode(text) for text in ("rock", "jazz")]
    for name, (embedding, mask) in guided(pocket, conditions).items():
        given = torch.cat([each[name][0] for each in conditions])
        assert given.abs().sum() > 0
        assert torch.equal(embedding[:2], given)
        assert embedding[2:].abs().sum() == 0
        assert mask[2:].sum() == 0


def test_guidance_goes_from_logits_without_conditions_towards_those_with_them(pocket: MusicGenModel) -> None:
    """Logits are u + g (c − u), c with and u without conditions."""
    conditions = guided(pocket, [pocket.conditions.encode("rock")])
    single = pocket.conditions.encode("rock")
    start = torch.full((1, pocket.info.codebooks, 1), pocket.language_model.special_token_id)

    def logits(rows: Conditions, guidance: float) -> torch.Tensor:
        with torch.inference_mode(), pocket.streaming(steps=2, conditions=rows):
            return _next_logits(pocket, start, rows, guidance)

    with_conditions = logits(single, 1.0)
    nothing = {name: (torch.zeros_like(e), torch.zeros_like(m)) for name, (e, m) in single.items()}
    without = logits(nothing, 1.0)
    assert not torch.allclose(with_conditions, without, atol=1e-4)
    expected = without + 4.0 * (with_conditions - without)
    assert torch.allclose(logits(conditions, 4.0), expected, atol=1e-4)


def test_nothing_remains_on_the_model_when_a_generation_is_stopped_halfway(pocket: MusicGenModel) -> None:
    def stop(done: int, total: int) -> None:
        if done == total // 2:
            raise KeyboardInterrupt

    request = GenerationRequest(0.5, "rock", steering=steering())
    with pytest.raises(KeyboardInterrupt):
        generate(pocket, [request], progress=stop)
    _check_untouched(pocket)


def test_nothing_remains_on_the_model_after_a_generation(pocket: MusicGenModel) -> None:
    one(pocket, steering=steering())
    _check_untouched(pocket)


def _check_untouched(model: MusicGenModel) -> None:
    for module in model.language_model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in vars(module)
        assert not getattr(module, "_is_streaming", False)
        assert not getattr(module, "_streaming_state", {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0.001}, "less than one frame"),
        ({"seconds": 0.0}, "0 s is not possible"),
        ({"seconds": float("nan")}, "nan s is not possible"),
        ({"seconds": 1e6}, "from above 0 to 3600 s"),
        ({"seconds": 0.3, "prompt_codes": np.zeros((4, 60), np.int16)}, "leaves nothing to generate"),
        ({"prompt_codes": np.zeros((3, 5), np.int16)}, "needs codes"),
        ({"random_state": -1}, "Random state"),
    ],
)
def test_an_impossible_request_is_refused(
    pocket: MusicGenModel, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        one(pocket, **options)


def test_decoding_gives_the_audio_of_a_generation(pocket: MusicGenModel) -> None:
    result = one(pocket)
    assert np.array_equal(decode(pocket, result.codes), result.audio)


@pytest.fixture
def tiny_separator(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stem separator of demucs' own class, where the real one would be loaded: each stem is the mix."""
    from demucs import pretrained
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    sources = ["drums", "bass", "other", "vocals"]
    separator = HTDemucs(sources, channels=16, nfft=512, depth=2, t_layers=0, samplerate=16_000, segment=2)
    monkeypatch.setattr(separator, "forward", lambda mix: mix[:, None].expand(-1, len(sources), -1, -1))
    monkeypatch.setattr(pretrained, "get_model", lambda _: separator)
    monkeypatch.setattr("pipelines.models.audiocraft_import.hub_folder", lambda *_: None)
    return separator.eval()


@pytest.mark.parametrize("seconds", [1.0, 2.2])
def test_a_melody_is_followed_as_by_audiocraft(
    write_melody_checkpoint: Callable[..., Any], tiny_separator: Any, tmp_path: Path, seconds: float
) -> None:
    from audiocraft.models import MusicGen

    loaded = load_musicgen(str(write_melody_checkpoint(tmp_path)))
    model = replace(loaded, info=replace(loaded.info, max_seconds=1.5))
    melody = np.sin(np.arange(24_000) * 0.1).astype(np.float32)
    ours = one(model, seconds=seconds, melody=melody, sampling=GREEDY)
    musicgen = MusicGen("melody", model.codec, model.language_model)
    musicgen.max_duration = 1.5
    musicgen.set_generation_params(top_k=1, duration=seconds, extend_stride=0.9)
    random.seed(0)  # demucs draws its shift from here
    conditioner = model.language_model.condition_provider.conditioners["self_wav"]
    conditioner.__dict__["demucs"], stand_in = tiny_separator, conditioner.__dict__["demucs"]
    _, tokens = musicgen.generate_with_chroma(
        ["rock"], torch.tensor(melody)[None], 16_000, return_tokens=True
    )
    conditioner.__dict__["demucs"] = stand_in
    frames = min(tokens.shape[2], ours.codes.shape[1])
    assert np.array_equal(ours.codes[:, :frames], tokens[0, :, :frames])
    higher = np.sin(np.arange(24_000) * 0.145).astype(np.float32)
    heard = [model.conditions.encode_melody("rock", sound)["self_wav"][0] for sound in (melody, higher)]
    assert not torch.equal(heard[0], heard[1])


def test_a_model_without_melodies_refuses_one(pocket: MusicGenModel) -> None:
    with pytest.raises(InvalidInput, match="takes no melody"):
        one(pocket, melody=np.zeros(100, np.float32))


def test_without_its_stem_separator_a_melody_is_refused_with_the_cure(
    write_melody_checkpoint: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, too: demucs by itself would first try the hub and then another server, each for long."""
    from demucs import pretrained

    def asked(name: str) -> Any:
        raise AssertionError("demucs tries for minutes")

    model = load_musicgen(str(write_melody_checkpoint(tmp_path)))
    monkeypatch.setattr(pretrained, "get_model", asked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    cure = r"stem separator htdemucs.*hf download adefossez/HTDemucs htdemucs\.yaml 955717e8\.safetensors"
    with pytest.raises(ModelError, match=cure):
        one(model, melody=np.zeros(100, np.float32))
