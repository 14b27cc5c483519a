"""Find the clips that kill a worker by halving, one trial at a time."""

from collections.abc import Generator, Sequence

Trial = Generator[frozenset[str], bool, frozenset[str]]


def find_poison(clip_ids: Sequence[str]) -> Trial:
    """Yield sets of clips to try, receive whether the worker survived, return the poisonous ones.

    One bad clip among n costs at most 2·log2(n) trials. If every part survives although the whole did
    not, the clips are harmful only together and all of them are returned.
    """
    poison = yield from _halve(tuple(clip_ids))
    return poison or frozenset(clip_ids)


def _halve(clip_ids: tuple[str, ...]) -> Trial:
    if len(clip_ids) == 1:
        survived = yield frozenset(clip_ids)
        return frozenset() if survived else frozenset(clip_ids)
    found: frozenset[str] = frozenset()
    middle = len(clip_ids) // 2
    for half in (clip_ids[:middle], clip_ids[middle:]):
        survived = yield frozenset(half)
        if not survived:
            found |= frozenset(half) if len(half) == 1 else (yield from _halve(half))
    return found
