"""Lists, checks and cuts the recordings of a dataset and writes them to a store."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from analysis.data_findings import Item, clipped, findings, silent, undecodable, united_groups
from jobs.dataset.clip_spool import spooled
from jobs.dataset.options import AddRequest
from jobs.dataset.progress import counted
from jobs.dataset.roots import remember_root
from jobs.dataset.split_words import unknown_splits
from pipelines.datasets.cutting import ClipSpec, cut_recordings
from pipelines.datasets.formats import Source, open_source
from pipelines.datasets.hearing import Heard
from store import Dataset, open_store
from store.arrays.layout import LONGEST_DATASET_NAME, check_name
from store.errors import InvalidInput
from store.extensions import DATASETS
from store.records import Clip, Failure

MAXIMUM_COUNTED_VALUES = 40
SHOWN_FAILURES = 5
"""Named in the summary; all are in the view `failures`."""


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
    items: list[Item] = field(default_factory=list)
    """The recordings, as findings are made of them."""

    def clips_of(self, results: Iterable[list[Clip] | Failure]) -> Iterator[Clip]:
        """The clips among the results; failures are kept aside."""
        for result in results:
            if isinstance(result, Failure):
                self.failures.append(result)
                continue
            self.recordings += 1
            self.tail_seconds += result[0].tail_seconds
            self.items.append(_item(result))
            for clip in result:
                self._count(clip)
                yield clip

    def of(self, dataset: Dataset) -> Self:
        """Count a dataset that is in a store already."""
        self.failures.extend(dataset.failures)
        previous = None
        for clip in dataset.clips():
            self._count(clip)
            if clip.uri != previous:
                self.recordings, previous = self.recordings + 1, clip.uri
                self.tail_seconds += clip.tail_seconds
        return self

    def _count(self, clip: Clip) -> None:
        self.clips += 1
        self.seconds += clip.duration_seconds
        for column, value in clip.labels.items():
            if column not in self.columns:
                self.columns[column] = None
                self.labels[column] = {}
            if (counts := self.labels.get(column)) is None:
                continue
            counts.setdefault(str(value), Counter())[clip.split or "no split"] += 1
            if len(counts) > MAXIMUM_COUNTED_VALUES:
                del self.labels[column]


def _item(clips: Sequence[Clip]) -> Item:
    """A recording, from all its clips."""
    first = clips[0]
    return Item(first.uri, first.sha256 or None, first.group, first.split, first.labels, len(clips))


def add_dataset(request: AddRequest) -> dict[str, Any]:
    """Add a dataset to a store; return a summary for printing.

    Raises:
        NotFound: there is nothing at the path.
        InvalidInput: the path holds no usable audio, or is not in the format that was named.
        Conflict: the store has another dataset of this name.
    """
    check_name(request.name, "a dataset", longest=LONGEST_DATASET_NAME)
    source = open_source(request.path, request.format_name)
    spec = _clip_spec(request, source)
    store = open_store(request.store, create=True)
    census, remarks, heard = Census(), list[str](), Heard()
    info = _info(source, spec)
    cut = cut_recordings(
        source.root, source.list_recordings(remarks.append), spec, threads=request.threads, heard=heard
    )
    with counted(f"add {request.name}", cut) as results, spooled(census.clips_of(results)) as clips:
        _require_clips(census, source, remarks)
        united = united_groups((item.content, item.group) for item in census.items)
        dataset = store.add_dataset(
            request.name, info, _regrouped(clips, united), census.failures, replace=request.replace
        )
    if source.root.is_local:
        remember_root(dataset.fingerprint, source.root)
    found = [
        *remarks,
        *unknown_splits(item.split for item in census.items),
        *findings(census.items, united=united),
        *_found_by_ear(heard, census.clips),
    ]
    return summary_of(request.name, info, census, found)


def _found_by_ear(heard: Heard, clips: int) -> list[str]:
    return [
        *silent(heard.silent, clips),
        *clipped(heard.clipped, clips),
        *undecodable(heard.undecodable, clips),
    ]


def _regrouped(clips: Iterable[Clip], united: Mapping[str, str]) -> Iterator[Clip]:
    """Clips whose groups hold equal files, in one group."""
    for clip in clips:
        yield replace(clip, group=united[clip.group]) if clip.group in united else clip


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


def _clip_spec(request: AddRequest, source: Source) -> ClipSpec:
    clip_seconds = source.format.clip_seconds if request.clip_seconds is None else request.clip_seconds
    hop_seconds = clip_seconds if request.hop_seconds is None else request.hop_seconds
    return ClipSpec(request.name, clip_seconds, hop_seconds, request.listen)


def _info(source: Source, spec: ClipSpec) -> dict[str, Any]:
    root: dict[str, Any] = {"kind": "local"}
    if not source.root.is_local:
        root = {"kind": "url", "url": source.root.public_url}
        if source.root.public_url != source.root.url:
            root["grant"] = True  # it had a token, which is not stored: --root gives it again
    return {
        "format": source.format.name,
        **DATASETS.recorded(source.format.name),
        "clip_seconds": spec.clip_seconds,
        "hop_seconds": spec.hop_seconds,
        "root": root,
        "notes": source.format.notes,
    }


def _require_clips(census: Census, source: Source, remarks: Sequence[str]) -> None:
    if census.clips:
        return
    where = f"{source.root.public_url}/{source.member}".rstrip("/")
    if not census.failures:
        said = "".join(f" {remark}" for remark in remarks)
        raise InvalidInput(f"There is no audio in {where} (read as format {source.format.name!r}).{said}")
    first = census.failures[0]
    raise InvalidInput(
        f"None of the {len(census.failures)} recordings in {where} gives a clip. "
        f"The first, {first.item!r}: {first.message}"
    )
