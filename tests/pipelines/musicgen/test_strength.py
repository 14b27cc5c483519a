"""Automatic strengths: closed forms against a search, and what they do to a real pass."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipelines.capture import CaptureSpec, forward_activations
from pipelines.models.musicgen import MusicGenModel
from pipelines.steering.edits import Edit, Scaling, Steering
from pipelines.steering.steer import steer
from pipelines.steering.strength import (
    LARGEST,
    Target,
    Twin,
    alpha_for_projection,
    distortion_matched_cap,
    edit_distortion,
    in_distribution,
    scaled,
    text_distortion,
)
from store.errors import InvalidInput

LAYERS = (2, 4)


def vector(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(128)


@pytest.fixture
def twin(pocket: MusicGenModel, random_codes: Callable[..., Any]) -> Twin:
    return Twin(random_codes(1, 30)[0], "rock", prompt_frames=8)


def projections(model: MusicGenModel, edits: list[Edit], twin: Twin) -> NDArray[np.float64]:
    """Mean projection at each edit's own place, over the frames behind the prompt, all edits acting."""
    spec = CaptureSpec(("resid",), LAYERS, ("frames",))
    with steer(model, Steering(tuple(edits)), frames=30, prompt_frames=8):
        rows = forward_activations(model, twin.codes[None], spec, ["rock"])["resid.frames"][0]
    first_generated = 8 - 4  # row r is step 4 + r, and step s predicts frame s
    means = [rows[place, first_generated:] @ torch.tensor(edit.vector) for place, edit in enumerate(edits)]
    return np.array([mean.mean().item() for mean in means])


@pytest.mark.parametrize("scaling", ["norm", "unit", "norm_restored"])
def test_the_closed_form_is_what_a_search_finds(scaling: Scaling) -> None:
    h, unit = np.array([3.0, 4.0]) / 4, np.array([0.0, 1.0])
    h[1] = -0.2
    norm = float(np.linalg.norm(h))

    def reached(alpha: float) -> float:
        edited = (h + alpha * (1.0 if scaling == "unit" else norm) * unit) / (1 + alpha)
        restored = norm / float(np.linalg.norm(edited)) if scaling == "norm_restored" else 1.0
        return float(unit @ edited) * restored

    alpha = alpha_for_projection(0.25, projection=float(unit @ h), norm=norm, scaling=scaling)
    grid = np.linspace(0, LARGEST, 20_001)
    found = grid[np.argmin([abs(reached(candidate) - 0.25) for candidate in grid])]
    assert 0 < alpha < LARGEST
    assert alpha == pytest.approx(found, abs=1e-3)


@pytest.mark.parametrize("scaling", ["norm", "unit", "norm_restored"])
def test_nothing_is_done_where_the_target_is_reached_and_no_more_than_the_largest_where_it_cannot_be(
    scaling: Scaling,
) -> None:
    assert alpha_for_projection(1.0, projection=1.5, norm=10.0, scaling=scaling) == 0.0
    assert alpha_for_projection(50.0, projection=1.5, norm=10.0, scaling=scaling) == LARGEST


def test_every_layer_is_brought_to_its_target_also_when_layers_act_on_each_other(
    pocket: MusicGenModel, twin: Twin
) -> None:
    edits = [Edit("resid", layer, vector(layer), 0.0) for layer in LAYERS]
    before = projections(pocket, edits, twin)
    targets = [Target(mean + 2.0, 0.5, deviations=1.0) for mean in before]
    found = in_distribution(pocket, edits[::-1], targets[::-1], twin)[::-1]
    assert [edit.layer for edit in found] == list(LAYERS)
    assert np.allclose(projections(pocket, found, twin), before + 2.5, atol=0.02)


def test_a_layer_weight_is_taken_into_account(pocket: MusicGenModel, twin: Twin) -> None:
    plain = Edit("resid", 2, vector(2), 0.0)
    target = [Target(3.0, 1.0)]
    full = in_distribution(pocket, [plain], target, twin)[0].alpha
    half = in_distribution(pocket, [replace(plain, weight=0.5)], target, twin)[0].alpha
    assert half == pytest.approx(2 * full)


def test_two_directions_at_one_layer_have_no_closed_form(pocket: MusicGenModel, twin: Twin) -> None:
    edits = [Edit("resid", 2, vector(seed), 0.0) for seed in range(2)]
    with pytest.raises(InvalidInput, match="one direction per layer"):
        in_distribution(pocket, edits, [Target(1.0, 1.0)] * 2, twin)


def test_the_cap_moves_the_last_layer_just_as_far_as_the_other_text(
    pocket: MusicGenModel, twin: Twin
) -> None:
    edits = [Edit("resid", 3, vector(3), 1.5)]
    allowed = text_distortion(pocket, twin, "rock rock")
    factor = distortion_matched_cap(pocket, edits, twin, target_text="rock rock")
    assert 0 < factor < 1
    assert edit_distortion(pocket, scaled(edits, factor), twin) <= allowed
    assert edit_distortion(pocket, scaled(edits, factor + 0.02), twin) > allowed


def test_an_edit_that_does_less_than_the_text_is_not_capped(pocket: MusicGenModel, twin: Twin) -> None:
    weak = [Edit("resid", 7, vector(3), 1e-4)]
    assert distortion_matched_cap(pocket, weak, twin, target_text="slow jazz with flute") == 1.0


def test_the_same_text_allows_nothing(pocket: MusicGenModel, twin: Twin) -> None:
    edits = [Edit("resid", 3, vector(3), 0.5)]
    assert distortion_matched_cap(pocket, edits, twin, target_text="rock") == 0.0
