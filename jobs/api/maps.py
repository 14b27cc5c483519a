"""Python's `clip_map`, `clip_sound` and `save_selection`: see the clips of a layer, pick some, hear them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jobs.api.answers import Answer
from jobs.api.directions import Direction, directions
from jobs.api.keywords import documented, options_from
from jobs.api.runs import Run
from jobs.api.sounds import Sound
from jobs.api.stores import Store, open_store
from jobs.api.values import Tables, arrow_tables, roots_texts
from jobs.maps.options import MapOptions, Method
from jobs.progress.reporters import Told
from store.errors import InvalidInput

if TYPE_CHECKING:
    from jobs.maps.drawing import Drawn
    from store.opening import Store as OpenedStore

PICKED, OTHERS = "picked", "others"
"""Classes of the direction of a selection."""


class Mapped(TypedDict, total=False):
    """Which clips are drawn, and how."""

    array: Annotated[str, 'an array with one vector per clip, such as "resid.mean".']
    method: Annotated[Method, '"pca" (the two widest axes, at once) or "umap" (neighbours, with progress).']
    clips: Annotated[int, "how many are drawn at most; of more as many are drawn by lot, and it is said."]
    seed: int
    keep: Annotated[bool, "write a map of umap to the store, so that it is not made again."]
    progress: Annotated[Told, "True shows progress; a function is called with every `Progress`."]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClipMap:
    """Where the clips of a layer lie in a plane."""

    run: Run
    array: str
    layer: int
    method: str
    clip_ids: tuple[str, ...]
    points: NDArray[np.float64]
    """(n, 2)."""
    shares: tuple[float, float] | None
    """Of "pca": the share of the variance along either axis."""
    trust: float
    """Trustworthiness: 1 where neighbours on the map are neighbours in truth, about 0.5 by chance."""
    clips: int
    """That the layer has; n of them are drawn."""
    notes: tuple[str, ...]
    """What to know before believing it."""

    def table(self) -> Answer:
        """A row per clip: clip_id, x, y, and all that its dataset says of it."""
        from jobs.maps.exporting import described

        return Answer(described(self.run.store, self._drawn()))

    def inside(self, polygon: ArrayLike) -> tuple[str, ...]:
        """The clips inside a closed line, given by its corners (k, 2): what a lasso picks.

        Raises:
            InvalidInput: the line has fewer than three corners.
        """
        from analysis.maps import within

        found = np.flatnonzero(within(self.points, np.asarray(polygon)))
        return tuple(self.clip_ids[place] for place in found)

    def values(self, query: str, *, tables: Tables = None) -> list[Any]:
        """What a query says of each clip, in the order of the map; None where it says nothing.

        Args:
            query: one SELECT that gives clip_id and one more column.
            tables: tables of yours that it may read, by name.

        Raises:
            InvalidInput: it gives other columns.
            QueryRefused: the query is wrong.
        """
        from store.catalog.asking import Catalog

        found = Catalog.of(self.run.store).ask(query, tables=arrow_tables(tables))
        others = [name for name in found.column_names if name != "clip_id"]
        if "clip_id" not in found.column_names or len(others) != 1:
            raise InvalidInput(
                f"The query gives {', '.join(found.column_names)}; one that colours a map gives clip_id "
                "and one more column, such as the genre of each clip."
            )
        told = dict(zip(found["clip_id"].to_pylist(), found[others[0]].to_pylist(), strict=True))
        return [told.get(clip_id) for clip_id in self.clip_ids]

    def errors(self, labels: str, *, tables: Tables = None) -> list[float | None]:
        """How wrong a linear probe of this layer is on each clip that it was not fitted to.

        Args:
            labels: one SELECT that gives clip_id and a label column.
            tables: tables of yours that it may read, by name.

        Returns:
            Of classes 0 (named right) or 1, of numbers the distance from the true one; None where there is
            no label.

        Raises:
            InvalidInput: the query labels nothing of this map, or too few groups.
        """
        from jobs.api.probes import probe

        known = self.run.table(self.array, self.layer, labels=labels, tables=tables)
        predicted = probe(known.X, known.y, groups=known.groups, controls=0).predictions
        told = {}
        for clip_id, actual, found in zip(known.clip_ids, known.y, predicted, strict=True):
            if found is None or (isinstance(found, float) and np.isnan(found)):
                continue
            told[clip_id] = float(actual != found) if isinstance(found, str) else abs(float(actual - found))
        return [told.get(clip_id) for clip_id in self.clip_ids]

    def direction_of(self, clip_ids: Sequence[str], *, method: str = "diffmean") -> Direction:
        """The direction from the other clips of the map to some, measured on clips of held-out groups.

        Clips that were picked for their place on this map are apart along it by the picking alone: a high
        score says that they can be steered to, and not that they share more than their place.

        Args:
            clip_ids: the clips to which it points.
            method: how it is fitted, such as "diffmean", "mse" or "logistic".

        Raises:
            InvalidInput: they are none or all of the map, or of too few groups.
        """
        chosen = set(clip_ids) & set(self.clip_ids)
        if not 0 < len(chosen) < len(self.clip_ids):
            raise InvalidInput(
                f"{len(chosen)} of the {len(self.clip_ids)} clips of the map are picked: a direction needs "
                "some that are, and some that are not."
            )
        from jobs.fitting.labelled_clips import read_clips
        from store.catalog.catalog import refresh_catalog

        vectors, _ = self.run.layer(self.array, self.layer, self.clip_ids)
        known = read_clips(refresh_catalog(self.run.store), self.run.id, timeout_seconds=None)
        told = dict(
            zip(known.column("clip_id").to_pylist(), known.column("group_id").to_pylist(), strict=True)
        )
        groups = [told.get(clip_id, clip_id) for clip_id in self.clip_ids]
        y = np.where([clip_id in chosen for clip_id in self.clip_ids], PICKED, OTHERS)
        found = directions(vectors, y, groups=groups, method=method, pairs=[(OTHERS, PICKED)])
        if not found:
            raise InvalidInput(
                "The picked clips and the others do not differ in their means: nothing points."
            )
        site, _, reduction = self.array.rpartition(".")
        fingerprint = self.run.document.get("model", {}).get("fingerprint")
        placed: Any = site
        return replace(
            found[0].at(placed, self.layer),
            concept="selection",
            reduction=reduction,
            model_fingerprint=fingerprint,
        )

    def turned_to(self, other: "ClipMap") -> "ClipMap":
        """The same map, turned, mirrored, moved and scaled as a whole to lie as near to another as can be."""
        from analysis.maps import turned_to

        places = {clip_id: place for place, clip_id in enumerate(other.clip_ids)}
        shared = [place for place, clip_id in enumerate(self.clip_ids) if clip_id in places]
        if len(shared) < 2:
            return self
        there = [places[self.clip_ids[place]] for place in shared]
        return replace(self, points=turned_to(self.points, other.points, shared, there))

    def save(
        self, path: str | Path, *, audio: bool = False, roots: Mapping[str, str | Path] | None = None
    ) -> Path:
        """Write it as Parquet with all columns of its clips, which Embedding Atlas opens. Returns the path.

        Args:
            path: the file, which must end in .parquet.
            audio: write the sound of each clip, too.
            roots: where the audio of a dataset is, by its name.

        Raises:
            InvalidInput: the path cannot be written to.
            NotFound: nobody knows where the recordings are.
        """
        from jobs.maps.exporting import export_map

        file = Path(path).expanduser()
        export_map(self.run.store, self._drawn(), file, audio=audio, roots=roots_texts(roots))
        return file

    def __repr__(self) -> str:
        drawn = f"{len(self.clip_ids):,} of {self.clips:,} clips"
        return f"ClipMap({self.method} of {self.array} layer {self.layer}: {drawn}, trust {self.trust:.2f})"

    def _drawn(self) -> "Drawn":
        import pyarrow as pa

        from jobs.maps.drawing import Drawn

        return Drawn(pa.array(self.clip_ids, pa.string()), self.points, self.shares, self.trust, self.clips)


@documented(Mapped, MapOptions, named={"method": "method"}, keep=True)
def clip_map(run: Run, *, layer: int, **given: Unpack[Mapped]) -> ClipMap:
    """Draw the clips of a layer in a plane.

    Args:
        run: whose activations.
        layer: number of the layer.

    Raises:
        NotFound: there is no such array or layer.
        InvalidInput: the array has several vectors per clip, or there are too few clips.

    Examples:
        >>> plane = clip_map(store.run("songs"), layer=3)
        >>> plane.points.shape
        (16, 2)
        >>> len(plane.inside([(-1e9, -1e9), (1e9, -1e9), (1e9, 1e9), (-1e9, 1e9)]))
        16
    """
    from jobs.maps.drawing import draw_map
    from jobs.progress.reporters import told

    own = {"method": ("method", str)}  # one, where fits take several
    options = options_from(MapOptions, given, own, store=run.store_url, run=run.id, layer=layer)
    with told(given.get("progress", False)):
        drawn = draw_map(options)
    return ClipMap(
        run,
        options.array,
        layer,
        options.method,
        tuple(drawn.clip_ids.to_pylist()),
        drawn.points,
        drawn.shares,
        drawn.trust,
        drawn.clips,
        tuple(drawn.notes),
    )


def clip_sound(
    store: Store | str | Path,
    clip_id: str,
    *,
    sample_rate: int = 32_000,
    roots: Mapping[str, str | Path] | None = None,
) -> Sound:
    """The sound of a clip of a dataset, mono.

    Args:
        store: a store, or its folder or URL.
        clip_id: as the table `clips` has it.
        sample_rate: of the samples, whatever the recording has.
        roots: where the audio of a dataset is, by its name.

    Raises:
        NotFound: there is no such clip, or nobody knows where its recording is.
        AudioError: the recording cannot be decoded.

    Examples:
        >>> clip_sound(store, store.run("songs").clip_ids[0], roots={"songs": recordings})
        Sound(1 s at 32000 Hz)
    """
    from jobs.maps.clip_sounds import decoded_clips

    opened = _opened(store)
    samples = next(decoded_clips(opened, [clip_id], roots=roots_texts(roots), sample_rate=sample_rate))
    return Sound(samples, sample_rate)


def save_selection(store: Store | str | Path, name: str, labels: Mapping[str, Sequence[str]]) -> int:
    """Name some clips and keep them with a label each, as rows of the view `selections`; returns how many.

    Args:
        store: a store, or its folder or URL.
        name: of the selection; one that is there is replaced.
        labels: by label, ids of clips.

    Raises:
        InvalidInput: there is no name or no clip, or a clip has two labels.
        NotFound: the store lists no such clip.

    Examples:
        >>> clips = store.run("songs").clip_ids
        >>> save_selection(store, "odd", {"yes": clips[:3], "no": clips[3:]})
        16
        >>> store.sql("SELECT label, count(*) AS n FROM selections GROUP BY label ORDER BY label")["n"]
        [13, 3]
    """
    from jobs.maps.selections import save_selection as kept

    return kept(_opened(store), name, labels)


def _opened(store: Store | str | Path) -> "OpenedStore":
    return (store if isinstance(store, Store) else open_store(store)).opened
