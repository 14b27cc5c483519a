"""A store in Python: its datasets and runs by name, and SQL over its catalog."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.api.answers import Answer
from jobs.api.runs import Run
from jobs.api.shown import MOST_SHOWN, html_lines, lines, listed, ranges
from jobs.api.values import Tables, arrow_tables
from store import opening
from store.catalog.query import DEFAULT_TIMEOUT_SECONDS
from store.errors import UndertoneError

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

    def __repr__(self) -> str:
        return lines(f"Dataset {self.name}", self._shown())

    def _repr_html_(self) -> str:
        return html_lines(f"Dataset {self.name}", self._shown())

    def _shown(self) -> dict[str, str]:
        failed = int(self.info["counts"]["failures"])
        return {
            "clips": f"{len(self):,} of {self.clip_seconds:g} s" + (f", {failed} failures" if failed else ""),
            "labels": listed(self.labels),
            **{f"finding {place}": text for place, text in enumerate(self.findings, start=1)},
        }


class _ByName(Mapping[str, Any]):
    """Things of a store by name, each opened when it is asked for."""

    kind = ""

    def __init__(self, store: opening.Store) -> None:
        self._store = store

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __repr__(self) -> str:
        return f"{self.kind} of {self._store.url}: {listed(self._names())}"

    def _names(self) -> list[str]:
        raise NotImplementedError


class Runs(_ByName):
    """The runs of a store by id; the beginning of an id is enough."""

    kind = "runs"

    def __getitem__(self, name: str) -> Run:
        return Run(self._store, self._store.run(name))

    def _names(self) -> list[str]:
        return self._store.runs()


class Datasets(_ByName):
    """The datasets of a store by name."""

    kind = "datasets"

    def __getitem__(self, name: str) -> Dataset:
        return Dataset(self._store.dataset(name))

    def _names(self) -> list[str]:
        return self._store.datasets()


class Store:
    """Everything of one project: datasets, runs and what was found in them."""

    def __init__(self, opened: opening.Store) -> None:
        self._opened = opened

    @property
    def opened(self) -> opening.Store:
        """The store below, for code that writes collections of its own."""
        return self._opened

    @property
    def url(self) -> str:
        """Its folder or URL."""
        return self._opened.url

    @property
    def runs(self) -> Runs:
        """Its runs by id."""
        return Runs(self._opened)

    @property
    def datasets(self) -> Datasets:
        """Its datasets by name."""
        return Datasets(self._opened)

    @property
    def results(self) -> tuple[str, ...]:
        """Kinds of results that are stored; each is a table of that name for `sql`, or feeds some."""
        return tuple(self._opened.objects.folders("results"))

    def run(self, run_id: str) -> Run:
        """One run by its id or the beginning of it.

        Raises:
            NotFound: there is none.
            InvalidInput: several begin so.
        """
        return self.runs[run_id]

    def dataset(self, name: str) -> Dataset:
        """One dataset by its name; raises `NotFound`."""
        return self.datasets[name]

    def sql(
        self,
        query: str,
        *,
        tables: Tables = None,
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        **parameters: Any,
    ) -> Answer:
        """The answer to one SELECT over the catalog.

        Args:
            query: the statement; it can read the catalog's tables and yours, and change nothing.
            tables: tables of yours that it may read, by name: Arrow tables, data frames, paths of files, or
                a layer of a run (`run.vectors("resid.mean", 5)`).
            timeout_seconds: what it may take; None for any time.
            parameters: values of $name in the statement, by names other than those above: text, numbers,
                booleans, None, or lists of them.

        Raises:
            QueryRefused: the statement is wrong, not a SELECT, too large or too slow.
            CorruptData: it needs a file of the store that is damaged.

        Examples:
            >>> store.sql("SELECT count(*) AS n FROM clips WHERE dataset = $name", name="songs")["n"]
            [16]
        """
        from store.catalog.activation_table import LayerScan
        from store.catalog.catalog import refresh_catalog
        from store.catalog.query import run_query

        catalog = refresh_catalog(self._opened)
        layers = {name: one for name, one in (tables or {}).items() if isinstance(one, LayerScan)}
        others = {name: one for name, one in (tables or {}).items() if name not in layers}
        found = run_query(
            catalog,
            query,
            timeout_seconds=timeout_seconds,
            tables=arrow_tables(others) | layers,
            parameters=parameters,
        )
        return Answer(found)

    def describe(self) -> Answer:
        """Every table that `sql` can read: a row per column, with its type and what it means."""
        import pyarrow as pa

        from store.catalog.catalog import refresh_catalog
        from store.catalog.query import describe_views

        rows = [
            {"table": view.name, "column": column.name, "type": column.type, "description": column.comment}
            for view in describe_views(refresh_catalog(self._opened))
            for column in view.columns
        ]
        return Answer(pa.Table.from_pylist(rows))

    def __repr__(self) -> str:
        return lines(f"Store {self.url}", self._shown())

    def _repr_html_(self) -> str:
        return html_lines(f"Store {self.url}", self._shown())

    def _shown(self) -> dict[str, str]:
        """What is in it, from names and documents alone: quick also where a store is large or far away."""
        datasets = {
            f"dataset {name}": _said(self.datasets, name) for name in list(self.datasets)[:MOST_SHOWN]
        }
        runs = {f"run {name}": _said(self.runs, name) for name in list(self.runs)[:MOST_SHOWN]}
        more = {
            f"more {one.kind}": f"{len(one) - MOST_SHOWN}"
            for one in (self.datasets, self.runs)
            if len(one) > MOST_SHOWN
        }
        return datasets | runs | more | {"results": listed(self.results, most=2 * MOST_SHOWN)}


def _said(known: Datasets | Runs, name: str) -> str:
    """A dataset or a run in a few words; one that is damaged says so and hides nothing else."""
    try:
        one = known[name]
        if isinstance(one, Dataset):
            return f"{len(one):,} clips of {one.clip_seconds:g} s; labels {listed(one.labels)}"
        return f"{one.model}: {listed(one.arrays)} at layers {ranges(one.layers)}"
    except UndertoneError as error:
        return f"cannot be read: {error}"


def url_of(store: Store | str | Path) -> str:
    """Where a store is that was given as itself or by its place."""
    return store.url if isinstance(store, Store) else str(store)


def open_store(path: str | Path, *, create: bool = False) -> Store:
    """Open a store.

    Args:
        path: its folder, or a URL such as s3://bucket/prefix.
        create: make it where there is none.

    Raises:
        NotFound: there is no store.
        UnsupportedStore: a place to write that lacks what safe writing needs.

    Examples:
        >>> list(open_store("music.store").datasets)
        ['songs']
    """
    return Store(opening.open_store(path, create=create))
