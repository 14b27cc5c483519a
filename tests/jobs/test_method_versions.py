"""What ids hold of methods, and what a store keeps of results from before methods had versions."""

from typing import get_args

from jobs.directions.fitting import code_of
from jobs.kmeans import work
from jobs.method_versions import FIRST_VERSIONS, Kind, methods_id
from jobs.probe.kept_factors import factors_key


def test_first_versions_stand_in_ids_as_the_hashes_that_stores_hold() -> None:
    assert set(FIRST_VERSIONS) == set(get_args(Kind))
    assert code_of("diffmean") == "19f4fff1bae81a2c"
    assert code_of("mse:0.1", "text_directions") == "38a22a26971e7ba9"
    assert work._methods() == "8f485324998fef0e"
    assert factors_key("moments/a/resid.npy") == "moments/a/resid.factors-1375c02a.npy"


def test_a_raised_version_makes_another_id_of_its_method_alone() -> None:
    assert methods_id("probes", ridge=2, scores=1) == "probes ridge:2"
    assert methods_id("probes", logistic=1, scores=1) == FIRST_VERSIONS["probes"]
    assert methods_id("probes", ridge=2, scores=3) == "probes ridge:2 scores:3"


def test_a_method_that_is_told_apart_later_changes_no_id() -> None:
    assert methods_id("probes", ridge=2, scores=1, intervals=1) == methods_id("probes", ridge=2, scores=1)
