"""Properties of a dataset that make scores mislead, as sentences: copies, large groups, few or odd labels.

Equal files in different groups would let a probe be tested on what it was trained on, so `united_groups` puts
their groups together; the sentences say so, and what cannot be mended so.
"""

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from store.errors import counted
from store.records import Label

LARGE_SHARE = 1 / 3
"""A group with more of the clips decides every score."""
MOST_NAMED = 3
MOST_COLUMNS = 5
MOST_VALUES = 40
"""A column with more values (titles, ids) has no classes worth a sentence."""
FEW = 8
"""So many files may each have a class of its own."""
FILES, CLIPS = "files", "clips"


@dataclass(frozen=True, slots=True)
class Item:
    """A file (or a clip) as these sentences see it."""

    name: str
    """What a user knows it by."""
    content: Hashable
    """Equal for equal sound, for example a checksum; None where nobody knows."""
    group: str
    split: str | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)
    clips: int = 1


def united_groups(items: Iterable[tuple[Hashable, str]]) -> dict[str, str]:
    """A new name for each group that shares a content with another: of those together the alphabet's first.

    Sharing is handed on: if A shares with B and B with C, all three become A.

    Args:
        items: content (None where nobody knows) and group.
    """
    leader: dict[str, str] = {}

    def find(group: str) -> str:
        while (above := leader.get(group, group)) != group:
            leader[group] = leader.get(above, above)  # halves the way of the next who asks
            group = above
        return group

    first: dict[Hashable, str] = {}
    for content, group in items:
        if content is not None:
            one, other = sorted((find(group), find(first.setdefault(content, group))))
            if one != other:
                leader[other] = one
    return {group: find(group) for group in leader}


def findings(items: Sequence[Item], *, united: Mapping[str, str], noun: str = FILES) -> list[str]:
    """Every sentence about a dataset.

    Args:
        items: its files.
        united: what `united_groups` says of them.
        noun: what the items are.
    """
    return [
        *copies(items, noun),
        *large_groups(items, united),
        *same_label(items, noun),
        *without_labels(items, noun),
        *spellings(items),
        *lonely_classes(items, united),
        *one_class_splits(items),
    ]


def with_shared_content(items: Sequence[Item]) -> list[Item]:
    """Those of the items whose content another one has: two passes, and eight bytes an item beside them.

    Among very many a few may be there that share no more than a hash.
    """
    hashes = np.fromiter((hash(item.content) for item in items), np.int64, len(items))
    values, counts = np.unique(hashes, return_counts=True)
    shared = set(values[counts > 1].tolist())
    return [item for item in items if item.content is not None and hash(item.content) in shared]


def copies(items: Sequence[Item], noun: str = FILES) -> list[str]:
    """Files with the same content, and what they contradict each other in."""
    same: dict[Hashable, list[Item]] = {}
    for item in with_shared_content(items):
        same.setdefault(item.content, []).append(item)
    repeated = [group for group in same.values() if len(group) > 1]
    if not repeated:
        return []
    across = [group for group in repeated if len({item.group for item in group}) > 1]
    said = f"{sum(map(len, repeated)):,} {noun} are equal to others, as {_named(repeated[0])}."
    if across:
        groups = len({item.group for group in across for item in group})
        said += (
            f" {groups:,} groups share such {noun} and count as one wherever they do, so that nothing is "
            "tested on a copy of what it was fitted on."
        )
    return [said, *_contradictions(repeated, _columns(items), noun)]


def large_groups(items: Sequence[Item], united: Mapping[str, str]) -> list[str]:
    """The group that holds more than a third of the clips."""
    clips: Counter[str] = Counter()
    for item in items:
        clips[united.get(item.group, item.group)] += item.clips
    total = clips.total()
    for group, count in clips.most_common(1):
        if count > LARGE_SHARE * total:
            share = f"{count:,} of the {counted(total, 'clip')} ({count / total:.0%})"
            return [f"Group {group!r} holds {share}: scores say mostly how well this group is told."]
    return []


def without_labels(items: Sequence[Item], noun: str = FILES) -> list[str]:
    """Files that lack a label which others have."""
    said = []
    for column, values in _columns(items).items():
        lacking = [item.name for item, value in zip(items, values, strict=True) if value is None]
        if lacking and 0 < len(set(values) - {None}) <= MOST_VALUES:
            said.append(
                f"{len(lacking):,} of {len(items):,} {noun} have no {column!r}: {first_names(lacking)}."
            )
    return _limited(said, "columns have gaps")


def same_label(items: Sequence[Item], noun: str = FILES) -> list[str]:
    """That nothing tells the files apart, as in a folder given in the place of the one above it."""
    columns = {column: set(values) - {None} for column, values in _columns(items).items()}
    if len(items) < 2 or any(len(values) > 1 for values in columns.values()):
        return []
    same = ", ".join(f"{column} {value!r}" for column, values in columns.items() for value in values)
    if not same:
        return [
            f"None of the {len(items):,} {noun} has a label: a folder for each, or a table, gives them some."
        ]
    said = f"No two of the {len(items):,} {noun} differ in a label ({same}), so none can be told apart by it"
    return [f"{said}: of a folder for each label, give the folder above them all."]


def spellings(items: Sequence[Item]) -> list[str]:
    """Labels that differ in case, blanks or Unicode form alone."""
    said = []
    for column, values in _columns(items).items():
        if _is_name(values):
            continue
        alike: dict[str, Counter[str]] = {}
        for value in values:
            if isinstance(value, str):
                alike.setdefault(folded(value), Counter())[value] += 1
        said += [
            f"{column}: {_counted(counts)} differ in case, blanks or Unicode form alone, and count as "
            f"{len(counts)} classes."
            for counts in alike.values()
            if len(counts) > 1
        ]
    return _limited(said, "such labels")


def lonely_classes(items: Sequence[Item], united: Mapping[str, str]) -> list[str]:
    """Classes that only one group has."""
    said = []
    for column, values in _class_columns(items).items():
        groups: dict[str, set[str]] = {}
        for item, value in zip(items, values, strict=True):
            if value is not None:
                groups.setdefault(value, set()).add(united.get(item.group, item.group))
        lonely = sorted(value for value, found in groups.items() if len(found) == 1)
        if lonely and len(groups) < len(items):
            said.append(
                f"{column}: nothing can be both trained and tested on classes of one group only: "
                f"{first_names(lonely)}."
            )
    return _limited(said, "columns have such classes")


def one_class_splits(items: Sequence[Item]) -> list[str]:
    """Splits that hold a single class of several."""
    said = []
    for column, values in _class_columns(items).items():
        splits: dict[str, set[str]] = {}
        for item, value in zip(items, values, strict=True):
            if value is not None and item.split:
                splits.setdefault(item.split, set()).add(value)
        said += [
            f"{column}: split {split!r} holds the class {next(iter(found))!r} alone and cannot be scored."
            for split, found in sorted(splits.items())
            if len(found) == 1
        ]
    return _limited(said, "such splits")


def silent(names: Sequence[str], total: int) -> list[str]:
    """Clips without a sound."""
    return [f"{len(names):,} of {total:,} clips are silent: {first_names(names)}."] if names else []


def clipped(names: Sequence[str], total: int) -> list[str]:
    """Clips with many samples at full scale."""
    said = f"{len(names):,} of {total:,} clips are clipped (more than 1 in 1,000 samples at full scale)"
    return [f"{said}: {first_names(names)}."] if names else []


def undecodable(messages: Mapping[str, str], total: int) -> list[str]:
    """Clips that cannot be decoded, and what is wrong with the first."""
    if not messages:
        return []
    said = f"{len(messages):,} of {total:,} clips cannot be decoded: {first_names(list(messages))}"
    return [f"{said}. The first: {next(iter(messages.values()))}"]


def _contradictions(
    repeated: Sequence[Sequence[Item]], columns: Mapping[str, Sequence[Label]], noun: str
) -> list[str]:
    """Equal files with different labels, and equal files in different splits."""
    said = []
    for column, values in columns.items():
        differing = [group for group in repeated if len({str(item.labels.get(column)) for item in group}) > 1]
        if differing and not _is_name(values):
            one, other = _two_that_differ(differing[0], column)
            said.append(
                f"Equal {noun} differ in {column!r} ({counted(len(differing), 'time')}): {one.name!r} is "
                f"{one.labels.get(column)!r}, {other.name!r} is {other.labels.get(column)!r}."
            )
    crossing = [group for group in repeated if len({item.split for item in group}) > 1]
    if crossing:
        splits = " and ".join(sorted({repr(item.split) if item.split else "none" for item in crossing[0]}))
        said.append(
            f"Equal {noun} are in different splits ({counted(len(crossing), 'time')}), as "
            f"{_named(crossing[0])} in {splits}: a score on the official split knows them already."
        )
    return said


def folded(value: str) -> str:
    """What people take for the same word."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _counted(counts: Counter[str]) -> str:
    """Spellings with how often each is there; those that look the same by their codes."""
    shown = [
        f"{value!r} ({count:,})" if unicodedata.is_normalized("NFC", value) else f"{value!a} ({count:,})"
        for value, count in counts.most_common(MOST_NAMED)
    ]
    more = f" and {len(counts) - MOST_NAMED:,} more" if len(counts) > MOST_NAMED else ""
    return f"{', '.join(shown)}{more}"


def _is_name(values: Sequence[Label]) -> bool:
    return is_name(len(set(values)), len(values))


def is_name(different: int, count: int) -> bool:
    """Whether a column of so many values names files (titles, numbers) rather than classes."""
    return different > max(MOST_VALUES, count / 2) or (count > FEW and different > 0.9 * count)


def _two_that_differ(group: Sequence[Item], column: str) -> tuple[Item, Item]:
    first = group[0]
    return first, next(
        item for item in group if str(item.labels.get(column)) != str(first.labels.get(column))
    )


def _columns(items: Sequence[Item]) -> dict[str, list[Label]]:
    names = dict.fromkeys(name for item in items for name in item.labels)
    return {name: [item.labels.get(name) for item in items] for name in names}


def _named(group: Sequence[Item]) -> str:
    return first_names([item.name for item in group])


def _class_columns(items: Sequence[Item]) -> dict[str, list[str | None]]:
    """Columns of text or truth values with a few classes, as text."""
    columns = {
        name: [str(value) if isinstance(value, str | bool) else None for value in values]
        for name, values in _columns(items).items()
    }
    return {name: values for name, values in columns.items() if 2 <= len(set(values) - {None}) <= MOST_VALUES}


def first_names(names: Sequence[str], count: int | None = None) -> str:
    """The first three of some names, and how many more there are: of `count`, if not all are given."""
    shown = ", ".join(repr(name) for name in names[:MOST_NAMED])
    more = (len(names) if count is None else count) - MOST_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _limited(said: list[str], what: str) -> list[str]:
    if len(said) <= MOST_COLUMNS:
        return said
    return [*said[:MOST_COLUMNS], f"{len(said) - MOST_COLUMNS} more {what}."]
