"""Clips of a run with their files, groups and splits, and which of them are copies."""

from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from analysis.data_findings import (
    CLIPS,
    Item,
    copies,
    large_groups,
    one_class_splits,
    silent,
    spellings,
    united_groups,
)
from store.catalog.asking import Catalog
from store.records import Label


@dataclass(frozen=True, slots=True)
class KnownClip:
    """What a dataset says of a clip."""

    clip_id: str
    name: str
    """Its file and, where it does not begin with it, the second."""
    content: Hashable
    """Equal for clips of the same sound; None where nobody knows."""
    group: str
    """The clip itself where it has none."""
    split: str


def read_clips(catalog: Path, run_id: str, *, timeout_seconds: float | None) -> dict[str, KnownClip]:
    """Every planned clip of a run by its id."""
    rows = Catalog(catalog).rows(
        "SELECT r.clip_id, c.group_id, c.split, c.uri, c.start_seconds, c.sha256 "
        'FROM "rows" r JOIN runs u USING (run_id) '
        "LEFT JOIN clips c ON c.clip_id = r.clip_id AND c.dataset = u.dataset "
        "WHERE r.run_id = $run",
        timeout_seconds=timeout_seconds,
        run=run_id,
    )
    return {row["clip_id"]: _known(**row) for row in rows}


def _known(
    clip_id: str,
    group_id: str | None,
    split: str | None,
    uri: str | None,
    start_seconds: float | None,
    sha256: str | None,
) -> KnownClip:
    name = uri or clip_id
    return KnownClip(
        clip_id=clip_id,
        name=f"{name} at {start_seconds:g} s" if start_seconds else name,
        content=(sha256, start_seconds) if sha256 else None,
        group=group_id or clip_id,
        split=split or "",
    )


def united(clips: Mapping[str, KnownClip], groups: Mapping[str, str]) -> dict[str, str]:
    """New names for groups that hold the same sound, see `united_groups`.

    Args:
        clips: by id.
        groups: of the clips that count, by id.
    """
    return united_groups((clips[clip].content, group) for clip, group in groups.items())


def notes_on_clips(
    clips: Sequence[KnownClip],
    groups: Sequence[str],
    labels: Mapping[str, Sequence[Label]],
    *,
    united: Mapping[str, str],
    silent_ids: AbstractSet[str],
) -> list[str]:
    """What a user should know of labelled clips before believing a score.

    Args:
        clips: labelled ones.
        groups: of each, before copies were put together.
        labels: of each, by concept.
        united: new names of groups.
        silent_ids: clips without a sound.
    """
    items = [
        Item(
            clip.name,
            clip.content,
            group,
            clip.split or None,
            {name: values[place] for name, values in labels.items()},
        )
        for place, (clip, group) in enumerate(zip(clips, groups, strict=True))
    ]
    quiet = [clip.name for clip in clips if clip.clip_id in silent_ids]
    return [
        *copies(items, CLIPS),
        *large_groups(items, united),
        *spellings(items),
        *one_class_splits(items),
        *silent(quiet, len(items)),
    ]
