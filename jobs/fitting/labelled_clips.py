"""Clips of a run with their files, groups and splits, as columns; which are copies, what misleads scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis import data_findings
from analysis.data_findings import (
    CLIPS,
    MOST_VALUES,
    Item,
    copies,
    folded,
    is_name,
    large_groups,
    one_class_splits,
    spellings,
    united_groups,
)
from store.catalog.asking import Catalog

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class KnownClips:
    """What a dataset says of clips."""

    table: pa.Table
    """Columns clip_id, group_id (the clip itself where it has none), split ("" where it has none), uri,
    start_seconds and sha256."""

    def take(self, places: NDArray[np.integer[Any]] | Flags) -> "KnownClips":
        """Some of them, by their places or by a mask."""
        chosen = np.flatnonzero(places) if places.dtype == np.bool_ else places
        return KnownClips(self.table.take(pa.array(chosen)))

    def column(self, name: str) -> pa.Array:
        """One column as one array."""
        return self.table[name].combine_chunks()

    def names(self, places: NDArray[np.integer[Any]]) -> list[str]:
        """Files of some clips and, where they do not begin with it, the second."""
        found = []
        for row in self.table.select(["clip_id", "uri", "start_seconds"]).take(pa.array(places)).to_pylist():
            name = row["uri"] or row["clip_id"]
            found.append(f"{name} at {row['start_seconds']:g} s" if row["start_seconds"] else name)
        return found

    def are_copies(self) -> Flags:
        """Which clips sound like another of these, as far as anybody knows."""
        content = pc.dictionary_encode(self.column("sha256")).indices.fill_null(-1).to_numpy()
        start = np.nan_to_num(self.column("start_seconds").fill_null(-1.0).to_numpy(zero_copy_only=False))
        known = content >= 0
        both = np.stack([content.astype(np.float64), start], axis=1)[known]
        _, place, counts = np.unique(both, axis=0, return_inverse=True, return_counts=True)
        found = np.zeros(len(content), bool)
        found[known] = counts[place.reshape(-1)] > 1
        return found

    def contents(self) -> Iterator[tuple[str, float] | None]:
        """Equal for clips of the same sound; None where nobody knows."""
        for row in self.table.select(["sha256", "start_seconds"]).to_pylist():
            yield (row["sha256"], row["start_seconds"]) if row["sha256"] else None


def read_clips(catalog: Path, run_id: str, *, timeout_seconds: float | None) -> KnownClips:
    """Every planned clip of a run."""
    return KnownClips(
        Catalog(catalog).ask(
            "SELECT r.clip_id, coalesce(nullif(c.group_id, ''), r.clip_id) AS group_id, "
            "coalesce(c.split, '') AS split, c.uri, c.start_seconds, nullif(c.sha256, '') AS sha256 "
            'FROM "rows" r JOIN runs u USING (run_id) '
            "LEFT JOIN clips c ON c.clip_id = r.clip_id AND c.dataset = u.dataset "
            "WHERE r.run_id = $run",
            timeout_seconds=timeout_seconds,
            run=run_id,
        )
    )


def united(clips: KnownClips, groups: pa.Array) -> dict[str, str]:
    """New names for groups that hold the same sound, see `united_groups`; `groups` are those of the clips."""
    same = clips.are_copies()
    return united_groups(
        zip(clips.take(same).contents(), groups.filter(pa.array(same)).to_pylist(), strict=True)
    )


def notes_on_clips(
    clips: KnownClips,
    groups: pa.Array,
    labels: Mapping[str, pa.Array],
    *,
    united: Mapping[str, str],
    silent: Flags,
) -> list[str]:
    """What a user should know of labelled clips before believing a score.

    Args:
        clips: labelled ones.
        groups: of each, before copies were put together.
        labels: of each, by concept.
        united: new names of groups.
        silent: which are without a sound.
    """
    return [
        *copies(list(_copied(clips, groups, labels)), CLIPS),
        *large_groups(list(_group_sizes(groups)), united),
        *spellings(list(_spelled_alike(labels))),
        *one_class_splits(list(_classes_of_splits(clips, labels))),
        *_silent(clips, silent),
    ]


def _silent(clips: KnownClips, flags: Flags) -> list[str]:
    return data_findings.silent(clips.names(np.flatnonzero(flags)), len(flags))


def _copied(clips: KnownClips, groups: pa.Array, labels: Mapping[str, pa.Array]) -> Iterator[Item]:
    """The clips that sound like others."""
    places = np.flatnonzero(clips.are_copies())
    chosen, those = clips.take(places), pa.array(places)
    classes = {name: own.take(those).to_pylist() for name, own in labels.items() if not _is_name(own)}
    columns = (chosen.names(np.arange(len(places))), chosen.contents(), groups.take(those).to_pylist())
    splits = chosen.column("split").to_pylist()
    for place, (name, content, group) in enumerate(zip(*columns, strict=True)):
        own = {column: values[place] for column, values in classes.items()}
        yield Item(name, content, group, splits[place] or None, own)


def _group_sizes(groups: pa.Array) -> Iterator[Item]:
    for counted in groups.value_counts().to_pylist():
        yield Item("", None, counted["values"], clips=counted["counts"])


def _spelled_alike(labels: Mapping[str, pa.Array]) -> Iterator[Item]:
    """The labels that another one of their column looks like."""
    for name, values in labels.items():
        if _is_name(values) or not pa.types.is_string(values.type):
            continue
        distinct = [value for value in values.unique().to_pylist() if value is not None]
        alike: dict[str, list[str]] = {}
        for value in distinct:
            alike.setdefault(folded(value), []).append(value)
        several = pa.array([value for same in alike.values() if len(same) > 1 for value in same], pa.string())
        for value in values.filter(pc.is_in(values, value_set=several)).to_pylist():
            yield Item("", None, "", labels={name: value})


def _classes_of_splits(clips: KnownClips, labels: Mapping[str, pa.Array]) -> Iterator[Item]:
    """Every class of every split once."""
    for name, values in labels.items():
        if len(values.unique()) <= MOST_VALUES + 1:
            pairs = pa.table({"split": clips.column("split"), "value": values})
            for row in pairs.group_by(["split", "value"]).aggregate([]).to_pylist():
                yield Item("", None, "", row["split"] or None, {name: row["value"]})


def _is_name(values: pa.Array) -> bool:
    return is_name(len(values.unique()), len(values))
