"""Fit directions on every layer of a run that a user named, and store those that are not stored yet."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.directions import separation
from analysis.directions.estimators import PRODUCTS_BYTES
from analysis.directions.fitting import METHODS, Direction, Method, fit_directions, split_method, version_of
from analysis.linear.moments import Moments
from analysis.linear.row_blocks import RowBlocks, as_blocks, mean_length, solves_by_rows
from analysis.splits import Partition
from jobs.directions.contrasts import Contrast, ContrastSet, contrast_sets, unscored_notes
from jobs.directions.options import DirectionOptions
from jobs.directions.report import best_layers
from jobs.directions.stored import add_vectors, measured, stored_ids
from jobs.fitting.labels import LabelledRows, record_labels, resolve_labels
from jobs.fitting.layers import LayerArray, places_text, select_layers
from jobs.fitting.mapping import choose_engine, in_order, map_tasks
from jobs.fitting.opened import opened_run
from jobs.fitting.rows import MEMORY_BYTES, Rows
from jobs.fitting.user_tables import read_user_tables
from jobs.method_versions import Kind, methods_id
from jobs.probe.kept import key_of_moments, read_moments
from jobs.probe.plan import Features, digest_of_cells
from jobs.progress.reporting import followed
from store import open_store
from store.arrays.collection import Collection
from store.errors import InvalidInput
from store.extensions import DIRECTIONS
from store.opening import Store
from store.results.fits import VectorRow
from store.results.parts import committed_digest, digest_of
from store.results.table import now

CHANCE = 0.5
"""ROC-AUC of guessing."""
OPERATIONS_PER_SECOND = 1e10
MOST_NAMED = 5


def code_of(method: Method, kind: Kind = "directions") -> str:
    """Stands in an id for all that decides the numbers of a direction."""
    estimator, _ = split_method(method)
    return methods_id(kind, separation=separation.VERSION, **{estimator: version_of(estimator)})


@dataclass(frozen=True, slots=True)
class Work:
    """All that fitting one layer needs to know, on any machine."""

    store_url: str
    run_id: str
    labels: LabelledRows
    folds: NDArray[np.int8]
    """Fold of each labelled row, (N,)."""
    fold_count: int
    sets: tuple[ContrastSet, ...]
    groups_hash: str
    """Stands for the groups, which decide the folds."""
    origin: Mapping[str, str]
    """What the ids of directions also depend on: committed rows."""

    @property
    def contrasts(self) -> list[Contrast]:
        """Of all sets, in order."""
        return [contrast for one in self.sets for contrast in one.contrasts]

    def vector_id(self, layer: LayerArray, contrast: Contrast, method: Method, seed: int) -> str:
        """Id of a direction: a hash of all that decides it; the seed does for random ones alone."""
        drawn = {"seed": seed} if method == "random" else {}
        decided = {**self.origin, **self._place(layer, contrast), "code": code_of(method)}
        return digest_of({**decided, "method": method, **drawn, **plugin_of(method)})

    def random_seed(self, layer: LayerArray, contrast: Contrast, seed: int) -> int:
        """Of the random direction that controls the others of this place."""
        return int(digest_of(self._place(layer, contrast) | {"seed": seed}), 16) >> 1

    def _place(self, layer: LayerArray, contrast: Contrast) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "labels": contrast.labels_hash,
            "groups": self.groups_hash,
            "folds": self.fold_count,
            "array": layer.array,
            "layer": layer.layer,
            **({} if layer.head is None else {"head": layer.head}),
            "contrast": [contrast.concept, contrast.positive, contrast.negative],
        }


def plugin_of(method: Method) -> dict[str, str]:
    """What an id says of the origin of a method: nothing of those that are built in."""
    name, _ = split_method(method)
    return DIRECTIONS.recorded(name)


@dataclass(frozen=True, slots=True)
class LayerTask:
    """What one layer lacks: methods, and per method at least one contrast."""

    layer: LayerArray
    methods: tuple[Method, ...]
    seed: int
    """Of its random directions."""


@dataclass(frozen=True, slots=True)
class FittedLayer:
    """Rows of `vectors` for one layer, and the names of directions that there are none of."""

    rows: list[VectorRow]
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was asked for, newly fitted or there already."""

    ids: frozenset[str]
    """Of all directions that were asked for; those of two equal means do not exist."""
    summary: dict[str, Any]


def run_directions(
    options: DirectionOptions, *, seeds: Sequence[int] = (), labels: LabelledRows | None = None
) -> Fitted:
    """Fit what is not stored yet and store it, a part per layer.

    Args:
        options: what to fit.
        seeds: several seeds of random directions instead of the one of the options.
        labels: what the query of the options gives, where that is known already.

    Raises:
        UndertoneError: labels, layers or methods cannot be used; what is stored stays.
    """
    methods = parse_methods(options.methods)
    store = open_store(options.store)
    run = store.run(options.run)
    layers = select_layers(run, sites=options.sites, layers=options.layers, heads=options.heads)
    user = read_user_tables(options.tables)
    labels = labels or resolve_labels(store, run, options.labels, tables=user.tables)
    sets, notes = contrast_sets(labels, options.pairs)
    work = _work(store, run, labels, sets, options)
    cells = Partition(work.folds, work.fold_count, tuple(range(work.fold_count)))
    notes += unscored_notes(sets, cells)
    record_labels(store, labels)
    known = stored_ids(store)
    seeds = seeds or (options.seed,)
    tasks = [task for seed in seeds for task in _lacking(work, layers, methods, known, seed)]
    written, left_out = _add_fitted(store, work, tasks, run, options, known)
    ids = {
        work.vector_id(layer, contrast, method, seed)
        for seed in seeds
        for layer in layers
        for contrast in work.contrasts
        for method in methods
    }
    summary = {
        "run": work.run_id,
        "layers": len({one.layer for one in layers}),
        "places": places_text(layers),
        "contrasts": len(work.contrasts),
        "methods": list(methods),
        "directions": len(ids) - len(left_out),
        "fitted": written,
        "known": len(ids & known),
        "clips": len(labels.clip_ids),
        "groups": len(labels.group_names),
        "notes": [*user.notes, *labels.notes, *notes, *_left_out_note(left_out), *_notes_on(methods)],
        "best": best_layers(measured(store, ids)),
    }
    return Fitted(frozenset(ids), summary)


def _add_fitted(
    store: Store,
    work: Work,
    tasks: Sequence[LayerTask],
    run: Collection,
    options: DirectionOptions,
    known: AbstractSet[str],
) -> tuple[int, list[str]]:
    """Fit and store layer by layer; how many are new, and the names of those that do not exist."""
    written, left_out = 0, list[str]()
    fitted = _fitted(work, tasks, run, options)
    for layer in followed(fitted, total=len(tasks), title=f"directions {work.run_id}", unit="tasks"):
        written += add_vectors(store, layer.rows, known)
        left_out += layer.left_out
    return written, left_out


def _notes_on(methods: Sequence[Method]) -> list[str]:
    if not {"diffmean", "leace"} <= set(methods):
        return []
    said = (
        "leace and diffmean are one direction, and no two witnesses of anything: two classes are erased "
        "along their mean difference. They differ under --kind ablate alone."
    )
    return [said]


def parse_methods(text: str) -> tuple[Method, ...]:
    """Read "all", or names like "mse,diffmean" or "mse:0.1"; raises `InvalidInput`."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["all"]:
        return METHODS
    if not names:
        raise InvalidInput(
            f"There is no method {text!r}; methods are {', '.join(DIRECTIONS.names())}, or all."
        )
    order = DIRECTIONS.names()
    known = {name: order.index(split_method(name)[0]) for name in names}
    for name in known:
        DIRECTIONS.check_single(split_method(name)[0])
    return tuple(sorted(known, key=lambda name: (known[name], name)))


def _work(
    store: Store,
    run: Collection,
    labels: LabelledRows,
    sets: Sequence[ContrastSet],
    options: DirectionOptions,
) -> Work:
    return Work(
        store_url=store.url,
        run_id=labels.run_id,
        labels=labels,
        folds=labels.folds(options.folds),
        fold_count=options.folds,
        sets=tuple(sets),
        groups_hash=labels.groups_hash(),
        origin={"committed": committed_digest(run)},
    )


def _lacking(
    work: Work, layers: Sequence[LayerArray], methods: Sequence[Method], known: AbstractSet[str], seed: int
) -> list[LayerTask]:
    """Tasks for the layers that have not every direction yet."""
    tasks = []
    for layer in layers:
        lacking = tuple(
            method
            for method in methods
            if any(work.vector_id(layer, contrast, method, seed) not in known for contrast in work.contrasts)
        )
        if lacking:
            tasks.append(LayerTask(layer, lacking, seed))
    return tasks


def _left_out_note(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    note = "directions are left out, as the clips of both classes are equal on average or a method gave none"
    return [f"{len(names)} {note}: {shown}{more}."]


def _fitted(
    work: Work, tasks: Sequence[LayerTask], run: Collection, options: DirectionOptions
) -> Iterator[FittedLayer]:
    seconds = sum(estimated_seconds(work, run.arrays[task.layer.array].shape[-1]) for task in tasks)
    engine = choose_engine(options.engine, address=options.address, seconds=seconds)
    function = partial(fit_layer, work)
    mapped = map_tasks(
        function,
        tasks,
        engine=engine,
        address=options.address,
        workers=options.workers,
        store=open_store(work.store_url),
        run_id=work.run_id,
        task_bytes=max(
            (task_bytes(work, run.arrays[task.layer.array].shape[-1]) for task in tasks), default=0
        ),
    )
    for layer in in_order(mapped):
        # A sweep takes the oldest random directions as its controls: their age has to follow their seeds.
        created = now()
        yield FittedLayer([replace(row, created_at=created) for row in layer.rows], layer.left_out)


def estimated_seconds(work: Work, width: int) -> float:
    """Rough time of one layer on one thread: an eigendecomposition per fold, and the products of all rows."""
    operations = 0.0
    for one in work.sets:
        rows, contrasts = one.targets.shape
        axes = min(rows, width)
        operations += 10 * axes**3 * (work.fold_count + 1) * (1 + contrasts) + 4 * rows * axes * width
    return operations / OPERATIONS_PER_SECOND


def task_bytes(work: Work, width: int) -> int:
    """About what one layer takes: its rows up to what is held of them, and second moments of each fold."""
    matrices = 8 * width**2 * (6 * work.fold_count + 10)
    return min(4 * len(work.labels.clip_ids) * width, MEMORY_BYTES) + min(matrices, PRODUCTS_BYTES) + matrices


def fit_layer(work: Work, task: LayerTask) -> FittedLayer:
    """Directions of one layer, every contrast by every method; more rows than memory takes come in blocks."""
    run = opened_run(work.store_url, work.run_id, work.origin["committed"])
    every = Rows.of_clips(run, task.layer.array, task.layer.layer, work.labels.clip_ids, head=task.layer.head)
    found: list[VectorRow] = []
    left_out: list[str] = []
    for one in work.sets:
        rows = every.subset(one.rows)
        fitted = fit_directions(
            rows,
            one.targets,
            folds=work.folds[one.rows],
            groups=work.labels.group_codes[one.rows],
            methods=task.methods,
            moments=_moments(work, task.layer, one, rows),
            seeds=[work.random_seed(task.layer, contrast, task.seed) for contrast in one.contrasts],
        )
        shared = replace(
            row_of_layer(run.document["model"], task.layer, rows),
            run_id=work.run_id,
            clips=len(one.rows),
            groups=len(np.unique(work.labels.group_codes[one.rows])),
            folds=work.fold_count,
            labels_query=work.labels.query,
        )
        for place, (contrast, directions) in enumerate(zip(one.contrasts, fitted, strict=True)):
            positives = int(one.targets[:, place].sum())
            counted = replace(shared, positives=positives, negatives=len(one.rows) - positives)
            left_out += [
                f"{task.layer.array} layer {task.layer.layer} {contrast.positive!r} by {method}"
                for method in task.methods
                if method not in directions
            ]
            found += [
                with_measurements(_identified(counted, work, task, contrast, method), direction)
                for method, direction in directions.items()
            ]
    return FittedLayer(found, left_out)


def _moments(work: Work, layer: LayerArray, one: ContrastSet, rows: Rows) -> Moments | None:
    """Those that probes of the same clips and folds have kept; a pair of classes has none."""
    if solves_by_rows(rows) or one.contrasts[0].negative is not None:
        return None
    partition = Partition(work.folds[one.rows], work.fold_count, tuple(range(work.fold_count)))
    cells = digest_of_cells((work.labels.clip_ids[row] for row in one.rows), partition)
    source = Features(f"runs/{work.run_id}", layer.array, layer.layer, layer.head)
    key = key_of_moments(source, work.origin["committed"], cells)
    kept = read_moments(open_store(work.store_url).objects, key)
    return None if kept is None else kept.moments


def row_of_layer(model: Mapping[str, Any], layer: LayerArray, rows: NDArray[Any] | RowBlocks) -> VectorRow:
    """What all directions of one layer have in common, fitted on these rows (n, D)."""
    return VectorRow(
        model=model["name"],
        model_fingerprint=model["fingerprint"],
        site=layer.site,
        reduction=layer.reduction,
        layer=layer.layer,
        head=layer.head,
        width=as_blocks(rows).width,
        activation_norm=mean_length(rows),
        scaling="norm",
        created_at=now(),
    )


def _identified(row: VectorRow, work: Work, task: LayerTask, contrast: Contrast, method: Method) -> VectorRow:
    return replace(
        row,
        vector_id=work.vector_id(task.layer, contrast, method, task.seed),
        concept=contrast.concept,
        labels_hash=contrast.labels_hash,
        positive=contrast.positive,
        negative=contrast.negative,
        method=method,
        random_seed=work.random_seed(task.layer, contrast, task.seed) if method == "random" else None,
    )


def with_measurements(row: VectorRow, direction: Direction) -> VectorRow:
    """The row with a fitted direction: its numbers, and what held-out clips say of it."""
    fitted = replace(
        row,
        vector=direction.vector.astype(np.float32),
        reader=None if direction.reader is None else direction.reader.astype(np.float32),
        reader_offset=direction.reader_offset,
        norm=direction.norm,
        penalty=direction.penalty,
        cosine_to_mean_difference=direction.cosine_to_mean_difference,
    )
    held_out = direction.held_out
    if held_out is None:
        return fitted
    return replace(
        fitted,
        mean_positive=held_out.mean_positive,
        mean_negative=held_out.mean_negative,
        deviation=held_out.deviation,
        separability=held_out.separability if np.isfinite(held_out.separability) else None,
        score=held_out.score,
        score_low=held_out.score_low,
        score_high=held_out.score_high,
        within_chance=held_out.score_low <= CHANCE,
        random_score=direction.random_score,
        within_random=held_out.score <= direction.random_score,
    )
