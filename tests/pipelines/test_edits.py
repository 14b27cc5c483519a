"""What an edit refuses before it could do harm."""

import math
from typing import Any

import numpy as np
import pytest

from pipelines.steering.edits import Edit, Monitor, Origin, Steering, check_edit
from store.errors import InvalidInput
from store.records import ModelInfo

MODEL = ModelInfo(
    "tiny", "aaaa", "cccc", 4, 8, 4, 256, 25.0, 16_000, random_weights=True, delays=(0, 1, 2, 3)
)
VECTOR = np.arange(1.0, 9.0)


def edit(**changes: Any) -> Edit:
    options: dict[str, Any] = {"site": "resid", "layer": 2, "vector": VECTOR, "alpha": 0.5}
    return Edit(**options | changes)


def test_only_the_direction_of_a_vector_counts() -> None:
    assert np.allclose(edit(vector=VECTOR * 1e-6).vector, VECTOR / np.linalg.norm(VECTOR))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": math.nan}, "not a finite number"),
        ({"alpha": math.inf}, "not a finite number"),
        ({"alpha": 0.5, "weight": math.nan}, "not a finite number"),
        ({"alpha": -0.5}, "steers away"),
        ({"alpha": -1.0, "away": True}, "no value there"),
        ({"alpha": 1.5, "kind": "ablate"}, "removes at most everything"),
        ({"site": "resid.mean"}, "no name of a site"),
        ({"kind": "multiply"}, "no kind of edit"),
        ({"scaling": "paper"}, "no scaling"),
        ({"vector": np.zeros(8)}, "not all zero"),
        ({"vector": np.full(8, np.nan)}, "finite"),
        ({"vector": VECTOR[None]}, "shape"),
    ],
)
def test_an_impossible_edit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        edit(**changes)


READS_ONE = VECTOR / np.linalg.norm(VECTOR)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reader": READS_ONE, "kind": "add"}, "belongs to the kind of edit 'ablate'"),
        ({"reader": 2 * READS_ONE, "kind": "ablate"}, "reads 1 of it"),
        ({"reader": np.ones(9), "kind": "ablate"}, "shape of its vector"),
        ({"reader": READS_ONE, "reader_offset": math.nan, "kind": "ablate"}, "Fit it again"),
    ],
)
def test_a_reader_that_does_not_fit_its_direction_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        edit(**changes)
    assert edit(reader=READS_ONE, kind="ablate").oblique
    assert not edit(kind="ablate").oblique


def test_steering_away_is_possible_where_it_is_said() -> None:
    assert edit(alpha=-0.5, away=True).alpha == -0.5


@pytest.mark.parametrize(
    "origin", [Origin("bbbb", "resid", 2), Origin("aaaa", "attn", 2), Origin("aaaa", "resid", 1)]
)
def test_a_direction_from_elsewhere_is_refused_unless_told_explicitly(origin: Origin) -> None:
    with pytest.raises(InvalidInput, match="found"):
        check_edit(edit(origin=origin), MODEL)
    check_edit(edit(origin=origin, foreign=True), MODEL)


def test_a_direction_in_its_own_place_is_accepted() -> None:
    check_edit(edit(origin=Origin("aaaa", "resid", 2)), MODEL)


@pytest.mark.parametrize("foreign", [False, True])
def test_a_vector_of_another_width_never_fits(foreign: bool) -> None:
    with pytest.raises(InvalidInput, match="does not fit"):
        check_edit(edit(vector=np.ones(9), foreign=foreign), MODEL)


def test_a_site_that_the_model_lacks_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(InvalidInput, match="has no site 'head'; it has embed, resid, attn, xattn, mlp"):
        check_edit(edit(site="head"), MODEL)


@pytest.mark.parametrize("place", [("resid", 4), ("resid", -1), ("embed", 1)])
def test_a_place_that_the_model_lacks_is_refused(place: tuple[str, int]) -> None:
    with pytest.raises(InvalidInput, match="layer"):
        check_edit(edit(site=place[0], layer=place[1]), MODEL)


def test_a_melody_model_has_no_cross_attention_to_steer() -> None:
    info = ModelInfo(
        "melody", "a", "c", 4, 8, 4, 256, 25.0, 16_000, random_weights=True, cross_attention=False
    )
    with pytest.raises(InvalidInput, match="has no site 'xattn'; it has embed, resid, attn, mlp"):
        check_edit(edit(site="xattn"), info)


def test_rows_are_conditional_or_both() -> None:
    rows: Any = "unconditional"
    with pytest.raises(InvalidInput, match="conditional, both"):
        Steering(rows=rows)


@pytest.mark.parametrize(
    "numbers", [(1, 0, 0, 0.5, 0), (math.nan, 0, 1, 0.5, 0), (1, 0, 1, 0.0, 0), (1, 0, 1, 0.5, 2)]
)
def test_a_monitor_needs_real_statistics_and_a_probability(
    numbers: tuple[float, float, float, float, float],
) -> None:
    with pytest.raises(InvalidInput):
        Monitor(*numbers)
