"""Python's `directions`: fit them to a run or to arrays, and find them by class, site and layer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Required, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jobs.api.keywords import Edited, FitOfRun, documented, of_arrays, options_from
from jobs.api.runs import Run
from jobs.api.values import Layers, names_text
from jobs.directions.options import DirectionOptions
from jobs.generate.options import GenerateOptions
from store.errors import InvalidInput, NotFound, counted

if TYPE_CHECKING:
    from analysis.concepts import Concept
    from analysis.directions.fitting import Direction as FittedDirection
    from jobs.api.answers import Answer
    from jobs.api.stores import Store
    from pipelines.steering.edits import Edit
    from store.records import Site
    from store.results.fits import VectorRow

Pairs = Sequence[tuple[str, str]]
"""(from class, to class), …"""
MOST_NAMED = 8
RANDOM_SEEDS = 2**32


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Direction:
    """A unit vector from one class to another, and what held-out rows say of it."""

    vector: NDArray[np.float32]
    """(D,), of length 1; the class `positive` projects higher, except on random directions."""
    positive: str
    """Class to which it points."""
    negative: str | None
    """Class from which it points; None: all others."""
    method: str
    """As it was fitted: "diffmean", "mse", "random" …"""
    concept: str = ""
    """Name of the label."""
    site: str | None = None
    """Where in a block it was found; None for arrays of unknown origin (see `at`)."""
    layer: int | None = None
    """Number of the layer, from 0."""
    head: int | None = None
    """Number of the attention head that it was found in and belongs to; None: all of the site."""
    reduction: str | None = None
    """What was kept over time of the rows it was fitted to."""
    score: float | None = None
    """Held-out ROC-AUC: how often a row of the class projects higher than another; None: not measured."""
    interval: tuple[float, float] | None = None
    """95 %, over groups."""
    random_score: float | None = None
    """ROC-AUC that 95 % of random directions of its place stay within."""
    norm: float = 1.0
    """Length before it was brought to 1; of diffmean the distance between the class means."""
    penalty: float | None = None
    """Of mse and logistic: chosen on held-out folds, per training row and unit of variance."""
    reader: NDArray[np.float32] | None = None
    """Of leace, (D,): what is read where the direction is erased."""
    reader_offset: float = 0.0
    model_fingerprint: str | None = None
    """Of the model that it belongs to; it means nothing in another."""
    vector_id: str | None = None
    """Its id in the store, where it is stored."""

    @property
    def within_random(self) -> bool | None:
        """Whether random directions do as well; None where nothing was measured."""
        if self.score is None or self.random_score is None:
            return None
        return self.score <= self.random_score

    def at(self, site: "Site", layer: int, *, head: int | None = None) -> "Direction":
        """The same direction, said to belong to a place: needed for those of arrays before they steer.

        Args:
            site: "embed", "resid", "attn", "head", "xattn" or "mlp".
            layer: the model's number of the layer, from 0.
            head: of the site "head", the attention head that it belongs to, from 0.
        """
        return replace(self, site=site, layer=layer, head=head)

    @documented(Edited, GenerateOptions)
    def edit(
        self, alpha: float, *, schedule: str = "constant", weight: float = 1.0, **given: Unpack[Edited]
    ) -> "Edit":
        """The direction as an edit of activations at its place.

        Args:
            alpha: strength; for "ablate" the part that is removed, 1 being all.
            schedule: over time, such as "linear-down:4,every:5".
            weight: of this layer among several.

        Raises:
            InvalidInput: it does not say where it belongs, or the values are not legal.
        """
        from pipelines.steering.edits import Edit, Origin
        from pipelines.steering.schedules import parse_schedule

        if self.site is None or self.layer is None:
            raise InvalidInput(
                "This direction was fitted to arrays and does not say where it belongs: say it, as in "
                'direction.at("resid", 5).'
            )
        site: Any = self.site
        erases = given.get("kind") == "ablate" and self.reader is not None
        found_in = self.model_fingerprint
        return Edit(
            site=site,
            layer=self.layer,
            head=self.head,
            vector=self.vector,
            alpha=alpha,
            schedule=parse_schedule(schedule),
            weight=weight,
            origin=None if found_in is None else Origin(found_in, site, self.layer, self.head),
            reader=self.reader if erases else None,
            reader_offset=self.reader_offset if erases else 0.0,
            **given,
        )

    def __repr__(self) -> str:
        place = "" if self.site is None else f", {self.site} layer {self.layer}"
        if self.head is not None:
            place += f" head {self.head}"
        against = "all others" if self.negative is None else self.negative
        measured = "not measured"
        if self.score is not None and self.interval is not None:
            low, high = self.interval
            measured = (
                f"ROC-AUC {self.score:.3f} ({low:.3f} to {high:.3f}), random {self.random_score or 0:.3f}"
            )
        return f"Direction({against} → {self.positive}, {self.method}{place}: {measured})"

    @property
    def words(self) -> frozenset[str | int]:
        """What it can be asked for by, see `Directions`."""
        words: set[str | int | None] = {self.positive, self.negative, f"{self.negative}:{self.positive}"}
        words |= {self.method, self.concept, self.site, self.reduction, f"{self.site}.{self.reduction}"}
        return frozenset(word for word in words | {self.layer} if word is not None)


class Directions(Sequence[Direction]):
    """Directions that are found by what they are: `directions["jazz", "resid", 5]`.

    A key holds, in any order, what tells one direction from the others: the class to which it points (or
    "from:to"), the label, the site (or "site.reduction"), the method, and the layer as a number. A whole
    number alone is a place in the sequence, as in a list.
    """

    def __init__(self, found: Sequence[Direction], notes: Sequence[str] = ()) -> None:
        self._found = tuple(found)
        self.notes = tuple(notes)
        """What to know before believing them."""

    @overload
    def __getitem__(self, key: int | str | tuple[str | int, ...]) -> Direction: ...

    @overload
    def __getitem__(self, key: slice) -> "Directions": ...

    def __getitem__(self, key: int | str | tuple[str | int, ...] | slice) -> "Direction | Directions":
        if isinstance(key, slice):
            return Directions(self._found[key], self.notes)
        if isinstance(key, int):
            return self._found[key]
        return self._only(key if isinstance(key, tuple) else (key,))

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Direction]:
        return iter(self._found)

    def like(self, *key: str | int) -> "Directions":
        """All directions that a key fits, in their order; none where it fits none."""
        found = [one for one in self._found if all(part in one.words for part in key)]
        pointed = [one for one in found if one.positive in key]
        return Directions(pointed or found, self.notes)

    def table(self) -> "Answer":
        """A row per direction, without its numbers."""
        import pyarrow as pa

        from jobs.api.answers import Answer

        names = ("concept", "positive", "negative", "method", "site", "reduction", "layer", "score")
        rows = [
            {name: getattr(one, name) for name in names}
            | {"random_score": one.random_score, "within_random": one.within_random}
            for one in self._found
        ]
        return Answer(pa.Table.from_pylist(rows))

    def __repr__(self) -> str:
        first = [f"  {one!r}" for one in self._found[:MOST_NAMED]]
        more = [f"  … {len(self) - MOST_NAMED} more"] if len(self) > MOST_NAMED else []
        return "\n".join([counted(len(self), "direction"), *first, *more])

    def _only(self, key: tuple[str | int, ...]) -> Direction:
        found = self.like(*key)
        if len(found) == 1:
            return found[0]
        if not found:
            known = sorted({str(word) for one in self._found for word in one.words})
            raise NotFound(f"There is no direction {key!r}; keys are made of {', '.join(known)}.")
        shown = "; ".join(map(repr, found[:3]))
        raise InvalidInput(f"{key!r} may mean {len(found)} directions ({shown} …): say more of it.")


class Fitted(FitOfRun, total=False):
    """How directions of a run are fitted."""

    labels: Required[Annotated[str, "for a run, one SELECT that gives clip_id and label columns."]]
    method: Annotated[
        str | Sequence[str],
        'one or several of "mse", "logistic", "diffmean", "mass_mean", "pca", "leace", "random", or of '
        'plug-ins; or "all" that are built in; "mse:0.1" names its penalty.',
    ]
    heads: Annotated[
        Layers, 'for a run, attention heads of the site "head", read one by one, such as [0, 3] or "all".'
    ]
    pairs: Annotated[Pairs, "(from, to) classes; by default every class against all others."]
    folds: int
    seed: Annotated[int, "of random directions."]


@overload
def directions(source: Run, **given: Unpack[Fitted]) -> Directions: ...


@overload
def directions(
    source: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    method: str | Sequence[str] = "diffmean",
    pairs: Pairs = (),
    folds: int = 5,
    seed: int = 0,
) -> Directions: ...


@documented(Fitted, DirectionOptions, labels=None, method="diffmean")
def directions(
    source: Any, y: ArrayLike | None = None, *, groups: ArrayLike | None = None, **given: Any
) -> Directions:
    """Fit directions that tell classes apart: on every layer of a run, or on arrays.

    Those of a run are stored with it, and not fitted again. Each is measured on rows of groups that it was
    not fitted to, beside random directions of its place.

    Args:
        source: a run, or features (n, D).
        y: for arrays, the class of each row, (n,).
        groups: for arrays, what a fold does not cut through, (n,); by default every row is its own.

    Raises:
        InvalidInput: labels, classes or methods that cannot be used.
        QueryRefused: the query is wrong.

    Examples:
        >>> import numpy as np
        >>> random = np.random.default_rng(0)
        >>> y = np.repeat(["jazz", "rock"], 40)
        >>> X = random.normal(size=(80, 8)) + 2 * (y == "jazz")[:, None]
        >>> found = directions(X, y, groups=np.arange(80) % 20, method="diffmean")["jazz"]
        >>> bool(found.score > 0.9), found.within_random
        (True, False)
    """
    if not isinstance(source, Run):
        if y is None:
            raise InvalidInput("Directions of arrays need labels: directions(X, y, groups=…).")
        return _of_arrays(source, y, groups, **of_arrays(given))
    if given["labels"] is None:
        raise InvalidInput(
            'Directions of a run need a query: labels="SELECT clip_id, genre FROM clips". Of arrays give '
            "X and y."
        )
    from jobs.directions.fitting import run_directions
    from jobs.directions.stored import vectors_of
    from jobs.progress.reporters import told

    own = {"pairs": ("pairs", _pair_texts)}
    options = options_from(DirectionOptions, given, own, store=source.store_url, run=source.id)
    with told(given.get("progress", False)):
        fitted = run_directions(options)
    found = vectors_of(source.store, fitted.ids) if fitted.ids else []
    return Directions([_of_stored(one) for one in found], fitted.summary["notes"])


def _pair_texts(pairs: Pairs) -> tuple[str, ...]:
    return tuple(f"{one}:{other}" for one, other in pairs)


def stored_directions(store: "Store", where: str = "true", **parameters: Any) -> Directions:
    """Directions that a store has.

    Args:
        store: where they are.
        where: a condition on the columns of the table `vectors`, such as "method = 'mse' AND layer = $layer".
        parameters: values of $name in the condition.

    Raises:
        InvalidInput: the store has no directions at all.
        QueryRefused: the condition is wrong.
    """
    from jobs.directions.stored import read_vectors

    return Directions([_of_stored(one) for one in read_vectors(store.opened, where, parameters=parameters)])


def superposition(store: "Store", where: str = "true", **parameters: Any) -> "Answer":
    """How the stored directions of each place and method share its dimensions, a row per direction.

    Args:
        store: where they are.
        where: a condition on the columns of the table `vectors`; of several fits of one direction the newest
            that meets it counts.
        parameters: values of $name in the condition.

    Returns:
        The closest other direction, the share of a dimension that it has for itself, the length left of it
        after all others are projected out; and for its place the mean cosine against that of random
        directions, the Welch bound and the effective rank.

    Raises:
        InvalidInput: no direction meets the condition.
        QueryRefused: the condition is wrong.
    """
    from jobs.api.answers import answer_of
    from jobs.directions.overlap import overlap_rows
    from jobs.directions.stored import read_vectors

    rows = overlap_rows(read_vectors(store.opened, where, parameters=parameters, newest=True))
    if not rows:
        raise InvalidInput(f"No direction meets {where!r}; stored_directions(store) shows all.")
    return answer_of(rows)


def _of_stored(one: "VectorRow") -> Direction:
    measured = one.score is not None and one.score_low is not None and one.score_high is not None
    return Direction(
        vector=one.vector,
        positive=one.positive,
        negative=one.negative,
        method=one.method,
        concept=one.concept,
        site=one.site,
        layer=one.layer,
        head=one.head,
        reduction=one.reduction,
        score=one.score,
        interval=(one.score_low or 0.0, one.score_high or 0.0) if measured else None,
        random_score=one.random_score,
        norm=one.norm,
        penalty=one.penalty,
        reader=one.reader,
        reader_offset=one.reader_offset or 0.0,
        model_fingerprint=one.model_fingerprint,
        vector_id=one.vector_id,
    )


def _of_arrays(
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None,
    *,
    method: str | Sequence[str],
    pairs: Pairs = (),
    folds: int = 5,
    seed: int = 0,
) -> Directions:
    from analysis.concepts import (
        concept_of,
        matrix_of,
        rare_classes_note,
        require_contrast,
        texts_of,
        without_rare_classes,
    )
    from analysis.directions.fitting import fit_directions
    from analysis.splits import group_folds
    from jobs.directions.fitting import parse_methods

    rows, concept = matrix_of(X), concept_of("y", y, kind="class")
    names = texts_of(np.arange(len(rows)) if groups is None else np.asarray(groups))
    if not len(rows) == len(concept.values) == len(names):
        raise InvalidInput(
            f"X has {len(rows)} rows, y {len(concept.values)} and groups {len(names)}: give one for each row."
        )
    concept, rare = without_rare_classes(concept, names)
    require_contrast(concept, rows="rows", cure="Give labels of more groups.")
    notes = [rare_classes_note("y", rare, rows="rows")] if rare else []
    cells, parsed = group_folds(names, folds), parse_methods(names_text(method))
    found: list[Direction] = []
    for place, (positive, negative, used) in enumerate(_contrasts(concept, pairs)):
        fitted = fit_directions(
            rows[used],
            (concept.values[used] == concept.classes.index(positive))[:, np.newaxis],
            folds=cells[used],
            groups=names[used],
            methods=parsed,
            seeds=[(seed + place) % RANDOM_SEEDS],
        )[0]
        found += [_of_fitted(one, positive, negative, name) for name, one in fitted.items()]
    return Directions(found, notes)


def _contrasts(concept: "Concept", pairs: Pairs) -> Iterator[tuple[str, str | None, NDArray[np.bool_]]]:
    """To which class, from which, and on which rows."""
    for source, target in pairs:
        if {source, target} - set(concept.classes) or source == target:
            raise InvalidInput(
                f"({source!r}, {target!r}) are not two classes; classes are {', '.join(concept.classes)}."
            )
        codes = [concept.classes.index(source), concept.classes.index(target)]
        yield target, source, np.isin(concept.values, codes)
    if not pairs:
        for name in concept.classes:
            yield name, None, concept.labelled


def _of_fitted(one: "FittedDirection", positive: str, negative: str | None, method: str) -> Direction:
    held_out = one.held_out
    return Direction(
        vector=one.vector.astype(np.float32),
        positive=positive,
        negative=negative,
        method=method,
        score=None if held_out is None else held_out.score,
        interval=None if held_out is None else (held_out.score_low, held_out.score_high),
        random_score=one.random_score,
        norm=one.norm,
        penalty=one.penalty,
        reader=None if one.reader is None else one.reader.astype(np.float32),
        reader_offset=one.reader_offset or 0.0,
    )
