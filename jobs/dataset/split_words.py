"""Explains how names of splits other than train, validation and test are taken."""

from collections import Counter
from collections.abc import Iterable

from analysis.splits import HELD_OUT

_KNOWN = ("train", *HELD_OUT)
_MOST_NAMED = 5


def unknown_splits(splits: Iterable[str | None]) -> list[str]:
    """A sentence on splits of recordings that have another name than train, test and validation."""
    counts = Counter(split for split in splits if split is not None)
    unknown = [(name, count) for name, count in counts.most_common() if name not in _KNOWN]
    if not unknown:
        return []
    named = ", ".join(f"{name!r} ({count:,})" for name, count in unknown[:_MOST_NAMED])
    more = f" and {len(unknown) - _MOST_NAMED:,} more" if len(unknown) > _MOST_NAMED else ""
    held_out = next((name for name in HELD_OUT if name in counts), None)
    use = f"scores on {held_out!r} and fits on all others" if held_out else "has nothing to score on"
    return [
        (
            f"Splits {named}{more} are kept as they are written. The words that are known are "
            f"{', '.join(map(repr, _KNOWN))}, in small letters, so that --split official {use}. "
            "Rename them in the table if that is not meant."
        )
    ]
