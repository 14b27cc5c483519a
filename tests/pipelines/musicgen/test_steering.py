"""Steering against its algebra, and against passes without it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.directions.fitting import fit_directions
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.models.musicgen import MusicGenModel
from pipelines.steering.edits import Edit, Kind, Origin, Scaling, Steering
from pipelines.steering.schedules import parse_schedule
from pipelines.steering.steer import SteeringState, steer
from store.errors import InvalidInput
from store.records import Site

Codes = NDArray[np.int16]
RandomCodes = Callable[..., Codes]
Vector = NDArray[np.float64]

WIDTH = 128
SITES: tuple[Site, ...] = ("embed", "resid", "attn", "head", "xattn", "mlp")
NORM_TABLE = {
    0.1: (0.914, 0.100),
    0.3: (0.803, 0.287),
    0.5: (0.745, 0.447),
    0.7: (0.718, 0.573),
    1.0: (0.707, 0.707),
    2.0: (0.745, 0.894),
    5.0: (0.850, 0.981),
}
"""shared/reference/method.md, section 3, for directions orthogonal to h: α → norm ratio, cos(h', r̂)."""


def draw(seed: int) -> Vector:
    return np.random.default_rng(seed).standard_normal(WIDTH)


def edited(
    model: MusicGenModel,
    h: torch.Tensor,
    *edits: Edit,
    steering: Sequence[Steering] | None = None,
    frames: int = 50,
    **options: Any,
) -> torch.Tensor:
    """The edits of resid 3 applied to rows (B, steps, D), without a model around them."""
    state = SteeringState(
        model,
        steering or Steering(edits),
        **{"frames": frames, "prompt_frames": 0, "guided": False} | options,
    )
    result = state.edited("resid", 3, h)
    return h if result is None else result


def resid(alpha: float, vector: Vector, **options: Any) -> Edit:
    return Edit("resid", 3, vector, alpha, **options)


@pytest.fixture
def h() -> torch.Tensor:
    """(B, steps, D) of lengths as in a model, far from 1."""
    return 14 * torch.randn(3, 5, WIDTH, generator=torch.Generator().manual_seed(1))


def orthogonal(h: torch.Tensor, seed: int = 0) -> Vector:
    """A unit direction that is orthogonal to the one row of h."""
    row, direction = h[0, 0].double().numpy(), draw(seed)
    direction -= (direction @ row) / (row @ row) * row
    return np.asarray(direction / np.linalg.norm(direction))


@pytest.mark.parametrize("alpha", NORM_TABLE)
def test_norms_and_cosines_are_those_of_the_table(
    pocket: MusicGenModel, h: torch.Tensor, alpha: float
) -> None:
    row = h[:1, :1]
    direction = orthogonal(row)
    result = edited(pocket, row, resid(alpha, direction))[0, 0].double().numpy()
    ratio, cosine = NORM_TABLE[alpha]
    assert np.linalg.norm(result) / row.norm().item() == pytest.approx(ratio, abs=5e-4)
    assert result @ direction / np.linalg.norm(result) == pytest.approx(cosine, abs=5e-4)


@pytest.mark.parametrize(("alpha", "seed"), list(product([0.2, 1.5], range(3))))
def test_the_norm_scaling_is_the_formula_of_the_authors_code(
    pocket: MusicGenModel, h: torch.Tensor, alpha: float, seed: int
) -> None:
    direction = draw(seed) / np.linalg.norm(draw(seed))
    rows = h.double().numpy()
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    expected = (rows + alpha * lengths * direction) / (1 + alpha)
    assert np.allclose(edited(pocket, h, resid(alpha, direction)), expected, rtol=1e-5, atol=1e-5)


def test_a_direction_along_h_itself_changes_nothing(pocket: MusicGenModel, h: torch.Tensor) -> None:
    row = h[:1, :1]
    assert torch.allclose(edited(pocket, row, resid(0.8, row[0, 0].double().numpy())), row, atol=1e-5)


def test_the_unit_scaling_is_affine_in_h(pocket: MusicGenModel, h: torch.Tensor) -> None:
    def apply(x: torch.Tensor) -> torch.Tensor:
        return edited(pocket, x, resid(2.0, draw(0), scaling="unit"))

    middle = apply(0.3 * h + 0.7 * h.flip(0))
    assert torch.allclose(middle, 0.3 * apply(h) + 0.7 * apply(h).flip(0), atol=1e-5)
    assert torch.allclose(apply(torch.zeros_like(h)).norm(dim=-1), torch.full(h.shape[:2], 2 / 3))


def test_the_restored_scaling_keeps_the_length_and_points_like_norm(
    pocket: MusicGenModel, h: torch.Tensor
) -> None:
    restored = edited(pocket, h, resid(0.7, draw(0), scaling="norm_restored"))
    plain = edited(pocket, h, resid(0.7, draw(0)))
    assert torch.allclose(restored.norm(dim=-1), h.norm(dim=-1), rtol=1e-5)
    assert torch.allclose(torch.cosine_similarity(restored, plain, dim=-1), torch.ones(h.shape[:2]))


def test_addition_adds(pocket: MusicGenModel, h: torch.Tensor) -> None:
    unit = torch.from_numpy(draw(0) / np.linalg.norm(draw(0))).float()
    plain = edited(pocket, h, resid(3.0, draw(0), kind="add", scaling="unit"))
    scaled = edited(pocket, h, resid(0.5, draw(0), kind="add"))
    assert torch.allclose(plain, h + 3.0 * unit, atol=1e-5)
    assert torch.allclose(scaled, h + 0.5 * h.norm(dim=-1, keepdim=True) * unit, atol=1e-4)


def test_ablation_leaves_nothing_along_any_of_the_directions(pocket: MusicGenModel, h: torch.Tensor) -> None:
    superfluous = [draw(0), draw(0), draw(0) + 1e-6 * draw(1)]
    directions = [draw(0), *superfluous, draw(1), draw(0) + 0.1 * draw(1)]  # not orthogonal
    result = edited(pocket, h, *[resid(1.0, direction, kind="ablate") for direction in directions])
    basis, _ = np.linalg.qr(np.stack([draw(0), draw(1)], axis=1))
    expected = h.double().numpy() - h.double().numpy() @ basis @ basis.T
    assert np.allclose(result, expected, atol=1e-4)


def test_with_a_reader_ablation_removes_what_is_read_one_direction_after_the_other(
    pocket: MusicGenModel, h: torch.Tensor
) -> None:
    units = [draw(seed) / np.linalg.norm(draw(seed)) for seed in (0, 1)]
    readers = [draw(seed + 5) for seed in (0, 1)]
    readers = [reader / (reader @ unit) for reader, unit in zip(readers, units, strict=True)]
    erasers = [
        resid(alpha, unit, kind="ablate", reader=reader, reader_offset=offset)
        for alpha, unit, reader, offset in zip((1.0, 0.5), units, readers, (3.0, -2.0), strict=True)
    ]
    plain = resid(1.0, draw(9), kind="ablate")
    expected = h.double().numpy() @ (np.eye(WIDTH) - np.outer(draw(9), draw(9)) / (draw(9) @ draw(9)))
    expected = expected - ((expected @ readers[0]) - 3.0)[..., None] * units[0]
    expected = expected - 0.5 * ((expected @ readers[1]) + 2.0)[..., None] * units[1]
    assert np.allclose(edited(pocket, h, *erasers, plain), expected, atol=1e-3)
    steerings = [Steering((erasers[0],)), Steering((plain,)), Steering(tuple(erasers))]
    result = edited(pocket, h, steering=steerings)
    for row, steering in enumerate(steerings):
        alone = edited(pocket, h[row : row + 1], steering=[steering])
        assert torch.allclose(result[row : row + 1], alone, atol=1e-4)


def test_an_eraser_that_was_fitted_to_captured_activations_leaves_no_covariance_with_the_label(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    """Along a probe's direction an orthogonal ablation leaves the label where it is."""
    codes, positive = random_codes(24, 10), np.arange(24) % 2 == 0
    codes[positive, 0] %= 64
    spec = CaptureSpec(("resid",), (3,), ("mean",))

    def captured(*edits: Edit) -> Vector:
        with steer(pocket, Steering(edits), frames=10):
            found = forward_activations(pocket, codes, spec)["resid.mean"]
        return found[:, 0].double().numpy()

    rows, groups = captured(), np.arange(24)
    assert rows.shape == (24, WIDTH)
    (found,) = fit_directions(
        rows,
        positive[:, None],
        folds=(groups % 4).astype(np.int8),
        groups=groups,
        methods=["leace", "mse:0.01"],
    )
    leace, probe = found["leace"], found["mse:0.01"]
    assert leace.reader_offset is not None
    erased = captured(
        resid(1.0, leace.vector, kind="ablate", reader=leace.reader, reader_offset=leace.reader_offset)
    )
    projected = captured(resid(1.0, probe.vector, kind="ablate"))
    before, after, beside = (
        np.abs((positive - 0.5) @ (one - one.mean(axis=0))).max() for one in (rows, erased, projected)
    )
    assert after < 1e-4 * before
    assert beside > 0.3 * before


def test_directions_at_one_place_are_fused_with_their_weights_summed(
    pocket: MusicGenModel, h: torch.Tensor
) -> None:
    first, second = (draw(seed) / np.linalg.norm(draw(seed)) for seed in (0, 1))
    fused = edited(pocket, h, resid(0.4, first), resid(0.3, second, weight=0.5))
    rows = h.double().numpy()
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    expected = (rows + lengths * (0.4 * first + 0.15 * second)) / (1 + 0.4 + 0.15)
    assert np.allclose(fused, expected, rtol=1e-5, atol=1e-5)


def test_steering_away_divides_by_what_was_added_regardless_of_its_sign(
    pocket: MusicGenModel, h: torch.Tensor
) -> None:
    away = edited(pocket, h, resid(-0.5, draw(0), away=True))
    assert torch.allclose(away, edited(pocket, h, resid(0.5, -draw(0))), atol=1e-5)


def test_every_clip_of_a_batch_has_its_own_edits(pocket: MusicGenModel, h: torch.Tensor) -> None:
    steerings = [
        Steering((resid(0.4, draw(0)),)),
        Steering(),
        Steering((resid(0.2, draw(1), scaling="unit"), resid(1.0, draw(2), kind="ablate"))),
    ]
    result = edited(pocket, h, steering=steerings)
    for row, steering in enumerate(steerings):
        alone = edited(pocket, h[row : row + 1], steering=[steering])
        assert torch.allclose(result[row : row + 1], alone, atol=1e-6)
    assert torch.equal(result[1], h[1])


def test_under_guidance_only_the_rows_with_conditions_are_edited_unless_both_are_asked_for(
    pocket: MusicGenModel, h: torch.Tensor
) -> None:
    rows = torch.cat([h, h])
    steering = Steering((resid(0.5, draw(0)),))
    result = edited(pocket, rows, steering=[steering] * 3, guided=True)
    assert torch.equal(result[3:], h)
    assert not torch.equal(result[:3], h)
    both = edited(pocket, rows, steering=[replace(steering, rows="both")] * 3, guided=True)
    assert torch.equal(both[3:], both[:3])
    assert torch.equal(both[:3], result[:3])


def test_a_schedule_acts_by_the_frame_a_step_predicts(pocket: MusicGenModel, h: torch.Tensor) -> None:
    edit = resid(0.5, draw(0), schedule=parse_schedule("every:2"))
    result = edited(pocket, h, edit)
    full = edited(pocket, h, resid(0.5, draw(0)))
    assert torch.equal(result[:, 1::2], h[:, 1::2])
    assert torch.allclose(result[:, 0::2], full[:, 0::2])


@pytest.mark.parametrize("steer_prompt", [False, True])
def test_an_audio_prompt_is_edited_only_on_request_and_then_schedules_begin_with_it(
    pocket: MusicGenModel, h: torch.Tensor, steer_prompt: bool
) -> None:
    edit = resid(0.5, draw(0), schedule=parse_schedule("every:3"))
    steering = [Steering((edit,), steer_prompt=steer_prompt)] * 3
    result = edited(pocket, h, steering=steering, prompt_frames=1)
    changed = [step for step in range(5) if not torch.equal(result[:, step], h[:, step])]
    assert changed == ([0, 3] if steer_prompt else [1, 4])


@pytest.mark.parametrize("scaling", ["norm", "norm_restored"])
def test_an_activation_of_length_zero_stays_zero(pocket: MusicGenModel, scaling: Scaling) -> None:
    nothing = torch.zeros(1, 1, WIDTH)
    assert torch.equal(edited(pocket, nothing, resid(0.5, draw(0), scaling=scaling)), nothing)


def test_no_strength_changes_not_a_bit(pocket: MusicGenModel, h: torch.Tensor) -> None:
    assert edited(pocket, h, resid(0.0, draw(0))) is h


@pytest.mark.parametrize(("site", "scaling"), list(product(SITES, ["norm", "norm_restored"])))
def test_at_every_site_the_next_module_reads_what_the_edit_gave(
    pocket: MusicGenModel, random_codes: RandomCodes, site: Site, scaling: Scaling
) -> None:
    layer = 0 if site == "embed" else 3
    sites: tuple[Site, ...] = (site,) if site == "resid" else (site, "resid")
    spec = CaptureSpec(sites, (layer,), ("frames",))
    codes, texts = random_codes(2, 20), ["slow jazz", "fast rock"]
    plain = forward_activations(pocket, codes, spec, texts)
    edit = Edit(site, layer, draw(0), 0.6, scaling=scaling)
    with steer(pocket, Steering((edit,))):
        steered = forward_activations(pocket, codes, spec, texts)
    before, after = plain[f"{site}.frames"], steered[f"{site}.frames"]
    unit = torch.tensor(edit.vector)
    fused = (before + 0.6 * before.norm(dim=-1, keepdim=True) * unit) / 1.6
    if scaling == "norm_restored":
        fused *= before.norm(dim=-1, keepdim=True) / fused.norm(dim=-1, keepdim=True)
    assert torch.allclose(after, fused, atol=1e-4)
    assert not torch.allclose(steered["resid.frames"], plain["resid.frames"])


def test_an_edit_of_one_layer_leaves_the_layers_below_bit_identical(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    spec = CaptureSpec(("resid",), tuple(range(8)), ("frames",))
    codes = random_codes(2, 20)
    plain = forward_activations(pocket, codes, spec)["resid.frames"]
    with steer(pocket, Steering((resid(0.6, draw(0)),))):
        steered = forward_activations(pocket, codes, spec)["resid.frames"]
    same = [torch.equal(plain[:, layer], steered[:, layer]) for layer in range(8)]
    assert same == [True] * 3 + [False] * 5


def test_nothing_remains_after_the_block_also_after_an_error(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    spec = CaptureSpec(("resid",), (7,), ("mean",))
    codes = random_codes(1, 20)
    before = forward_activations(pocket, codes, spec)["resid.mean"]
    edits = tuple(Edit(site, 0, draw(0), 0.5) for site in SITES)
    with pytest.raises(RuntimeError, match="on purpose"), steer(pocket, Steering(edits)):
        raise RuntimeError("on purpose")
    modules = list(pocket.language_model.modules())
    assert sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules) == 0
    assert [module for module in modules if "forward" in vars(module)] == []
    assert torch.equal(forward_activations(pocket, codes, spec)["resid.mean"], before)


def test_a_batch_of_another_size_than_the_steerings_is_refused(
    pocket: MusicGenModel, random_codes: RandomCodes
) -> None:
    spec = CaptureSpec(("resid",), (7,), ("mean",))
    with (
        steer(pocket, [Steering((resid(0.5, draw(0)),))] * 3),
        pytest.raises(InvalidInput, match="3 steerings do not fit a pass of 2 rows"),
    ):
        forward_activations(pocket, random_codes(2, 20), spec)


def test_a_pass_longer_than_planned_is_refused(pocket: MusicGenModel, random_codes: RandomCodes) -> None:
    spec = CaptureSpec(("resid",), (7,), ("mean",))
    with (
        steer(pocket, Steering((resid(0.5, draw(0)),)), frames=10),
        pytest.raises(InvalidInput, match="planned for"),
    ):
        forward_activations(pocket, random_codes(1, 40), spec)


def test_an_edit_that_does_not_fit_is_refused_before_any_hook_is_set(pocket: MusicGenModel) -> None:
    with (
        pytest.raises(InvalidInput, match="does not fit"),
        steer(pocket, Steering((resid(0.5, np.ones(WIDTH + 1)),))),
    ):
        pass


@pytest.mark.parametrize("edited_rows", [(0, 1, 2), (1,), (0, 2)])
@pytest.mark.parametrize(("kind", "scaling"), [("interpolate", "norm"), ("add", "unit"), ("ablate", "norm")])
def test_an_edit_of_one_head_is_that_of_its_part_and_leaves_the_others_bit_equal(
    pocket: MusicGenModel,
    random_codes: RandomCodes,
    kind: Kind,
    scaling: Scaling,
    edited_rows: tuple[int, ...],
) -> None:
    site, layer, head = pocket.info.site("head"), 3, 2
    vector = draw(0)[: site.head_width]
    mine = slice(head * site.head_width, (head + 1) * site.head_width)
    others = [column for column in range(site.width) if not mine.start <= column < mine.stop]
    of_head = Edit("head", layer, vector, 0.7, kind=kind, scaling=scaling, head=head)
    edits = [Steering((of_head,) if row in edited_rows else ()) for row in range(3)]
    codes, spec = random_codes(3, 20), CaptureSpec(("head", "attn"), (layer,), ("frames",))
    plain = forward_activations(pocket, codes, spec)
    with steer(pocket, edits, frames=20):
        steered = forward_activations(pocket, codes, spec)
    before, after = plain["head.frames"][:, 0], steered["head.frames"][:, 0]
    assert torch.equal(after[..., others], before[..., others])
    part = before[..., mine]
    unit = torch.from_numpy(vector / np.linalg.norm(vector)).float()
    length = part.norm(dim=-1, keepdim=True)
    expected = {
        "interpolate": (part + 0.7 * length * unit) / 1.7,
        "add": part + 0.7 * unit,
        "ablate": part - 0.7 * (part @ unit)[..., None] * unit,
    }[kind]
    for row in range(3):
        wanted = expected[row] if row in edited_rows else part[row]
        torch.testing.assert_close(after[row][..., mine], wanted, rtol=1e-5, atol=1e-5)
    weight = pocket.blocks[layer].self_attn.out_proj.weight[:, mine]
    moved = steered["attn.frames"][:, 0] - plain["attn.frames"][:, 0]
    torch.testing.assert_close(moved, (after - before)[..., mine] @ weight.T, rtol=1e-4, atol=1e-5)


def test_edits_of_several_heads_act_each_on_its_own(pocket: MusicGenModel, random_codes: RandomCodes) -> None:
    width = pocket.info.site("head").head_width
    edits = [Edit("head", 3, draw(head)[:width], 0.5, head=head) for head in (0, 3)]
    codes, spec = random_codes(2, 20), CaptureSpec(("head",), (3,), ("frames",))
    seen = []
    for chosen in (edits, edits[:1], edits[1:]):
        with steer(pocket, Steering(tuple(chosen)), frames=20):
            seen.append(forward_activations(pocket, codes, spec)["head.frames"])
    both, first, last = (one.unflatten(-1, (-1, width)) for one in seen)
    assert torch.equal(both[..., 0, :], first[..., 0, :])
    assert torch.equal(both[..., 3, :], last[..., 3, :])
    assert not torch.equal(first[..., 0, :], last[..., 0, :])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": 4}, "has heads 0–3, and no head 4"),
        ({"site": "attn"}, "'attn' of 'pocket-random' has no heads, and no head 1"),
        ({"vector": np.ones(WIDTH)}, "128 numbers does not fit a head of 'pocket-random' of 32"),
        ({"head": 1, "origin": 0}, "found at head of layer 3, head 0, not at head of layer 3, head 1"),
    ],
)
def test_heads_that_do_not_fit_the_model_are_refused(
    pocket: MusicGenModel, changes: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {
        "site": "head",
        "layer": 3,
        "vector": np.ones(32),
        "alpha": 0.5,
        "head": 1,
    } | changes
    if "origin" in changes:
        given["origin"] = Origin(pocket.info.fingerprint, "head", 3, 0)
    with pytest.raises(InvalidInput, match=message), steer(pocket, Steering((Edit(**given),))):
        pass
