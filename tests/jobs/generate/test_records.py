"""Rows of `generations` tell apart what differs in how it was made."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jobs.generate.records import generations_table
from jobs.generate.specification import EditSpec, GenerationSpec
from pipelines.generation.generate import GeneratedAudio, GenerationRequest
from pipelines.steering.edits import Monitor

EDIT = EditSpec("resid", 3, "v1", 0.5)
LATER = EditSpec("resid", 4, "v2", 0.5)
MADE: dict[str, Any] = {"sample_rate": 16_000, "provenance": {"device": "cpu", "torch": "2"}}


def row_with(*edits: EditSpec) -> dict[str, Any]:
    spec = GenerationSpec("pocket", "aaaa", "cccc", 8.0, edits=edits)
    sound = np.zeros(16, np.float32)
    made = GeneratedAudio(GenerationRequest(8.0), np.zeros((4, 1), np.int16), sound, activations={}, **MADE)
    (row,) = generations_table([(spec, made)]).to_pylist()
    return dict(row)


@pytest.mark.parametrize(
    ("threshold", "decay", "said"), [(0.8, 0.0, "0.8"), (0.8, 0.01, "0.8:0.01"), (1.0, 0.0, "1")]
)
def test_a_self_monitor_is_told_as_it_was_asked_for(threshold: float, decay: float, said: str) -> None:
    monitor = Monitor(1.0, -1.0, 1.0, threshold, decay)
    assert row_with(replace(EDIT, monitor=monitor))["monitor"] == said


def test_monitors_that_differ_are_joined_and_none_is_null() -> None:
    monitored = replace(EDIT, monitor=Monitor(1.0, -1.0, 1.0, 0.8))
    other = replace(LATER, monitor=Monitor(2.0, -1.0, 1.0, 0.9))
    assert row_with(monitored, other)["monitor"] == "0.8+0.9"
    assert row_with(monitored, replace(other, monitor=monitored.monitor))["monitor"] == "0.8"
    assert [row_with()["monitor"], row_with(EDIT, LATER)["monitor"]] == [None, None]
