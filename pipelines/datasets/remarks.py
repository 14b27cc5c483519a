"""Remarks of readers: what a user should know of a dataset though it stops nothing."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from store.errors import counted

Say = Callable[[str], None]
"""Takes a sentence for the summary."""
_SHOWN = 8


def in_silence(_remark: str) -> None:
    """Drop a remark."""


def ending_of(uri: str) -> str:
    """The ending of a file's name in lower case, "" without one."""
    return PurePosixPath(uri).suffix.lower()


def passed_over(endings: Mapping[str, int]) -> str:
    """A sentence on files that are no audio, by the endings of their names."""
    ordered = Counter(endings).most_common()
    shown = ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in ordered[:_SHOWN])
    rest = len(ordered) - _SHOWN
    more = f" and {rest} more endings" if rest > 0 else ""
    total = sum(endings.values())
    names = "its name does" if total == 1 else "their names do"
    return f"{counted(total, 'file')} passed over, as {names} not say audio: {shown}{more}."
