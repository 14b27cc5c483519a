"""Generations of a sweep before anything is fitted or made: strengths, prompts and halves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from jobs.generation.specification import AudioPrompt, GenerationSpec
from jobs.sweeping.audio_prompts import PromptSound
from jobs.sweeping.configuration import parse_sweep
from jobs.sweeping.directions import SweepDirections
from jobs.sweeping.members import Ingredients, Member, members_of
from jobs.sweeping.settings import Setting, expand, read_pairs

CLASSES = ("jazz", "rock")
BASE = GenerationSpec("toy", "model", "codec", seconds=4.0)
SOUNDS = {
    name: PromptSound(AudioPrompt(2.0, sha256=name), np.zeros(10, np.float32)) for name in ("a.wav", "b.wav")
}


def planned(
    *,
    concept: dict[str, Any] | None = None,
    strengths: dict[str, tuple[float, ...]] | None = None,
    directions: SweepDirections | None = None,
    random_states: Sequence[int] = (0, 1),
    **grid: Any,
) -> tuple[list[Setting], tuple[Member, ...], Any]:
    sweep = parse_sweep(
        {
            "name": "x",
            "cap_auto": True,
            "random_states": list(random_states),
            "concepts": [{"name": "style", "pairs": ["rock:jazz"], "texts": ["{class}"], **(concept or {})}],
            "grid": {"layers": [[2, 3]], **grid},
        }
    )
    settings = expand(sweep.grid, read_pairs(sweep.concepts[0], CLASSES), {"resid": range(8)})
    given = Ingredients(
        sweep, BASE, directions or SweepDirections({}, {}), SOUNDS, strengths or {}, fitted=False
    )
    return settings, *members_of(settings, given)


def test_a_negative_strength_steers_away_and_says_so() -> None:
    _, members, _ = planned(alphas=[-0.5, 0.5], away=True)
    edits = {(e.alpha, e.away) for m in members for e in m.spec.edits}
    assert edits == {(-0.5, True), (0.5, False)}


def test_automatic_strengths_are_wanted_once_per_cell_and_used_by_steered_and_control_alike() -> None:
    _, unknown, wanted = planned(alphas=["auto", 0.5])
    assert len(wanted) == 2
    assert {one.unsteered.random_state for one in wanted} == {0, 1}
    assert {one.cap_text for one in wanted} == {"jazz"}
    assert all(one.unsteered.edits == () for one in wanted)
    found: dict[str, tuple[float, ...]] = {
        one.strength_id: (0.1 + one.unsteered.random_state, 0.7) for one in wanted
    }
    _, members, still = planned(alphas=["auto", 0.5], strengths=found)
    assert still == ()
    for member in members:
        if member.setting is not None and member.setting.automatic:
            strengths = tuple(edit.alpha for edit in member.spec.edits)
            assert strengths == (0.1 + member.cell.random_state, 0.7)
    fixed = [
        {m.generation_id for m in every if m.setting and not m.setting.automatic}
        for every in (unknown, members)
    ]
    assert fixed[0] == fixed[1]


def test_strengths_have_ids_of_what_they_are_found_on() -> None:
    _, _, (first, second) = planned(alphas=["auto"])
    assert first.strength_id != second.strength_id
    assert first.strength_id != replace(first, cap_text=None).strength_id
    louder = tuple(replace(edit, alpha=0.9) for edit in first.edits)
    assert first.strength_id == replace(first, edits=louder).strength_id


def test_every_text_follows_every_recording_of_the_source_and_recordings_alternate_between_halves() -> None:
    audio = {"rock": ["a.wav", "b.wav"], "jazz": ["never"]}
    _, members, _ = planned(concept={"texts": ["", "slow {class}"], "audio": audio})
    unsteered = [member for member in members if member.role == "unsteered"]
    assert {member.cell.prompt for member in unsteered} == {
        ("", "a.wav"), ("", "b.wav"), ("slow {class}", "a.wav"), ("slow {class}", "b.wav")
    }  # fmt: skip
    assert {member.spec.seconds for member in members} == {6.0}
    halves = {
        half: {m.cell.prompt for m in unsteered if m.cell.half == half} for half in ("choose", "report")
    }
    recordings = {half: {audio for _, audio in prompts} for half, prompts in halves.items()}
    assert sorted(map(len, recordings.values())) == [1, 1]
    assert not recordings["choose"] & recordings["report"], "a recording would be its own witness"
    assert {text for text, _ in halves["choose"]} == {text for text, _ in halves["report"]}
    asked = {m.spec.text for m in members if m.role == "prompt"}
    assert asked == {"jazz music", "slow jazz"}
    assert all(m.spec.audio_prompt is not None for m in members)


def test_texts_that_name_no_class_have_no_control_that_asks_for_the_target() -> None:
    for text, roles in (
        ("slow music", {"unsteered", "steered", "random"}),
        ("slow {class}", {"unsteered", "prompt", "steered", "random"}),
    ):
        _, members, _ = planned(concept={"texts": [text]}, alphas=[0.5])
        assert {member.role for member in members} == roles
        asked = {m.generation_id for m in members if m.role == "prompt"}
        assert not asked & {m.generation_id for m in members if m.role == "unsteered"}


def random_directions_used(prompts: int, states: int) -> dict[tuple[str, int], set[str]]:
    """Vector ids by prompt and random state, of sixteen directions and two strengths."""
    drawn: Any = [SimpleNamespace(vector_id=f"random {number}") for number in range(16)]
    places = [("style", "rock", "jazz", "random", "resid", layer) for layer in (2, 3)]
    concept = {"texts": [f"{{class}} {number}" for number in range(prompts)]}
    _, members, _ = planned(
        alphas=[0.3, 0.5],
        concept=concept,
        directions=SweepDirections({}, dict.fromkeys(places, drawn)),
        random_states=range(states),
    )
    used: dict[tuple[str, int], set[str]] = {}
    for member in members:
        if member.role == "random":
            ids = {edit.vector_id for edit in member.spec.edits}
            used.setdefault((member.cell.template, member.cell.random_state), set()).update(ids)
    return used


def test_each_cell_has_a_random_direction_of_its_own_the_same_for_all_strengths_and_layers() -> None:
    used = random_directions_used(prompts=8, states=2)
    assert {len(ids) for ids in used.values()} == {1}
    assert len(set.union(*used.values())) == len(used) == 16


def test_many_cells_share_sixteen_random_directions_evenly() -> None:
    used = random_directions_used(prompts=4, states=8)
    counts = Counter(name for ids in used.values() for name in ids)
    assert set(counts.values()) == {2}
    assert len(counts) == 16
    for prompt in {template for template, _ in used}:
        assert len({next(iter(ids)) for (template, _), ids in used.items() if template == prompt}) == 8


def test_texts_alternate_where_all_continue_one_recording_and_states_where_there_is_one_text() -> None:
    audio = {"rock": ["a.wav"], "jazz": ["never"]}
    _, members, _ = planned(concept={"texts": ["", "slow {class}"], "audio": audio})
    halves = {m.cell.template: m.cell.half for m in members}
    assert sorted(halves.values()) == ["choose", "report"]
    assert all(m.cell.half == halves[m.cell.template] for m in members)
    _, members, _ = planned(concept={"texts": [""], "audio": audio})
    assert {m.cell.random_state: m.cell.half for m in members} == {0: "choose", 1: "report"}


def test_halves_do_not_follow_the_order_of_words() -> None:
    texts = [f"{tempo} {{class}}" for tempo in "abcdefgh"]
    _, members, _ = planned(concept={"texts": texts}, alphas=[0.5])
    halves = {m.cell.template: m.cell.half for m in members}
    assert list(halves.values()).count("choose") == 4
    alternating = {text: ("choose", "report")[place % 2] for place, text in enumerate(sorted(texts))}
    assert {text: halves[text] for text in texts} != alternating
    _, shuffled, _ = planned(concept={"texts": texts[::-1]}, alphas=[0.5])
    assert {m.cell.template: m.cell.half for m in shuffled} == halves
