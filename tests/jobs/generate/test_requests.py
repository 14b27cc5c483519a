"""What a stored direction becomes when it is asked to steer, and what a file keeps of it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.directions.files import imported_rows, read_file, write_series
from jobs.directions.options import FileForm
from jobs.generate.requests import edit_of
from jobs.generate.specification import EditSpec
from pipelines.steering.edits import MANNER, Kind, Monitor
from pipelines.steering.schedules import parse_schedule
from store.errors import InvalidInput
from store.results.fits import VectorRow

UNIT = np.array([0.6, 0.8, 0.0], np.float32)
READER = np.array([1.0, 0.5, 7.0], np.float32)


@pytest.fixture
def leace() -> VectorRow:
    known: dict[str, Any] = {
        "vector_id": "abc", "run_id": "r", "model": "m", "model_fingerprint": "f", "site": "resid",
        "reduction": "mean", "layer": 3, "concept": "style", "positive": "jazz", "method": "leace",
        "vector": UNIT, "reader": READER, "reader_offset": 2.5, "width": 3, "norm": 1.0, "scaling": "norm",
        "clips": 9, "positives": 5, "negatives": 4, "groups": 9, "folds": 5, "labels_query": "SELECT 1",
        "labels_hash": "l", "created_at": datetime(2026, 1, 1),  # noqa: DTZ001
    }  # fmt: skip
    return VectorRow(**known)


@pytest.mark.parametrize(("kind", "oblique"), [("ablate", True), ("add", False), ("interpolate", False)])
def test_a_leace_direction_is_erased_by_what_it_reads_and_added_like_any_other(
    leace: VectorRow, kind: Kind, oblique: bool
) -> None:
    edit = edit_of(EditSpec("resid", 3, "abc", 0.5, kind=kind), leace)
    assert edit.oblique == oblique
    assert edit.reader_offset == (2.5 if oblique else 0.0)
    assert not edit_of(EditSpec("resid", 3, "abc", 0.5, kind=kind), replace(leace, method="diffmean")).oblique


def test_a_leace_direction_without_its_eraser_is_fitted_again(leace: VectorRow) -> None:
    with pytest.raises(InvalidInput, match="fit it again"):
        edit_of(EditSpec("resid", 3, "abc", 1.0, kind="ablate"), replace(leace, reader=None))
    edit_of(EditSpec("resid", 3, "abc", 0.5), replace(leace, reader=None))


@pytest.mark.parametrize("form", ["safetensors", "npy"])
def test_a_file_keeps_the_eraser_and_one_that_was_changed_is_refused(
    leace: VectorRow, tmp_path: Path, form: FileForm
) -> None:
    directions, described = read_file(write_series(tmp_path, [leace], form))
    assert described is not None
    (row,) = imported_rows(described, directions)
    expected = leace
    assert np.asarray(row.reader, np.float32).tolist() == READER.tolist()
    assert np.asarray(row.vector).tolist() == UNIT.tolist()
    assert replace(row, vector=expected.vector, reader=expected.reader) == expected
    for wrong in ([1.0, 0.5], [2.0, 1.0, 7.0], [float("nan"), 0.5, 7.0]):
        with pytest.raises(InvalidInput, match="The reader of direction abc does not fit it"):
            imported_rows([described[0] | {"reader": wrong}], directions)


def test_an_edit_takes_over_all_that_its_specification_says(leace: VectorRow) -> None:
    manner: dict[str, Any] = {
        "site": "attn",
        "layer": 2,
        "kind": "add",
        "scaling": "unit",
        "schedule": parse_schedule("every:3"),
        "weight": 0.5,
        "foreign": True,
        "away": True,
        "monitor": Monitor(1.0, 0.0, 1.0, 0.8),
        "head": 1,
    }
    assert manner.keys() == set(MANNER)
    usual = EditSpec("resid", 3, "abc", -0.7, away=True)
    assert not [name for name in MANNER if name != "away" and getattr(usual, name) == manner[name]]
    edit = edit_of(EditSpec(**manner, vector_id="abc", alpha=-0.7), leace)
    assert {name: getattr(edit, name) for name in MANNER} == manner
    assert edit.alpha == -0.7
