"""A dataset of a store in Python: its clips, their labels, and its removal and renaming."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jobs.api import upkeep
from jobs.api.shown import html_lines, lines, listed
from store import opening
from store.errors import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from store.datasets import Dataset as StoredDataset


class Dataset:
    """A dataset of a store: its clips and their labels."""

    def __init__(self, stored: "StoredDataset", findings: Sequence[str] = ()) -> None:
        self._stored = stored
        self.findings = tuple(findings)
        """What misleads, as it was found when it was added just now: equal files, missing labels …"""

    @property
    def name(self) -> str:
        """Its name in the store."""
        return self._stored.name

    @property
    def info(self) -> Mapping[str, Any]:
        """What dataset.json says of it."""
        return self._stored.info

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the label columns."""
        return tuple(self.info["labels"])

    @property
    def clip_seconds(self) -> float:
        """Length of a clip."""
        return float(self.info["clip_seconds"])

    def __len__(self) -> int:
        """How many clips it has."""
        return int(self.info["counts"]["clips"])

    def table(self) -> "pa.Table":
        """A row per clip: clip_id, uri, start_seconds, duration_seconds, … and a column per label."""
        return self._stored.table()

    def failures(self) -> list[str]:
        """What could not be used, and why."""
        return [f"{one.item}: {one.message}" for one in self._stored.failures]

    def details(self) -> upkeep.DatasetDetails:
        """Where its audio is, its labels, its versions, and everything that was made from it.

        Examples:
            >>> store.dataset("songs").details().versions
            ['1: 16 clips']
        """
        return upkeep.dataset_details(self._store, self.name)

    def remove(self, *, even_if_used: bool = False, dry_run: bool = False) -> upkeep.Removal:
        """Remove it with its codes and features, and audio that the store keeps; recordings elsewhere stay.

        Args:
            even_if_used: remove it although runs came from it; they stay, and lose its clips and labels.
            dry_run: say what would go, and change nothing.

        Raises:
            Conflict: runs came from it, or a command is at work on one of them.

        Examples:
            >>> store.dataset("songs").remove(even_if_used=True, dry_run=True).removed
            False
        """
        return upkeep.removed_dataset(self._store, self.name, even_if_used=even_if_used, dry_run=dry_run)

    def rename(self, new: str, *, dry_run: bool = False) -> upkeep.Renaming:
        """Rename it, while no run came from it; the ids of its clips become those of the new name.

        Args:
            new: the name that it gets; afterwards this object is the dataset of that name.
            dry_run: say what would change, and change nothing.

        Raises:
            InvalidInput: the new name cannot be one.
            Conflict: runs came from it, or the new name is taken.

        Examples:
            >>> add_dataset(store, "sogns", recordings, clip_seconds=1.0).rename("tunes").was
            'sogns'
        """
        found = upkeep.renamed_dataset(self._store, self.name, new, dry_run=dry_run)
        if not dry_run:
            self._stored = self._store.dataset(new)
        return found

    @property
    def _store(self) -> opening.Store:
        return opening.Store(self._stored.objects)

    def __repr__(self) -> str:
        return lines(f"Dataset {self.name}", self._shown())

    def _repr_html_(self) -> str:
        return html_lines(f"Dataset {self.name}", self._shown())

    def _shown(self) -> dict[str, str]:
        failed = int(self.info["counts"]["failures"])
        return {
            "clips": f"{len(self):,} of {self.clip_seconds:g} s"
            + (f", {counted(failed, 'failure')}" if failed else ""),
            "labels": listed(self.labels),
            **{f"finding {place}": text for place, text in enumerate(self.findings, start=1)},
        }
