"""Results in Python of looking after a store: what is there, what takes space, what went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jobs.api.answers import Answer

if TYPE_CHECKING:
    from store.opening import Store

_RUNS = {
    "run": "string", "state": "string", "clips": "int64", "planned": "int64", "gone": "int64",
    "failed": "int64", "bytes": "int64", "model": "string", "random_weights": "bool", "sites": "strings",
    "layers": "int64", "reductions": "strings",
}  # fmt: skip
_TAGGED = {**_RUNS, "tags": "strings", "begun": "time"}
_DATASETS = {
    "dataset": "string", "format": "string", "clips": "int64", "clip_seconds": "double", "hours": "double",
    "failures": "int64", "runs": "int64", "bytes": "int64",
}  # fmt: skip
_GARBAGE = {"what": "string", "files": "int64", "bytes": "int64"}
_SIZES = {
    "what": "string", "of": "string", "part": "string", "files": "int64", "bytes": "int64", "in": "string",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Status:
    """State of every run of a store."""

    runs: Answer
    """A row per run: state ("complete", "running" or "partial"), clips, failures, bytes, model, sites …"""
    notes: tuple[str, ...]
    """What is not as it should be, and what cures it."""
    damaged: bool
    """Whether anything is damaged or gone."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal took away, or would take away."""

    name: str
    """Of the run or dataset."""
    files: int
    nbytes: int
    with_it: tuple[str, ...]
    """What goes too: tags of a run; codes and features of a dataset."""
    left: tuple[str, ...]
    """What stays without it: kinds of results about a run; runs that came from a dataset."""
    removed: bool
    """False of a dry run."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """What a dataset is called now, or would be called."""

    name: str
    was: str
    clips: int
    """How many clips have ids of the new name."""
    with_it: tuple[str, ...]
    """Codes and features that go, as they are of the old ids."""
    renamed: bool
    """False of a dry run."""


@dataclass(frozen=True, slots=True)
class Tagging:
    """What a tag names now, or would name."""

    tag: str
    run: str | None
    """None: the tag was taken away."""
    before: str | None
    """The run that it named before."""
    changed: bool
    """False of a dry run, and where it named this run already."""


@dataclass(frozen=True, slots=True)
class RunDetails:
    """A run in detail: what it holds, where it was computed, and what stands on it."""

    run: str
    state: str
    """"complete", "running" or "partial"."""
    clips: int
    planned: int
    gone: int
    """How many of them the newest version of the dataset no longer has."""
    failed: int
    bytes: int
    model: str
    random_weights: bool
    sites: Sequence[str]
    layers: int
    """How many."""
    reductions: Sequence[str]
    units: str
    """Committed units of work, of those that are planned."""
    arrays: Mapping[str, str]
    """By "<site>.<reduction>" its dimensions, shape and type."""
    worker_seconds: Mapping[str, float]
    """By stage of the work, summed over workers."""
    devices: Sequence[str]
    text: str
    dtype: str
    resampler: str
    tags: Sequence[str]
    begun: datetime | None
    """UTC; None where nobody knows it."""
    results: Mapping[str, int]
    """By kind of result, how many files hold rows about this run."""


@dataclass(frozen=True, slots=True)
class DatasetDetails:
    """A dataset in detail: where its audio is, its labels, its versions, and what was made from it."""

    dataset: str
    format: str | None
    clips: int
    clip_seconds: float
    hop_seconds: float | None
    hours: float
    failures: int
    runs: int
    """How many came from it."""
    bytes: int
    """In the store; recordings elsewhere do not count."""
    audio: str | None
    """Where it is."""
    labels: Sequence[str]
    made_from_it: Sequence[str]
    """Runs, codes and features."""
    notes: str
    fingerprint: str
    versions: Sequence[str]
    """Each with its clips, and what it changed."""


def status(store: "Store") -> Status:
    """State of every run."""
    from jobs.upkeep.run_states import overviews

    runs, notes, damaged = overviews(store)
    return Status(_answer(runs, _RUNS), tuple(notes), damaged)


def run_table(store: "Store") -> Answer:
    """A row per run; a run that cannot be read is a warning."""
    from jobs.progress.reporters import told
    from jobs.progress.reporting import note
    from jobs.upkeep.runs import listed_runs

    rows, notes = listed_runs(store)
    with told(progress=False):
        for one in notes:
            note(one)
    return _answer([row | {"begun": _time(row["begun"])} for row in rows], _TAGGED)


def dataset_table(store: "Store") -> Answer:
    """A row per dataset."""
    from jobs.upkeep.datasets import listed_datasets

    return _answer(listed_datasets(store), _DATASETS)


def sizes(store: "Store") -> Answer:
    """A row per kind of thing that takes space."""
    from jobs.upkeep.space import space

    return _answer(space(store), _SIZES)


def tidied(
    store: "Store", *, budget: int | str | None, features: bool, older_than_days: float, dry_run: bool
) -> Answer:
    """A row per kind of thing that went, or would go."""
    from jobs.upkeep.options import TidyOptions
    from jobs.upkeep.space import tidy

    options = TidyOptions(None if budget is None else str(budget), features, older_than_days)
    return _answer(tidy(store, options.wanted, dry_run=dry_run), _GARBAGE)


def run_details(store: "Store", run_id: str) -> RunDetails:
    """A run in detail."""
    from jobs.upkeep.runs import shown_run

    found = shown_run(store, run_id)
    return RunDetails(**found | {"begun": _time(found["begun"])})


def dataset_details(store: "Store", name: str) -> DatasetDetails:
    """A dataset in detail."""
    from jobs.upkeep.datasets import shown_dataset

    found = shown_dataset(store, name)
    return DatasetDetails(made_from_it=found.pop("made from it"), **found)


def removed_run(store: "Store", run_id: str, *, dry_run: bool) -> Removal:
    """Remove a run."""
    from jobs.upkeep.runs import take_run_away

    found = take_run_away(store, run_id, dry_run=dry_run)
    return _removal(found["run"], found, found["tags"], found["results that stay"])


def removed_dataset(store: "Store", name: str, *, even_if_used: bool, dry_run: bool) -> Removal:
    """Remove a dataset."""
    from jobs.upkeep.datasets import take_dataset_away

    found = take_dataset_away(store, name, used_too=even_if_used, dry_run=dry_run)
    return _removal(name, found, found["codes and features"], found["runs that lose it"])


def renamed_dataset(store: "Store", name: str, new: str, *, dry_run: bool) -> Renaming:
    """Rename a dataset."""
    from jobs.upkeep.renaming import rename_dataset

    found = rename_dataset(store, name, new, dry_run=dry_run)
    gone = tuple(found["codes and features that go"])
    return Renaming(found["dataset"], found["was"], found["clips"], gone, found["renamed"])


def tagged(store: "Store", tag: str, run_id: str | None, *, dry_run: bool) -> Tagging:
    """Let a tag name a run, or with None take it away."""
    from jobs.upkeep.runs import forget_tag, tag_run

    if run_id is None:
        return Tagging(**forget_tag(store, tag, dry_run=dry_run))
    return Tagging(**tag_run(store, tag, run_id, dry_run=dry_run))


def _removal(name: str, found: Mapping[str, Any], with_it: Sequence[str], left: Sequence[str]) -> Removal:
    return Removal(name, found["files"], found["bytes"], tuple(with_it), tuple(left), found["removed"])


def _answer(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Answer:
    """Rows as an answer, which has its columns also where there are no rows."""
    import pyarrow as pa

    made = {"strings": pa.list_(pa.string()), "time": pa.timestamp("us", tz="UTC")}
    types = {name: made.get(kind) or pa.type_for_alias(kind) for name, kind in columns.items()}
    return Answer(pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema(list(types.items()))))


def _time(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
