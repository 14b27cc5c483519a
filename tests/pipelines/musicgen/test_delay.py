"""The delay pattern against a second implementation, written from its definition."""

import json

import numpy as np
import pytest
import torch

from pipelines.models.audiocraft_import import import_audiocraft
from pipelines.models.delay import Alignment, align, interleave, planned_alignment
from store.errors import InvalidInput, ModelError

SPECIAL = 999


def delayed(codes: np.ndarray, delays: tuple[int, ...]) -> np.ndarray:
    """Frame t of codebook k stands at step 1 + t + delays[k], in T + 1 steps; everything else is special."""
    codebooks, frames = codes.shape
    sequence = np.full((codebooks, frames + 1), SPECIAL)
    for codebook in range(codebooks):
        for frame in range(frames):
            step = 1 + frame + delays[codebook]
            if step <= frames:
                sequence[codebook, step] = codes[codebook, frame]
    return sequence


def provider(delays: tuple[int, ...]) -> object:
    import_audiocraft()
    from audiocraft.modules.codebooks_patterns import DelayedPatternProvider

    return DelayedPatternProvider(len(delays), list(delays))


PATTERNS = [
    ((0, 1, 2, 3), 100),
    ((0, 1, 2, 3), 4),
    ((0, 1, 2), 5),
    ((0,), 1),
    ((0, 0, 0), 7),
    ((0, 2, 2, 5), 30),
]


@pytest.mark.parametrize(("delays", "frames"), PATTERNS)
def test_interleaving_agrees_with_the_definition_of_the_delay_pattern(
    delays: tuple[int, ...], frames: int
) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (2, len(delays), frames))
    sequence = interleave(provider(delays), torch.from_numpy(codes), SPECIAL)
    np.testing.assert_array_equal(sequence, np.stack([delayed(clip, delays) for clip in codes]))


@pytest.mark.parametrize(("delays", "frames"), PATTERNS)
def test_kept_rows_are_exactly_the_steps_at_which_every_codebook_holds_a_real_token(
    delays: tuple[int, ...], frames: int
) -> None:
    alignment = align(provider(delays), frames)
    frame_numbers = np.tile(np.arange(frames), (len(delays), 1))
    sequence = delayed(frame_numbers, delays)
    whole = np.flatnonzero((sequence != SPECIAL).all(axis=0))
    assert [alignment.step_of_row(row) for row in range(alignment.rows)] == whole.tolist()
    assert alignment.steps == sequence.shape[1]
    for row, step in enumerate(whole):
        assert alignment.frames_of_row(row) == tuple(sequence[:, step])


@pytest.mark.parametrize(("delays", "frames"), PATTERNS)
def test_the_alignment_planned_without_a_model_is_that_of_audiocrafts_pattern(
    delays: tuple[int, ...], frames: int
) -> None:
    assert planned_alignment(delays, frames) == align(provider(delays), frames)


def test_four_codebooks_leave_three_frames_fewer_than_the_clip_has() -> None:
    alignment = planned_alignment((0, 1, 2, 3), 1500)
    assert (alignment.steps, alignment.first_step, alignment.rows) == (1501, 4, 1497)


def test_an_alignment_survives_json() -> None:
    alignment = planned_alignment((0, 1, 2, 3), 100)
    assert Alignment.from_json(json.loads(json.dumps(alignment.to_json()))) == alignment


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_a_clip_shorter_than_the_delays_is_refused(frames: int) -> None:
    with pytest.raises(InvalidInput, match=f"{frames} codec frames is too short"):
        planned_alignment((0, 1, 2, 3), frames)
    with pytest.raises(InvalidInput, match=f"{frames} codec frames is too short"):
        align(provider((0, 1, 2, 3)), frames)


def test_a_pattern_without_a_fixed_distance_between_steps_and_frames_is_refused() -> None:
    import_audiocraft()
    from audiocraft.modules.codebooks_patterns import UnrolledPatternProvider

    # Both codebooks at one step, and an empty step after each.
    with pytest.raises(ModelError, match="UnrolledPatternProvider has no fixed distance"):
        align(UnrolledPatternProvider(2, flattening=[1, 1]), 6)
