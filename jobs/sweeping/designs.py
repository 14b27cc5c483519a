"""The generations of one pair as tables, prompts by random states: its twins, its controls, each setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jobs.sweeping.members import Half, Member, units_of
from jobs.sweeping.settings import Pair, Role, Setting

Ids = NDArray[Any]
"""generation_id of each cell, (P, S)."""
Part = Literal["all", "choose", "report"]
PARTS: tuple[Part, ...] = ("all", "choose", "report")


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """All generations of a pair."""

    pair: Pair
    prompts: tuple[tuple[str, str], ...]
    """Text and audio prompt of each row."""
    states: tuple[int, ...]
    halves: NDArray[Any]
    """"choose" or "report" for each cell, (P, S)."""
    ids: Mapping[tuple[Role, Setting | None], Ids]

    @property
    def settings(self) -> list[Setting]:
        """Settings of the pair."""
        return [setting for role, setting in self.ids if role == "steered" and setting is not None]

    def of(self, role: Role, setting: Setting | None, part: Part) -> Ids | None:
        """Ids of the cells of a part, (P', S'); None where there is no such control, or no cell."""
        shared = role in ("prompt", "unsteered")
        found = self.ids.get((role, None if shared else setting))
        if found is None or part == "all":
            return found
        kept = self.halves == part
        rows, columns = kept.any(axis=1), kept.any(axis=0)
        return found[np.ix_(rows, columns)] if kept.any() else None

    def units(self, part: Part) -> list[str]:
        """Of each prompt of a part the unit that is drawn, (P',)."""
        kept = (self.halves == part).any(axis=1) | (part == "all")
        return [unit for unit, keep in zip(units_of(self.prompts), kept, strict=True) if keep]


def designs_of(members: Sequence[Member]) -> list[Design]:
    """The designs of a plan, one for each pair, in its order."""
    by_pair: dict[Pair, list[Member]] = {}
    for member in members:
        by_pair.setdefault(member.cell.pair, []).append(member)
    return [_design(pair, own) for pair, own in by_pair.items()]


def _design(pair: Pair, members: Sequence[Member]) -> Design:
    prompts = tuple(dict.fromkeys(one.cell.prompt for one in members))
    states = tuple(dict.fromkeys(one.cell.random_state for one in members))
    halves = np.full((len(prompts), len(states)), "", dtype=object)
    ids: dict[tuple[Role, Setting | None], Ids] = {}
    for one in members:
        place = prompts.index(one.cell.prompt), states.index(one.cell.random_state)
        half: Half = one.cell.half
        halves[place] = half
        table = ids.setdefault((one.role, one.setting), np.full(halves.shape, "", dtype=object))
        table[place] = one.generation_id
    return Design(pair, prompts, states, halves, ids)
