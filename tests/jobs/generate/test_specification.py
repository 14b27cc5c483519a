"""The id of a generation: equal for equal sounds, whoever asks."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jobs.generate.specification import (
    AudioPrompt,
    EditSpec,
    GenerationSpec,
)
from pipelines.steering.edits import Monitor
from pipelines.steering.schedules import parse_schedule
from store.errors import InvalidInput

PLAIN = GenerationSpec("pocket", "aaaa", "cccc", 8.0, "rock", 3)
EDIT = EditSpec("resid", 3, "v1", 0.5)
STEERED = replace(PLAIN, edits=(EDIT,))


@pytest.mark.parametrize(
    "changes",
    [
        {"model_fingerprint": "bbbb"},
        {"codec_fingerprint": "dddd"},
        {"seconds": 9.0},
        {"text": "jazz"},
        {"random_state": 4},
        {"guidance": 2.0},
        {"temperature": 0.9},
        {"top_k": 10},
        {"top_p": 0.9},
        {"dtype": "bfloat16"},
        {"audio_prompt": AudioPrompt(5.0, clip_id="c1")},
        {"melody_sha256": "ffff"},
        {"edits": ()},
        {"edits": (EDIT, EDIT)},
        {"edits": (replace(EDIT, alpha=0.6),)},
        {"edits": (replace(EDIT, layer=4),)},
        {"edits": (replace(EDIT, site="attn"),)},
        {"edits": (replace(EDIT, vector_id="v2"),)},
        {"edits": (replace(EDIT, schedule=parse_schedule("every:5")),)},
        {"edits": (replace(EDIT, scaling="unit"),)},
        {"edits": (replace(EDIT, kind="add"),)},
        {"edits": (replace(EDIT, weight=0.5),)},
        {"edits": (replace(EDIT, monitor=Monitor(1.0, 0.0, 1.0, 0.8)),)},
        {"rows": "both"},
        {"steer_prompt": True},
    ],
)
def test_whatever_changes_the_sound_changes_the_id(changes: dict[str, Any]) -> None:
    assert replace(STEERED, **changes).generation_id != STEERED.generation_id


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "another name of the same weights"},
        {"seconds": 8},
        {"seconds": np.float32(8.0)},
        {"edits": (replace(EDIT, foreign=True, away=True),)},
    ],
)
def test_what_does_not_change_the_sound_does_not_change_the_id(changes: dict[str, Any]) -> None:
    assert replace(STEERED, **changes).generation_id == STEERED.generation_id


def test_the_options_of_steering_mean_nothing_without_edits() -> None:
    assert replace(PLAIN, rows="both", steer_prompt=True).generation_id == PLAIN.generation_id


def test_the_twin_is_the_same_without_edits() -> None:
    assert replace(STEERED, rows="both").twin() == PLAIN


def test_ids_are_those_of_stores_that_are_there() -> None:
    manner: dict[str, Any] = {
        "kind": "add",
        "weight": 0.5,
        "schedule": parse_schedule("linear-down:4,every:5"),
    }
    other = replace(EDIT, **manner, monitor=Monitor(1.0, 0.0, 1.0, 0.8, 0.1))
    assert PLAIN.generation_id == "352eac9b16cf9119"
    assert STEERED.generation_id == "6b9c2e05f98192cb"
    assert replace(PLAIN, edits=(other,)).generation_id == "9546323d9ab1e67e"


def test_the_document_is_json_and_says_the_schedule_as_users_write_it() -> None:
    edit = replace(EDIT, schedule=parse_schedule("linear-down:4, every:5"))
    (said,) = json.loads(json.dumps(replace(PLAIN, edits=(edit,)).document()))["edits"]
    assert said["schedule"] == "linear-down:4,every:5"
    assert said["vector_id"] == "v1"


def test_a_strength_that_cannot_be_applied_is_no_specification() -> None:
    with pytest.raises(InvalidInput, match="steers away"):
        replace(EDIT, alpha=-0.5)
    with pytest.raises(InvalidInput, match="no value there"):
        replace(EDIT, alpha=-2, weight=0.5, away=True)
