"""Find the items that kill a worker by halving, one trial at a time."""

import math
from collections.abc import Generator, Sequence

LEAST_DEATHS = 2
MOST_DEATHS = 12
CHANCE_OF_ERROR = 1e-4
"""How improbable it must be that a healthy item dies in all of its trials."""

Trial = Generator[frozenset[str], bool, frozenset[str]]


def deaths_to_convict(death_rate: float) -> int:
    """How often in a row an item must die in trials of its own before it counts as poisonous.

    Args:
        death_rate: The share of tasks that die for reasons of their own, as where processes are killed for
            memory: a healthy item survives its k trials but for a chance of `death_rate`^k.
    """
    if not 0 < death_rate < 1:
        return MOST_DEATHS if death_rate else LEAST_DEATHS
    needed = math.ceil(math.log(CHANCE_OF_ERROR) / math.log(death_rate))
    return min(max(needed, LEAST_DEATHS), MOST_DEATHS)


def find_poison(item_ids: Sequence[str], deaths: int = LEAST_DEATHS) -> Trial:
    """Yield sets of clips to try, receive whether the worker survived, return the poisonous ones.

    A death of a larger set only says where to look: workers also die of a lost node or of memory that another
    process took. So the answer holds just those items that died alone `deaths` times in a row, and may be
    empty. One bad item among n costs at most 2·log2(n) + `deaths` − 1 trials.
    """
    return _halve(tuple(item_ids), deaths)


def _halve(item_ids: tuple[str, ...], deaths: int) -> Trial:
    if len(item_ids) == 1:
        return (yield from _convict(frozenset(item_ids), deaths))
    found: frozenset[str] = frozenset()
    middle = len(item_ids) // 2
    for half in (item_ids[:middle], item_ids[middle:]):
        if len(half) == 1:
            found |= yield from _convict(frozenset(half), deaths)
        elif not (yield frozenset(half)):
            found |= yield from _halve(half, deaths)
    return found


def _convict(item: frozenset[str], deaths: int) -> Trial:
    for _ in range(deaths):
        survived = yield item
        if survived:
            return frozenset()
    return item
