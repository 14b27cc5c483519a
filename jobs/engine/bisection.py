"""Find the clips that kill a worker by halving, one trial at a time."""

from collections.abc import Generator, Sequence

DEATHS_TO_CONVICT = 3
"""A clip is poisonous when it killed its worker this often while nothing else was in the trial.

Where every tenth trial dies for another reason, two would convict each hundredth healthy neighbour of a
poisonous clip.
"""

Trial = Generator[frozenset[str], bool, frozenset[str]]


def find_poison(clip_ids: Sequence[str]) -> Trial:
    """Yield sets of clips to try, receive whether the worker survived, return the poisonous ones.

    A death of a larger set only says where to look: workers also die of a lost node or of memory that another
    process took. So the answer holds just those clips that died in every one of their own trials, and may be
    empty. One bad clip among n costs at most 2·log2(n) + 2 trials.
    """
    return _halve(tuple(clip_ids))


def _halve(clip_ids: tuple[str, ...]) -> Trial:
    if len(clip_ids) == 1:
        return (yield from _convict(frozenset(clip_ids)))
    found: frozenset[str] = frozenset()
    middle = len(clip_ids) // 2
    for half in (clip_ids[:middle], clip_ids[middle:]):
        if len(half) == 1:
            found |= yield from _convict(frozenset(half))
        elif not (yield frozenset(half)):
            found |= yield from _halve(half)
    return found


def _convict(clip: frozenset[str]) -> Trial:
    for _ in range(DEATHS_TO_CONVICT):
        survived = yield clip
        if survived:
            return frozenset()
    return clip
