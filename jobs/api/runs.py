"""A run in Python: its description, and its layers as arrays beside labels from a SQL query."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jobs.api import upkeep
from jobs.api.shown import html_lines, lines, listed, ranges
from jobs.api.values import Tables, arrow_tables
from store.errors import InvalidInput, counted

if TYPE_CHECKING:
    import xarray

    from jobs.fitting.labels import LabelledRows
    from store.arrays.collection import Collection
    from store.catalog.activation_table import LayerScan
    from store.opening import Store as OpenedStore


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LabelledTable:
    """Rows of one layer with a label each; `X, y, groups = table` takes it apart."""

    X: NDArray[Any]
    """Activations (n, D), a row per clip in the order of the plan; (n, time, D) of frames or segments."""
    y: NDArray[Any]
    """Labels (n,): names of classes, or numbers."""
    groups: NDArray[np.str_]
    """What a split must not cut through, (n,): the dataset's groups; those of equal files are one."""
    clip_ids: tuple[str, ...]
    """The clip of each row, n of them."""
    splits: NDArray[np.str_]
    """The dataset's own split of each row, (n,); "" where it has none."""
    label: str
    """Name of the label."""
    notes: tuple[str, ...]
    """What to know before believing a score: labels that were left out, equal files, and so on."""

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.X, self.y, self.groups))

    def __repr__(self) -> str:
        kinds = counted(len(np.unique(self.y)), "class", "classes") if self.y.dtype.kind == "U" else "numbers"
        return (
            f"LabelledTable(X {self.X.shape}, y {self.label!r} of {kinds}, "
            f"{counted(len(np.unique(self.groups)), 'group')}, {counted(len(self.notes), 'note')})"
        )


class Run:
    """The activations of one dataset in one model, as they are stored.

    A run grows while its extraction works; `refresh` looks again.
    """

    def __init__(self, store: "OpenedStore", collection: "Collection") -> None:
        self._store, self._collection = store, collection

    @property
    def id(self) -> str:
        """Its name in the store."""
        return self._collection.prefix.removeprefix("runs/")

    @property
    def store(self) -> "OpenedStore":
        """The store that it is in."""
        return self._store

    @property
    def store_url(self) -> str:
        """Folder or URL of its store."""
        return self._store.url

    @property
    def document(self) -> dict[str, Any]:
        """All that decided it, as run.json has it."""
        return self._collection.document

    @property
    def model(self) -> str:
        """Name of its model."""
        return str(self.document.get("model", {}).get("name", ""))

    @property
    def dataset(self) -> str:
        """Name of its dataset; "" for one of generations."""
        return str(self.document.get("dataset", {}).get("name", ""))

    @property
    def arrays(self) -> tuple[str, ...]:
        """What can be read: "<site>.<reduction>"."""
        return tuple(self._collection.arrays)

    @property
    def layers(self) -> tuple[int, ...]:
        """Numbers of the layers that any array has."""
        found = {layer for name in self.arrays for layer in self._collection.layers(name)}
        return tuple(sorted(found))

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Clips that have activations, in the order of the plan."""
        return tuple(self._collection.index().usable[1].to_pylist())

    @property
    def complete(self) -> bool:
        """Whether nothing of its plan is missing."""
        return self._collection.is_complete()

    def refresh(self) -> None:
        """See what was committed since it was opened."""
        self._collection.refresh()

    def layer(
        self, array: str, layer: int, clip_ids: Sequence[str] | None = None
    ) -> tuple[NDArray[Any], tuple[str, ...]]:
        """One layer of an array, and the clip of each row.

        Args:
            array: "<site>.<reduction>", such as "resid.mean".
            layer: the model's number of the layer, from 0.
            clip_ids: clips to read, in this order; by default all that have activations.

        Returns:
            Activations (n, D), in the unit of the model's residual stream, or (n, segments, D) and
            (n, time, D); and the n clip ids.

        Raises:
            NotFound: the run has no such array or layer.
            MissingRows: a clip that was named has no activations.
            CorruptData: a file of it is damaged.
        """
        values, ids = self._collection.read_layer(array, layer, clip_ids)
        return values, tuple(ids)

    def vectors(self, array: str, layer: int) -> "LayerScan":
        """One layer as a table (clip_id, vector) for `store.sql`, of which queries read what they need.

        Args:
            array: "<site>.<reduction>", such as "resid.mean"; of frames and segments each row is one vector,
                with a column frame or segment.
            layer: the model's number of the layer, from 0.

        Raises:
            NotFound: the run has no such array or layer.
        """
        from store.catalog.activation_table import ActivationTable, activation_table

        return activation_table(self._store, ActivationTable(self.id, array, layer, "x"))

    def table(
        self, array: str, layer: int, *, labels: str, label: str | None = None, tables: Tables = None
    ) -> LabelledTable:
        """One layer beside labels that a query gives: `X, y, groups = run.table("resid.mean", 5, labels=…)`.

        Args:
            array: "<site>.<reduction>", such as "resid.mean".
            layer: the model's number of the layer, from 0.
            labels: one SELECT that gives clip_id and a label column. Text and booleans are classes, numbers
                are numbers; columns `group_id` and `split` replace those of the dataset.
            label: which label column, where the query gives several.
            tables: tables of yours that the query may read, by name.

        Raises:
            InvalidInput: the query labels nothing of this run, or gives several label columns.
            QueryRefused: the query is wrong.
            NotFound: the run has no such array or layer.
        """
        found = self.labelled(labels, tables=tables)
        concepts = {concept.name: concept for concept in found.concepts}
        if label is None and len(concepts) > 1:
            raise InvalidInput(
                f"The query gives {len(concepts)} labels ({', '.join(concepts)}): choose one, as in "
                f"label={next(iter(concepts))!r}."
            )
        name = label or next(iter(concepts))
        if name not in concepts:
            raise InvalidInput(f"The query gives no label {name!r}; it gives {', '.join(concepts)}.")
        concept = concepts[name]
        rows = np.flatnonzero(concept.labelled)
        clip_ids = tuple(found.clip_ids[row] for row in rows)
        values, _ = self.layer(array, layer, clip_ids)
        known = concept.values[rows]
        return LabelledTable(
            X=values,
            y=np.array(concept.classes, dtype=np.str_)[known] if concept.kind == "class" else known,
            groups=found.groups[rows],
            clip_ids=clip_ids,
            splits=found.splits[rows],
            label=name,
            notes=found.notes,
        )

    def labelled(self, labels: str, *, tables: Tables = None) -> "LabelledRows":
        """The clips of this run that a query labels, with their groups and splits; nothing is stored.

        Args:
            labels: as for `table`, with one label column or more.
            tables: as for `table`.

        Raises:
            InvalidInput: the query labels nothing of this run.
            QueryRefused: the query is wrong.
        """
        from jobs.fitting.labels import resolve_labels

        return resolve_labels(self._store, self._collection, labels, tables=arrow_tables(tables))

    def as_xarray(self, array: str) -> "xarray.DataArray":
        """An array of all clips that have activations, lazily, with coordinates clip_id and layer."""
        return self._collection.as_xarray(array)

    def as_zarr(self) -> Any:
        """The `zarr.Group`, read-only; rows that are not committed are to be left alone."""
        return self._collection.as_zarr()

    def details(self) -> upkeep.RunDetails:
        """Its state, its arrays, where it was computed, its tags, and results about it.

        Examples:
            >>> store.run("songs").details().state
            'complete'
        """
        return upkeep.run_details(self._store, self.id)

    def tag(self, tag: str, *, dry_run: bool = False) -> upkeep.Tagging:
        """Give it a name that every command and `store.run` take; `store.remove_tag` takes it away.

        Args:
            tag: the name, which is of one run; given again it moves.
            dry_run: say what would change, and change nothing.

        Raises:
            InvalidInput: that cannot be a tag.

        Examples:
            >>> store.run("songs").tag("baseline").changed
            True
        """
        return upkeep.tagged(self._store, tag, self.id, dry_run=dry_run)

    def remove(self, *, dry_run: bool = False) -> upkeep.Removal:
        """Remove it with its activations and the tags that name it; results about it stay.

        Args:
            dry_run: say what would go, and change nothing.

        Raises:
            Conflict: a command is at work on it.

        Examples:
            >>> store.run("songs").remove(dry_run=True).removed
            False
        """
        return upkeep.removed_run(self._store, self.id, dry_run=dry_run)

    def __repr__(self) -> str:
        return lines(f"Run {self.id}", self._shown())

    def _repr_html_(self) -> str:
        return html_lines(f"Run {self.id}", self._shown())

    def _shown(self) -> dict[str, str]:
        states = self._collection.counts()
        failed, planned = states["failed"], len(self._collection.plan().clip_ids.unique())
        said = f"{states.total():,} of {planned:,}" + (f", {failed} failed" if failed else "")
        random = self.document.get("model", {}).get("random_weights")
        return {
            "dataset": self.dataset or "(generations)",
            "model": self.model + (" (random weights)" if random else ""),
            "clips": said,
            "arrays": listed(self.arrays),
            "layers": ranges(self.layers),
        }
