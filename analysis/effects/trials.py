"""Trials of a sweep: conditions (prompts × random states), who shares them, and the tables they make."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.effects.settings import Pair, Role, Setting

Ids = NDArray[Any]
"""generation_id of each condition, (P, S)."""
Split = Literal["selection", "evaluation"]
"""The selection and the evaluation split, by the names that they have in tables."""
SplitOrAll = Literal["all", "selection", "evaluation"]
SPLITS: tuple[SplitOrAll, ...] = ("all", "selection", "evaluation")
RANDOM_DIRECTIONS = 16
"""Each condition has one of its own, while these suffice: they differ much in how far they move a sound."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One prompt and one random state: what a steered generation and its twin and controls have in common."""

    pair: Pair
    template: str
    audio: str
    """Audio prompt, as the sweep's file names it; "": none."""
    random_state: int
    control: int
    """Which random direction controls it."""
    split: Split
    """Settings are chosen on one split of the conditions and reported on the other."""

    @property
    def prompt(self) -> tuple[str, str]:
        """Text and audio."""
        return self.template, self.audio


@dataclass(frozen=True, slots=True)
class Trial:
    """One generation in its place in the sweep; several trials may share a generation."""

    condition: Condition
    role: Role
    setting: Setting | None
    """None for what all settings of a pair share: the unsteered twin and the prompt-only control."""
    generation_id: str


def conditions_of(
    pair: Pair, prompts: Sequence[tuple[str, str]], random_states: Sequence[int]
) -> Iterator[Condition]:
    """Every prompt (text, audio) with every random state.

    Independent prompts alternate between the splits, in order of a hash; where there is but one, its random
    states do.
    """
    witnesses = witnesses_of(prompts)
    ordered = sorted(set(witnesses), key=lambda one: sha256(one.encode()).digest())
    alone = len(ordered) == 1
    placed = sorted((ordered.index(one), prompt) for one, prompt in zip(witnesses, prompts, strict=True))
    for row, (place, (template, audio)) in enumerate(placed):
        for number, state in enumerate(random_states):
            split: Split = "selection" if (number if alone else place) % 2 == 0 else "evaluation"
            control = (row * len(random_states) + number) % RANDOM_DIRECTIONS
            yield Condition(pair, template, audio, state, control, split)


def witnesses_of(prompts: Sequence[tuple[str, str]]) -> list[str]:
    """What makes prompts independent witnesses: their recording where there are several, else their text.

    Music continues its recording more than its text, so that texts of one recording say much the same.
    """
    side = 1 if len({audio for _, audio in prompts}) > 1 else 0
    return [prompt[side] for prompt in prompts]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """All trials of a pair as tables: its twins, its controls, each of its settings."""

    pair: Pair
    prompts: tuple[tuple[str, str], ...]
    """Text and audio prompt of each row."""
    states: tuple[int, ...]
    splits: NDArray[Any]
    """Split of each condition, (P, S)."""
    ids: Mapping[tuple[Role, Setting | None], Ids]

    @property
    def settings(self) -> list[Setting]:
        """Settings of the pair."""
        return [setting for role, setting in self.ids if role == "steered" and setting is not None]

    def of(self, role: Role, setting: Setting | None, split: SplitOrAll) -> Ids | None:
        """Ids of a split of the conditions, (P', S'); None where there is no such control or condition."""
        shared = role in ("prompt", "unsteered")
        found = self.ids.get((role, None if shared else setting))
        if found is None or split == "all":
            return found
        kept = self.splits == split
        rows, columns = kept.any(axis=1), kept.any(axis=0)
        return found[np.ix_(rows, columns)] if kept.any() else None

    def witnesses(self, split: SplitOrAll) -> list[str]:
        """Of each prompt of a split, which independent one it is, (P',)."""
        kept = (self.splits == split).any(axis=1) | (split == "all")
        return [one for one, keep in zip(witnesses_of(self.prompts), kept, strict=True) if keep]


def designs_of(trials: Iterable[Trial]) -> list[Design]:
    """The designs of a plan, one for each pair, in its order."""
    by_pair: dict[Pair, list[Trial]] = {}
    for trial in trials:
        by_pair.setdefault(trial.condition.pair, []).append(trial)
    return [_design(pair, own) for pair, own in by_pair.items()]


def _design(pair: Pair, trials: Sequence[Trial]) -> Design:
    prompts = {
        prompt: row for row, prompt in enumerate(dict.fromkeys(one.condition.prompt for one in trials))
    }
    states = {
        state: column
        for column, state in enumerate(dict.fromkeys(one.condition.random_state for one in trials))
    }
    splits = np.full((len(prompts), len(states)), "", dtype=object)
    ids: dict[tuple[Role, Setting | None], Ids] = {}
    for one in trials:
        place = prompts[one.condition.prompt], states[one.condition.random_state]
        splits[place] = one.condition.split
        table = ids.setdefault((one.role, one.setting), np.full(splits.shape, "", dtype=object))
        table[place] = one.generation_id
    return Design(pair, tuple(prompts), tuple(states), splits, ids)
