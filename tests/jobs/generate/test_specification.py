"""The id of a generation: equal for equal sounds, whoever asks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jobs.generate.specification import (
    AudioPrompt,
    EditSpec,
    GenerationSpec,
    specification_of,
)
from pipelines.steering.edits import Monitor

PLAIN = GenerationSpec("pocket", "aaaa", "cccc", 8.0, "rock", 3)
EDIT = EditSpec("v1", "resid", 3, 0.5)
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
        {"edits": (replace(EDIT, schedule="every:5"),)},
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


def test_the_document_reads_back_as_the_same() -> None:
    whole = replace(
        STEERED,
        audio_prompt=AudioPrompt(5.0, 1.0, sha256="ff"),
        edits=(EDIT, replace(EDIT, monitor=Monitor(1.0, 0.0, 1.0, 0.8, 0.1))),
    )
    assert specification_of(whole.document()) == whole
