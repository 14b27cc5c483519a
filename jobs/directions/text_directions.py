"""Directions of the text alone: differences between runs of the same clips under two texts.

The audio of both sides is the same, clip by clip: such a direction knows nothing of how a class sounds.
Where it steers as well as a direction of labelled audio does, steering may be the prompt put back in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.directions.fitting import Method, fit_directions
from analysis.splits import group_folds
from jobs.directions.fitting import code_of, plugin_of, row_of_layer, with_measurements
from jobs.directions.options import DirectionOptions
from jobs.directions.stored import add_vectors, stored_ids
from jobs.fitting.layers import LayerArray, select_layers
from jobs.fitting.mapping import choose_engine, map_tasks
from jobs.fitting.opened import opened_run
from jobs.progress.reporting import followed
from store.arrays.collection import Collection
from store.errors import NotFound
from store.opening import Store
from store.results.fits import VectorRow
from store.results.parts import committed_digest, digest_of

CLASS = "{class}"
REDUCTION = "mean"
"""Directions of sweeps are those of activations averaged over time."""
SECONDS_PER_LAYER = 1.0
"""Rough: two classes and one method."""


@dataclass(frozen=True, slots=True)
class TextRuns:
    """Runs of the same clips by the class that their text names."""

    template: str
    runs: Mapping[str, Collection]

    def text(self, name: str) -> str:
        """What the clips of a class's run were given."""
        return self.template.replace(CLASS, name)


@dataclass(frozen=True, slots=True)
class TextContrast:
    """What is told from what, and on which clips."""

    concept: str
    positive: str
    negative: str
    clip_ids: tuple[str, ...]
    groups: NDArray[Any]
    all_groups: Sequence[str]
    folds: int = 5


@dataclass(frozen=True, slots=True)
class _Task:
    layer: LayerArray
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class _Work:
    store_url: str
    run_ids: tuple[str, str]
    """Of the negative and of the positive class."""
    committed: tuple[str, str]
    texts: tuple[str, str]
    contrast: TextContrast

    def vector_id(self, layer: LayerArray, method: str) -> str:
        """Id of a direction: a hash of all that decides it."""
        decided = [self.committed, self.run_ids, list(self.contrast.clip_ids), self.contrast.groups.tolist()]
        place = [self.contrast.folds, layer.array, layer.layer, method, code_of(method, "text_directions")]
        return digest_of([decided, *place, *plugin_of(method).values()])

    @property
    def labels_hash(self) -> str:
        """Stands for what each row is labelled with: the text that it was given."""
        return digest_of([self.texts, list(self.contrast.clip_ids)])


def find_text_runs(
    store: Store, run: Collection, template: str, classes: Sequence[str], *, sites: str
) -> TextRuns:
    """The runs of a run's dataset and model whose text names one class each.

    Raises:
        NotFound: one is missing; the message has the commands that make them.
    """
    wanted = {template.replace(CLASS, name): name for name in classes}
    found: dict[str, Collection] = {}
    for run_id in store.runs():
        other = store.run(run_id)
        name = wanted.get(str(other.document["text"]))
        arrays = {f"{site}.{REDUCTION}" for site in sites.split(",")}
        if name is not None and arrays <= set(other.arrays) and _same_clips_and_model(other, run):
            found.setdefault(name, other)
    if missing := [text for text, name in wanted.items() if name not in found]:
        document = run.document
        commands = "; ".join(
            f"undertone extract {quote(store.url)} {document['dataset']['name']} --model "
            f"{quote(document['model']['name'])} --sites {sites} --text {quote(text)}"
            for text in missing
        )
        raise NotFound(
            "The control of the text alone needs a run of the same clips for each class that is steered, all "
            f"given the text of that class. Missing: {', '.join(map(repr, missing))}. Run: {commands}"
        )
    return TextRuns(template, found)


def _same_clips_and_model(one: Collection, other: Collection) -> bool:
    return all(
        one.document[name] == other.document[name] for name in ("dataset", "clip_seconds", "dtype")
    ) and (one.document["model"]["fingerprint"] == other.document["model"]["fingerprint"])


def text_vector_ids(
    store: Store, runs: TextRuns, contrast: TextContrast, options: DirectionOptions
) -> dict[str, tuple[str, str, int]]:
    """Ids that the directions of a contrast have, or would have: method, site and layer of each."""
    work = _work(store, runs, contrast)
    return {
        work.vector_id(layer, method): (method, layer.site, layer.layer)
        for layer in _layers(runs, contrast, options)
        for method in options.methods.split(",")
    }


def fit_text_directions(
    store: Store, runs: TextRuns, contrast: TextContrast, options: DirectionOptions
) -> None:
    """Fit and store the directions of a contrast that are not there yet, a part per layer."""
    work, known = _work(store, runs, contrast), stored_ids(store)
    tasks = [
        _Task(layer, lacking)
        for layer in _layers(runs, contrast, options)
        if (lacking := tuple(m for m in options.methods.split(",") if work.vector_id(layer, m) not in known))
    ]
    engine = choose_engine(options.engine, address=options.address, seconds=len(tasks) * SECONDS_PER_LAYER)
    mapped = map_tasks(
        partial(_fit_layer, work),
        tasks,
        engine=engine,
        address=options.address,
        workers=options.workers,
        store=store,
    )
    title = f"directions of texts {contrast.negative} → {contrast.positive}"
    for rows in followed(_rows_of(mapped), total=len(tasks), title=title, unit="tasks"):
        add_vectors(store, rows, known)


def _rows_of(mapped: Any) -> Iterator[list[VectorRow]]:
    for _, rows in mapped:
        yield rows


def _layers(runs: TextRuns, contrast: TextContrast, options: DirectionOptions) -> list[LayerArray]:
    return list(
        select_layers(
            runs.runs[contrast.positive],
            sites=options.sites,
            layers=options.layers,
            reductions=(REDUCTION,),
        )
    )


def _work(store: Store, runs: TextRuns, contrast: TextContrast) -> _Work:
    sides = (contrast.negative, contrast.positive)
    pair = [runs.runs[name] for name in sides]
    ids, digests = ([make(one) for one in pair] for make in (_run_id, committed_digest))
    texts = runs.text(sides[0]), runs.text(sides[1])
    return _Work(store.url, (ids[0], ids[1]), (digests[0], digests[1]), texts, contrast)


def _run_id(run: Collection) -> str:
    return run.prefix.removeprefix("runs/")


def _fit_layer(work: _Work, task: _Task) -> list[VectorRow]:
    """Both texts' rows of the same clips; the two of a clip are never on two sides of a split."""
    contrast = work.contrast
    runs = [
        opened_run(work.store_url, run_id, digest)
        for run_id, digest in zip(work.run_ids, work.committed, strict=True)
    ]
    sides = [run.read_layer(task.layer.array, task.layer.layer, contrast.clip_ids)[0] for run in runs]
    rows = np.concatenate(sides)
    positive = np.repeat([False, True], len(contrast.clip_ids))[:, np.newaxis]
    groups = np.tile(contrast.groups, 2)
    folds = group_folds(groups, contrast.folds, among=contrast.all_groups)
    (fitted,) = fit_directions(rows, positive, folds=folds, groups=groups, methods=task.methods, seeds=[0])
    shared = replace(
        row_of_layer(runs[1].document["model"], task.layer, rows),
        run_id=work.run_ids[1],
        clips=len(rows),
        groups=len(np.unique(groups)),
        folds=contrast.folds,
        labels_query=f"the same clips with the text {work.texts[1]!r} and with {work.texts[0]!r}",
        concept=f"text of {contrast.concept}",
        labels_hash=work.labels_hash,
        positive=contrast.positive,
        negative=contrast.negative,
        positives=len(contrast.clip_ids),
        negatives=len(contrast.clip_ids),
    )
    return [
        with_measurements(
            replace(shared, vector_id=work.vector_id(task.layer, method), method=method), direction
        )
        for method, direction in fitted.items()
    ]
