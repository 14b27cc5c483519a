"""Metrics of a setting against sums written out, on scores that nobody had to listen for."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.effects.effects import effects_of
from analysis.effects.metrics import Metric, metrics_of
from analysis.effects.pooled import pooled_damage
from analysis.effects.scores import Scores
from analysis.effects.settings import Pair, Role, Setting
from analysis.effects.trials import Design, Ids

PAIR = Pair("style", "rock", ("jazz",))
SETTING = Setting(
    PAIR, "diffmean", "resid", (3,), 0.5, "interpolate", "norm", "constant", "none", "conditional"
)
ROLES: tuple[Role, ...] = ("unsteered", "prompt", "steered", "random")
PROMPTS, STATES = 4, 5


def ids_of(role: Role, pair: str = "") -> Ids:
    return np.array([[f"{pair}{role}-{p}-{s}" for s in range(STATES)] for p in range(PROMPTS)], dtype=object)


def design(pair: Pair = PAIR) -> Design:
    setting = replace(SETTING, pair=pair)
    ids = {
        (role, setting if role in ("steered", "random") else None): ids_of(role, pair.target)
        for role in ROLES
    }
    splits = np.full((PROMPTS, STATES), "selection", dtype=object)
    splits[::2] = "evaluation"
    return Design(pair, tuple((text, "") for text in "abcd"), tuple(range(STATES)), splits, ids)


@pytest.fixture
def scores() -> Scores:
    """Probabilities, a descriptor, similarities and embeddings of every generation of the pair."""
    names = [one for role in ROLES for one in ids_of(role, "jazz").ravel()]
    random = np.random.default_rng(0)
    jazz = random.uniform(size=len(names))
    steered = np.array([name.startswith("jazzsteered") for name in names])
    numbers = {
        ("judge", "style", "jazz", "probability"): jazz,
        ("judge", "style", "rock", "probability"): 1 - jazz,
        ("descriptors", "", "", "tempo_bpm"): 100 + 20 * steered,
        ("descriptors", "", "", "pitch_class"): (11 + 3 * steered) % 12,
        ("clap", "style", "jazz", "cosine"): jazz / 2,
    }
    similar = {
        (one, other): {"chroma": 0.8}
        for one, other in zip(
            ids_of("steered", "jazz").ravel(), ids_of("unsteered", "jazz").ravel(), strict=True
        )
    }
    embeddings = random.standard_normal((len(names), 6)) + 3.0 * steered[:, np.newaxis]
    places = {name: place for place, name in enumerate(names)}
    return Scores(places, numbers, similar, embeddings, {"judge": "judge 1"})


def named(scores: Scores, name: str, scorer: str = "judge", **measured: Any) -> Metric:
    (found,) = [
        metric
        for metric in metrics_of(PAIR, scores)
        if (metric.name, metric.scorer) == (name, scorer)
        and all(getattr(metric, key) == value for key, value in measured.items())
    ]
    return found


def test_transfer_retention_and_fusion_are_what_they_say(scores: Scores) -> None:
    steered, twins = ids_of("steered", "jazz"), ids_of("unsteered", "jazz")
    jazz = scores.numbers["judge", "style", "jazz", "probability"]
    after, before = (np.array([jazz[scores.places[one]] for one in ids.ravel()]) for ids in (steered, twins))
    transfer = named(scores, "transfer").estimate(steered, twins)
    assert transfer.value == pytest.approx((after - before).mean())
    assert transfer.low < transfer.value < transfer.high
    retention = named(scores, "retention").estimate(steered, twins)
    assert retention.value == pytest.approx((1 - after).sum() / (1 - before).sum())
    fusion = named(scores, "fusion").estimate(steered, twins)
    assert fusion.value == pytest.approx(np.mean(2 * after * (1 - after)))
    change = named(scores, "change", measured_class="rock").estimate(steered, twins)
    assert change.value == pytest.approx(-transfer.value)
    alignment = named(scores, "alignment", "clap").estimate(steered, twins)
    assert alignment.value == pytest.approx(transfer.value / 2)


def test_the_twin_itself_has_changed_nothing(scores: Scores) -> None:
    twins = ids_of("unsteered", "jazz")
    values = {metric.name: metric.estimate(twins, twins).value for metric in metrics_of(PAIR, scores)}
    assert values["transfer"] == 0.0
    assert values["retention"] == 1.0
    assert values["change"] == 0.0
    assert values["kad"] == pytest.approx(0.0, abs=1e-9)


def test_a_descriptor_is_its_change_and_a_similarity_is_that_to_the_twin(scores: Scores) -> None:
    steered, twins = ids_of("steered", "jazz"), ids_of("unsteered", "jazz")
    tempo = named(scores, "change", "descriptors", measured_class="tempo_bpm").estimate(steered, twins)
    assert (tempo.value, tempo.low, tempo.high) == (20.0, 20.0, 20.0)
    pitch = named(scores, "change", "descriptors", measured_class="pitch_class").estimate(steered, twins)
    assert pitch.value == 3.0, "from B to D"
    assert named(scores, "similarity", "chroma").estimate(steered, twins).value == pytest.approx(0.8)
    assert named(scores, "similarity", "chroma").estimate(twins, twins).value == 1.0


def test_damage_tells_a_shift_from_chance(scores: Scores) -> None:
    twins = ids_of("unsteered", "jazz")
    kad = named(scores, "kad", "clap")
    damaged, control = (kad.estimate(ids_of(role, "jazz"), twins) for role in ("steered", "random"))
    assert damaged.low > 10
    assert control.low < 0 < damaged.value
    (pooled,) = pooled_damage([design()], scores)
    assert pooled.sounds == PROMPTS * STATES
    assert pooled.random is not None
    assert pooled.steered.value > 5 * pooled.random.value


def test_damage_beyond_random_directions_is_the_difference_of_the_two_with_an_interval(
    scores: Scores,
) -> None:
    told = effects_of(design(), scores, ()).effects
    (damage,) = [one for one in told if (one.split, one.metric) == ("all", "kad")]
    over = damage.over["random"]
    assert over.value == pytest.approx(damage.value.value - damage.control("random").value)
    assert 0 < over.low < over.value < over.high
    assert (damage.prompts, damage.random_states, damage.missing) == (PROMPTS, STATES, 0)


def test_splits_share_no_trial_and_miss_none() -> None:
    splits = [design().of("steered", SETTING, part) for part in ("selection", "evaluation")]
    cells = [set(split.ravel()) for split in splits if split is not None]
    assert cells[0] & cells[1] == set()
    assert cells[0] | cells[1] == set(ids_of("steered", "jazz").ravel())


def test_fusion_of_two_targets_is_between_them(scores: Scores) -> None:
    numbers = dict(scores.numbers)
    numbers["judge", "style", "pop", "probability"] = numbers["judge", "style", "jazz", "probability"]
    both = Pair("style", "rock", ("jazz", "pop"))
    more = replace(scores, numbers=numbers)
    (fusion,) = [metric for metric in metrics_of(both, more) if metric.name == "fusion"]
    steered, twins = ids_of("steered", "jazz"), ids_of("unsteered", "jazz")
    assert fusion.estimate(steered, twins).value == pytest.approx(0.5)
