"""Count what a dataset holds while its recordings pass, and sum it up for printing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from analysis.data_findings import Item
from analysis.splits import HELD_OUT
from jobs.dataset.items import KeptItems
from pipelines.audio.file_states import ETAG
from store import Dataset
from store.records import Clip, Failure, Label

MAXIMUM_COUNTED_VALUES = 40
SHOWN_FAILURES = 5
"""Named in the summary; all are in the view `failures`."""
_KNOWN_SPLITS = ("train", *HELD_OUT)
_MOST_NAMED = 5


@dataclass(slots=True)
class Census:
    """What a stream of clips and failures held, counted as it passes."""

    recordings: int = 0
    clips: int = 0
    seconds: float = 0.0
    tail_seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)
    """The label columns, in order of appearance."""
    labels: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    """Clips by label column, value and split; columns with too many values (titles) are left out."""
    items: KeptItems = field(default_factory=KeptItems)
    """The recordings, as findings are made of them."""
    by_etag: int = 0
    """Recordings that are known by what their bucket calls them."""

    def clips_of(self, results: Iterable[list[Clip] | Failure]) -> Iterator[Clip]:
        """The clips among the results; failures are kept aside."""
        for result in results:
            self.see(result)
            if not isinstance(result, Failure):
                yield from result

    def see(self, result: Sequence[Clip] | Failure) -> None:
        """Count the clips of one recording, or its failure."""
        if isinstance(result, Failure):
            self.failures.append(result)
            return
        first = result[0]
        self.recordings += 1
        self.by_etag += first.sha256.startswith(ETAG)
        self.tail_seconds += first.tail_seconds
        self.items.append(
            Item(first.uri, first.sha256 or None, first.group, first.split, first.labels, len(result))
        )
        self._count(first.labels, first.split, len(result), first.duration_seconds)

    def of(self, dataset: Dataset) -> Self:
        """Count a dataset that is in a store already."""
        self.failures.extend(dataset.failures)
        previous = None
        for clip in dataset.clips():
            self._count(clip.labels, clip.split, 1, clip.duration_seconds)
            if clip.uri != previous:
                self.recordings, previous = self.recordings + 1, clip.uri
                self.tail_seconds += clip.tail_seconds
        return self

    def _count(self, labels: Mapping[str, Label], split: str | None, clips: int, seconds: float) -> None:
        self.clips += clips
        self.seconds += clips * seconds
        for column, value in labels.items():
            if column not in self.columns:
                self.columns[column] = None
                self.labels[column] = {}
            if (counts := self.labels.get(column)) is None:
                continue
            counts.setdefault(str(value), Counter())[split or "no split"] += clips
            if len(counts) > MAXIMUM_COUNTED_VALUES:
                del self.labels[column]


def summary_of(name: str, info: dict[str, Any], census: Census, found: Sequence[str] = ()) -> dict[str, Any]:
    """What was added, as JSON values; label counts are those of columns with few values."""
    errors = Counter(f"{failure.stage}: {failure.error}" for failure in census.failures)
    return {
        "dataset": name,
        "format": info["format"],
        "recordings": census.recordings,
        "clips": census.clips,
        "hours": round(census.seconds / 3600, 4),
        "clip_seconds": info["clip_seconds"],
        "hop_seconds": info["hop_seconds"],
        "tail_seconds": round(census.tail_seconds, 3),
        "failures": dict(errors.most_common()) if errors else None,
        "first_failures": {one.item: one.message for one in census.failures[:SHOWN_FAILURES]} or None,
        "columns": list(census.columns),
        "labels": {column: _plain(counts) for column, counts in census.labels.items()},
        "notes": info["notes"],
        "findings": list(found),
    }


def _plain(counts: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {value: dict(splits) for value, splits in sorted(counts.items())}


def unknown_splits(splits: Iterable[str | None]) -> list[str]:
    """A sentence on splits of recordings that have another name than train, test and validation."""
    counts = Counter(split for split in splits if split is not None)
    unknown = [(name, count) for name, count in counts.most_common() if name not in _KNOWN_SPLITS]
    if not unknown:
        return []
    named = ", ".join(f"{name!r} ({count:,})" for name, count in unknown[:_MOST_NAMED])
    more = f" and {len(unknown) - _MOST_NAMED:,} more" if len(unknown) > _MOST_NAMED else ""
    held_out = next((name for name in HELD_OUT if name in counts), None)
    use = f"scores on {held_out!r} and fits on all others" if held_out else "has nothing to score on"
    return [
        (
            f"Splits {named}{more} are kept as they are written. The words that are known are "
            f"{', '.join(map(repr, _KNOWN_SPLITS))}, in small letters, so that --split official {use}. "
            "Rename them in the table if that is not meant."
        )
    ]
