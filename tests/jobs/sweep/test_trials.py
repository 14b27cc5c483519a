"""Generations of a sweep before anything is fitted or made: strengths, prompts and splits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.effects.trials import Trial
from jobs.generate.specification import AudioPrompt, GenerationSpec
from jobs.sweep.configuration import parse_sweep
from jobs.sweep.directions import SweepDirections
from jobs.sweep.expansion import ExpandedSweep, PromptSound
from jobs.sweep.grid import expand, read_pairs, setting_id_of
from jobs.sweep.trials import (
    SweepPlan,
    WantedStrengths,
    count_random_directions,
    plan_trials,
    wanted_strengths,
)
from store.errors import NotFound
from store.results.parts import digest_of

CLASSES = ("jazz", "rock")
BASE = GenerationSpec("toy", "model", "codec", seconds=4.0)
SOUNDS = {
    name: PromptSound(AudioPrompt(2.0, sha256=name), np.zeros(10, np.float32)) for name in ("a.wav", "b.wav")
}


def expanded(
    *,
    concept: dict[str, Any] | None = None,
    random_states: Sequence[int] = (0, 1),
    controls: dict[str, Any] | None = None,
    **grid: Any,
) -> ExpandedSweep:
    sweep = parse_sweep(
        {
            "name": "x",
            "cap_auto": True,
            "random_states": list(random_states),
            "concepts": [{"name": "style", "pairs": ["rock:jazz"], "texts": ["{class}"], **(concept or {})}],
            "grid": {"layers": [[2, 3]], **grid},
            "controls": controls or {},
        }
    )
    pairs = read_pairs("style", sweep.concepts[0].pairs, CLASSES)
    settings = tuple(expand(sweep.grid, pairs, {"resid": range(8)}))
    return ExpandedSweep(sweep, "run", "songs", {}, "toy", {}, settings, SOUNDS, BASE)


NONE_FITTED = SweepDirections({}, {})


def planned(
    *,
    strengths: Mapping[str, tuple[float, ...]] | None = None,
    directions: SweepDirections = NONE_FITTED,
    **values: Any,
) -> SweepPlan:
    return plan_trials(expanded(**values), directions, strengths or {}, draft=True)


def wanted(**values: Any) -> tuple[WantedStrengths, ...]:
    return wanted_strengths(expanded(**values), NONE_FITTED, draft=True)


def test_a_negative_strength_steers_away_and_says_so() -> None:
    plan = planned(alphas=[-0.5, 0.5], away=True)
    edits = {(edit.alpha, edit.away) for spec in plan.specs.values() for edit in spec.edits}
    assert edits == {(-0.5, True), (0.5, False)}


def test_automatic_strengths_are_wanted_once_per_condition_and_used_by_steered_and_control_alike() -> None:
    asked = wanted(alphas=["auto", 0.5])
    assert len(asked) == 2
    assert {one.unsteered.random_state for one in asked} == {0, 1}
    assert {one.cap_text for one in asked} == {"jazz"}
    assert all(one.unsteered.edits == () for one in asked)
    found = {one.strength_id: (0.1 + one.unsteered.random_state, 0.7) for one in asked}
    plan = planned(alphas=["auto", 0.5], strengths=found)
    for trial in automatic(plan):
        strengths = tuple(edit.alpha for edit in plan.specs[trial.generation_id].edits)
        assert strengths == (0.1 + trial.condition.random_state, 0.7)
    assert {trial.role for trial in automatic(plan)} == {"steered", "random"}
    draft = planned(alphas=["auto", 0.5])
    fixed, known = ({one.generation_id for one in each.trials} for each in (draft, plan))
    assert fixed - known == {one.generation_id for one in automatic(draft)}


def automatic(plan: SweepPlan) -> list[Trial]:
    return [one for one in plan.trials if one.setting is not None and one.setting.automatic]


def test_what_is_missing_is_an_error_unless_it_is_a_draft() -> None:
    with pytest.raises(NotFound, match="no direction rock → jazz by diffmean at resid of layer 2"):
        plan_trials(expanded(), NONE_FITTED, {})
    with pytest.raises(NotFound, match="no direction rock → jazz"):
        wanted_strengths(expanded(alphas=["auto"]), NONE_FITTED)


def test_planning_twice_makes_the_same_plan_and_leaves_nothing_behind() -> None:
    sweep = expanded(alphas=["auto", 0.5])
    first, second = (plan_trials(sweep, NONE_FITTED, {}, draft=True) for _ in range(2))
    assert first.trials == second.trials
    assert (first.plan_id, list(first.specs)) == (second.plan_id, list(second.specs))


def test_strengths_have_ids_of_what_they_are_found_on() -> None:
    first, second = wanted(alphas=["auto"])
    assert first.strength_id != second.strength_id
    assert first.strength_id != replace(first, cap_text=None).strength_id
    louder = tuple(replace(edit, alpha=0.9) for edit in first.edits)
    assert first.strength_id == replace(first, edits=louder).strength_id


def test_every_text_follows_every_recording_of_the_source_and_recordings_alternate_between_splits() -> None:
    audio = {"rock": ["a.wav", "b.wav"], "jazz": ["never"]}
    plan = planned(concept={"texts": ["", "slow {class}"], "audio": audio})
    conditions = [trial.condition for trial in plan.trials if trial.role == "unsteered"]
    assert {one.prompt for one in conditions} == {
        ("", "a.wav"), ("", "b.wav"), ("slow {class}", "a.wav"), ("slow {class}", "b.wav")
    }  # fmt: skip
    assert {spec.seconds for spec in plan.specs.values()} == {6.0}
    splits = {
        split: {one.prompt for one in conditions if one.split == split}
        for split in ("selection", "evaluation")
    }
    recordings = {split: {audio for _, audio in prompts} for split, prompts in splits.items()}
    assert sorted(map(len, recordings.values())) == [1, 1]
    assert not recordings["selection"] & recordings["evaluation"], "a recording would be its own witness"
    assert {text for text, _ in splits["selection"]} == {text for text, _ in splits["evaluation"]}
    asked = {plan.specs[one.generation_id].text for one in plan.trials if one.role == "prompt"}
    assert asked == {"jazz music", "slow jazz"}
    assert all(spec.audio_prompt is not None for spec in plan.specs.values())


def test_texts_that_name_no_class_have_no_control_that_asks_for_the_target() -> None:
    for text, roles in (
        ("slow music", {"unsteered", "steered", "random"}),
        ("slow {class}", {"unsteered", "prompt", "steered", "random"}),
    ):
        trials = planned(concept={"texts": [text]}, alphas=[0.5]).trials
        assert {trial.role for trial in trials} == roles
        asked = {trial.generation_id for trial in trials if trial.role == "prompt"}
        assert not asked & {trial.generation_id for trial in trials if trial.role == "unsteered"}


def random_directions_used(prompts: int, states: int) -> dict[tuple[str, int], set[str]]:
    """Vector ids by prompt and random state, of sixteen directions and two strengths."""
    drawn: Any = [SimpleNamespace(vector_id=f"random {number}") for number in range(16)]
    places = [("style", "rock", "jazz", "random", "resid", layer) for layer in (2, 3)]
    plan = planned(
        alphas=[0.3, 0.5],
        concept={"texts": [f"{{class}} {number}" for number in range(prompts)]},
        directions=SweepDirections({}, dict.fromkeys(places, drawn)),
        random_states=range(states),
    )
    used: dict[tuple[str, int], set[str]] = {}
    for trial in plan.trials:
        if trial.role == "random":
            ids = {edit.vector_id for edit in plan.specs[trial.generation_id].edits}
            used.setdefault((trial.condition.template, trial.condition.random_state), set()).update(ids)
    return used


def test_each_condition_has_a_random_direction_of_its_own_the_same_for_all_strengths_and_layers() -> None:
    used = random_directions_used(prompts=8, states=2)
    assert {len(ids) for ids in used.values()} == {1}
    assert len(set.union(*used.values())) == len(used) == 16


def test_many_conditions_share_sixteen_random_directions_evenly() -> None:
    used = random_directions_used(prompts=4, states=8)
    counts = Counter(name for ids in used.values() for name in ids)
    assert set(counts.values()) == {2}
    assert len(counts) == 16
    for prompt in {template for template, _ in used}:
        assert len({next(iter(ids)) for (template, _), ids in used.items() if template == prompt}) == 8
    counted = count_random_directions(
        expanded(concept={"texts": [f"{{class}} {number}" for number in range(4)]}, random_states=range(8))
    )
    assert counted == {"style": 16}


def test_texts_alternate_where_all_continue_one_recording_and_states_where_there_is_one_text() -> None:
    audio = {"rock": ["a.wav"], "jazz": ["never"]}
    trials = planned(concept={"texts": ["", "slow {class}"], "audio": audio}).trials
    splits = {trial.condition.template: trial.condition.split for trial in trials}
    assert sorted(splits.values()) == ["evaluation", "selection"]
    assert all(trial.condition.split == splits[trial.condition.template] for trial in trials)
    trials = planned(concept={"texts": [""], "audio": audio}).trials
    assert {one.condition.random_state: one.condition.split for one in trials} == {
        0: "selection",
        1: "evaluation",
    }


def test_splits_do_not_follow_the_order_of_words() -> None:
    texts = [f"{tempo} {{class}}" for tempo in "abcdefgh"]
    trials = planned(concept={"texts": texts}, alphas=[0.5]).trials
    splits = {trial.condition.template: trial.condition.split for trial in trials}
    assert list(splits.values()).count("selection") == 4
    alternating = {text: ("selection", "evaluation")[place % 2] for place, text in enumerate(sorted(texts))}
    assert {text: splits[text] for text in texts} != alternating
    shuffled = planned(concept={"texts": texts[::-1]}, alphas=[0.5]).trials
    assert {trial.condition.template: trial.condition.split for trial in shuffled} == splits


def test_ids_of_settings_strengths_and_plans_are_those_of_stores_that_are_there() -> None:
    """Others would make a stored sweep anew: of these hashes of plain values, none may change."""
    sweep = expanded(
        concept={
            "pairs": ["rock:jazz", "jazz:rock"],
            "texts": ["{class}", "slow {class}"],
            "audio": {"rock": ["a.wav", "b.wav"]},
        },
        controls={"text": "{class} music"},
        layers=[[2, 3], 4],
        alphas=["auto", -0.5, 0.5],
        away=True,
        monitors=["none", "0.8:0.01"],
        rows=["conditional", "both"],
    )
    plan = plan_trials(sweep, NONE_FITTED, {}, draft=True)
    strengths = wanted_strengths(sweep, NONE_FITTED, draft=True)
    assert (setting_id_of(sweep.settings[0]), setting_id_of(sweep.settings[-1])) == (
        "1be10b8b104e0abc", "641b9735de334d20",
    )  # fmt: skip
    assert (sweep.sweep_id, plan.plan_id) == ("b22ffb60a1d7e20b", "616c0935808c6a41")
    assert digest_of(sorted(one.strength_id for one in strengths)) == "b1462b06db73a148"
    assert (len(plan.trials), len(plan.specs), len(strengths)) == (888, 888, 96)
