"""A store in Python: its datasets and runs by name, and SQL over its catalog."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jobs.api import upkeep
from jobs.api.answers import Answer
from jobs.api.runs import Run
from jobs.api.shown import MOST_SHOWN, html_lines, lines, listed, ranges
from jobs.api.stored_datasets import Dataset
from jobs.api.values import Tables, arrow_tables
from store import opening
from store.catalog.query import DEFAULT_TIMEOUT_SECONDS
from store.errors import UndertoneError, counted


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
        rebuild: bool = False,
        **parameters: Any,
    ) -> Answer:
        """The answer to one SELECT over the catalog.

        Args:
            query: the statement; it can read the catalog's tables and yours, and change nothing.
            tables: tables of yours that it may read, by name: Arrow tables, data frames, paths of files, or
                a layer of a run (`run.vectors("resid.mean", 5)`).
            timeout_seconds: what it may take; None for any time.
            rebuild: make the catalog anew from the store's files first.
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

        catalog = refresh_catalog(self._opened, rebuild=rebuild)
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

    def status(self) -> upkeep.Status:
        """State of every run, and what is damaged, from documents and records alone; `verify` reads all.

        Examples:
            >>> store.status().runs["state"]
            ['complete']
        """
        return upkeep.status(self._opened)

    def run_table(self) -> Answer:
        """A row per run with its state, its tags and when it was begun, those begun last first.

        Examples:
            >>> store.run_table()["clips"]
            [16]
        """
        return upkeep.run_table(self._opened)

    def dataset_table(self) -> Answer:
        """A row per dataset: clips, hours, failures, runs that came from it, bytes in the store.

        Examples:
            >>> store.dataset_table()["runs"]
            [1]
        """
        return upkeep.dataset_table(self._opened)

    def sizes(self) -> Answer:
        """What takes space: a row per kind of thing, the largest first; the caches beside the store last.

        Returns:
            Columns what, of, part, files, bytes, and in: "store" or "cache".

        Examples:
            >>> store.sizes()["what"][0]
            'activations'
        """
        return upkeep.sizes(self._opened)

    def tidy(
        self,
        *,
        budget: int | str | None = None,
        features: bool = False,
        older_than_days: float = 7.0,
        dry_run: bool = False,
    ) -> Answer:
        """Remove what killed commands left, heartbeats of the dead, and caches that can be made again.

        May be called while others write: nothing that is young or in use is touched.

        Args:
            budget: what moments and factors may take, in bytes or as in "10GB"; None for any size.
            features: remove features too; `probe` computes them again.
            older_than_days: take files that a killed command left for litter after so many days.
            dry_run: say what would go, and change nothing.

        Returns:
            Columns what, files and bytes: a row per kind of thing.

        Raises:
            InvalidInput: the budget is no size.

        Examples:
            >>> len(store.tidy(budget="10GB", dry_run=True))
            0
        """
        return upkeep.tidied(
            self._opened,
            budget=budget,
            features=features,
            older_than_days=older_than_days,
            dry_run=dry_run,
        )

    def remove_tag(self, tag: str, *, dry_run: bool = False) -> upkeep.Tagging:
        """Take a tag away; the run that it names stays.

        Args:
            tag: which one, see `Run.tag`.
            dry_run: say what would change, and change nothing.

        Raises:
            NotFound: there is no such tag.

        Examples:
            >>> _ = store.run("songs").tag("baseline")
            >>> store.remove_tag("baseline").run is None
            True
        """
        return upkeep.tagged(self._opened, tag, None, dry_run=dry_run)

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
            return f"{counted(len(one), 'clip')} of {one.clip_seconds:g} s; labels {listed(one.labels)}"
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
