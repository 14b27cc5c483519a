"""From recordings to a steered effect: a direction that was planted into a model is found, and steers."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.effects.metrics import transfer_score
from analysis.effects.paired_intervals import Estimate, crossed_interval, linearised
from analysis.effects.settings import Role, Setting
from analysis.effects.trials import Design, designs_of
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.execution import FitExecution
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from jobs.generate.requests import request_of
from jobs.sweep.configuration import parse_sweep
from jobs.sweep.directions import find_directions, fit_missing_directions
from jobs.sweep.expansion import expand_sweep, only_run
from jobs.sweep.trials import SweepPlan, count_random_directions, plan_trials
from store import open_store

LAYER = 2
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(planted_model: Path, sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store whose run holds the planted model's residual stream on labelled recordings."""
    url = str(tmp_path_factory.mktemp("stores") / "music.store")
    add_dataset(AddRequest(url, "sounds", str(sounds), clip_seconds=1.0))
    options = ExtractOptions(
        url, "sounds", model=str(planted_model), sites="resid", layers=str(LAYER), engine="inline"
    )
    assert run_extraction(options)["complete"]
    return url


@pytest.fixture(scope="module")
def plan(store: str, planted_model: Path) -> SweepPlan:
    configuration = parse_sweep(
        {
            "name": "planted",
            "seconds": 0.5,
            "random_states": [0, 1, 2, 3],
            "concepts": [{"name": "label", "pairs": ["hum:hiss"], "texts": ["{class}", "slow {class}"]}],
            "grid": {"methods": ["mse", "diffmean"], "layers": [LAYER], "alphas": [0.0, 1.0]},
            "sampling": {"guidance": 1.0},
            "controls": {"prompt": False},
        }
    )
    opened = open_store(store)
    expanded = expand_sweep(opened, configuration, only_run(opened, ""), model=str(planted_model))
    fit_missing_directions(opened, expanded, FitExecution(engine="inline"), count_random_directions(expanded))
    return plan_trials(expanded, find_directions(opened, expanded), {})


@pytest.fixture(scope="module")
def shares(plan: SweepPlan, tokens: tuple[NDArray[np.int64], ...]) -> dict[str, float]:
    """By generation: how many of its tokens in the first codebook are those read off the direction."""
    from pipelines.generation.generate import generate
    from pipelines.models.musicgen import load_musicgen

    specs = plan.specs
    vectors = plan.directions.vectors()
    made = generate(
        load_musicgen(plan.expanded.model_name), [request_of(spec, vectors) for spec in specs.values()]
    )
    return {
        one: float(np.isin(generated.codes[0], tokens[1]).mean())
        for one, generated in zip(specs, made, strict=True)
    }


def effect(design: Design, setting: Setting, role: Role, shares: dict[str, float]) -> Estimate:
    """Share of the tokens minus that of the unsteered twins, with its interval."""
    tables = [design.of(role, setting, "all"), design.of("unsteered", None, "all")]
    values = [np.vectorize(shares.__getitem__)(ids) for ids in tables]
    known = np.ones(values[0].shape, dtype=bool)
    return crossed_interval(linearised(np.stack(values), transfer_score, known))


def settings_with(plan: SweepPlan, alpha: float) -> list[tuple[Design, Setting]]:
    (design,) = designs_of(plan.trials)
    return [(design, setting) for setting in design.settings if setting.alpha == alpha]


def test_probe_and_mean_difference_find_the_direction_in_the_activations(
    plan: SweepPlan, planted_direction: NDArray[np.float64]
) -> None:
    found = {one.method: one.vector @ planted_direction for one in plan.directions.fitted.values()}
    assert found["diffmean"] > 0.8
    assert found["mse"] > 0.8
    controls = [one.vector for drawn in plan.directions.random.values() for one in drawn]
    assert len(controls) == 8, "one for each prompt and random state"
    assert max(abs(one @ planted_direction) for one in controls) < 0.4  # 4.5 deviations of 1/sqrt(128)


def test_steering_along_it_makes_its_tokens_and_random_directions_do_not(
    plan: SweepPlan, shares: dict[str, float]
) -> None:
    for design, setting in settings_with(plan, 1.0):
        steered = effect(design, setting, "steered", shares)
        control = effect(design, setting, "random", shares)
        assert steered.low > 0.2, setting.method
        assert control.high < steered.low


def test_without_the_steering_step_nothing_happens(plan: SweepPlan, shares: dict[str, float]) -> None:
    for design, setting in settings_with(plan, 0.0):
        found = effect(design, setting, "steered", shares)
        # Twins are other rows of a batch, which may be rounded otherwise, and then decide a tie of tokens so.
        assert max(abs(found.value), abs(found.low), abs(found.high)) < 0.05, setting.method
