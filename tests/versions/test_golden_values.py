"""What each version of a method computes of small fixed inputs: its numbers change with its version alone.

An id holds versions, not the source of what computed a result. So these values are what notices a change: a
docstring moves none of them, another formula does. `UNDERTONE_RENEW_VALUES=1 pytest tests/versions` writes
the values of methods whose version was raised (and of new ones), and of no others.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from analysis.clustering.scaling_kinds import SCALINGS
from analysis.concepts import LOSSES
from analysis.directions.fitting import METHODS
from jobs.method_versions import Kind
from pipelines.scorers.features import FEATURE_KINDS
from tests.versions.methods import VERSIONED, Versioned

FOLDER = Path(__file__).parent / "values"
DIGITS = 12
RENEWING = "UNDERTONE_RENEW_VALUES"
RENEW = f"{RENEWING}=1 pytest tests/versions"

every_method = pytest.mark.parametrize("method", VERSIONED.values(), ids=list(VERSIONED))


@every_method
def test_a_method_computes_what_its_version_says(method: Versioned) -> None:
    """Within what rounding may do, see the next test."""
    found = flat(method.compute(0.0))
    if os.environ.get(RENEWING):
        renew(method, found)
    known = stored(method)
    assert method.versions == known["versions"], (
        f"{method.name} is of {method.versions}, its values are of {known['versions']}: renew them ({RENEW})."
    )
    changed = differences(found, known["values"], method.tolerance)
    assert not changed, (
        f"{method.name} computes other numbers than before. If you meant to change results, raise VERSION "
        f"({' or '.join(method.versions)}) and renew these values ({RENEW}); what stores hold is "
        f"then computed again. If not, this is a mistake: {'; '.join(changed[:5])}."
    )


@every_method
def test_rounding_is_far_from_what_is_tolerated(method: Versioned) -> None:
    """Inputs moved by hundreds of rounding errors move no result by more, so no processor's own do."""
    moved = differences(flat(method.compute(method.nudge)), stored(method)["values"], method.tolerance)
    assert not moved, "; ".join(moved)


def test_every_method_that_results_are_stored_of_has_values() -> None:
    losses, estimators = {f"probe {loss}" for loss in LOSSES}, {f"direction {one}" for one in METHODS}
    scalings, features = {f"k-means {one}" for one in SCALINGS}, {f"features {one}" for one in FEATURE_KINDS}
    assert losses | estimators | scalings | features <= set(VERSIONED)
    assert {kind for one in VERSIONED.values() for kind in one.kinds} == set(get_args(Kind))


def test_values_of_no_method_are_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {file_name(one) for one in VERSIONED.values()}


def test_another_number_is_noticed_and_rounding_is_not() -> None:
    known = {"score": 0.5, "vector": [1.0, -2.0], "verdict": "better than both"}
    assert differences(known | {"score": 0.5 + 1e-9}, known, 1e-8) == []
    turned = differences(known | {"vector": [1.0, -2.1]}, known, 1e-8)
    assert turned == ["vector is [1.0, -2.1], was [1.0, -2.0]"]
    assert differences(known | {"verdict": "no"}, known, 1e-8) == ["verdict is no, was better than both"]
    assert differences({"score": 0.5}, known, 1e-8) == ["vector is missing", "verdict is missing"]
    assert differences(known | {"more": 1.0}, known, 1e-8) == ["more is new"]


def flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays as lists of few digits, so that they can stand in a file."""
    return {name: value if isinstance(value, str) else rounded(value) for name, value in found.items()}


def rounded(value: Any) -> Any:
    numbers = np.asarray(value, np.float64)
    digits = [float(f"{number:.{DIGITS}g}") for number in numbers.ravel()]
    return digits if numbers.ndim else digits[0]


def differences(found: Mapping[str, Any], known: Mapping[str, Any], tolerance: float) -> list[str]:
    """What is not the same, in words; numbers are compared beside the largest of their name."""
    said = [f"{name} is missing" for name in known if name not in found]
    said += [f"{name} is new" for name in found if name not in known]
    for name in (name for name in known if name in found):
        if not alike(found[name], known[name], tolerance):
            said.append(f"{name} is {found[name]}, was {known[name]}")
    return said


def alike(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    values, known = np.asarray(one), np.asarray(other)
    if values.shape != known.shape:
        return False
    largest = float(np.nanmax(np.abs(known), initial=0.0, where=np.isfinite(known)))
    return bool(np.allclose(values, known, rtol=0.0, atol=tolerance * (largest or 1.0), equal_nan=True))


def stored(method: Versioned) -> dict[str, Any]:
    path = FOLDER / f"{file_name(method)}.json"
    assert path.exists(), f"{method.name} has no values yet: {RENEW}."
    known: dict[str, Any] = json.loads(path.read_text())
    return known


def file_name(method: Versioned) -> str:
    return method.name.replace(" ", "-")


def renew(method: Versioned, found: Mapping[str, Any]) -> None:
    path = FOLDER / f"{file_name(method)}.json"
    before = json.loads(path.read_text())["versions"] if path.exists() else {}
    if any(version > before.get(place, 0) for place, version in method.versions.items()):
        document = {"method": method.name, "versions": dict(method.versions), "values": dict(found)}
        path.write_text(json.dumps(document, indent=1) + "\n")
