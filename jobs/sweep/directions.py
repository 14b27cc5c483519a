"""Directions of a sweep: fit those that are missing, and find that of each setting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from analysis.effects.settings import Pair, Role, Setting
from jobs.directions.fitting import run_directions
from jobs.directions.options import DirectionOptions
from jobs.directions.stored import read_vectors, stored_ids
from jobs.directions.text_directions import (
    TextContrast,
    TextRuns,
    find_text_runs,
    fit_text_directions,
    text_vector_ids,
)
from jobs.execution import FitExecution
from jobs.sweep.expansion import REDUCTION, ExpandedSweep
from jobs.sweep.labels import FOLDS
from store.catalog.asking import Catalog
from store.errors import NotFound
from store.opening import Store
from store.results.fits import VectorRow

RANDOM = "random"

Key = tuple[str, str, str, str, str, int]
"""Concept, source, target, method, site, layer."""


@dataclass(frozen=True, slots=True)
class SweepDirections:
    """Directions by what settings say of them."""

    fitted: Mapping[Key, VectorRow]
    random: Mapping[Key, Sequence[VectorRow]]
    """In the order in which they were drawn."""
    text: Mapping[Key, VectorRow] = field(default_factory=dict)
    """Of the text alone, where a sweep has that control."""

    def steered(self, setting: Setting, target: str, layer: int) -> VectorRow:
        """The direction of a setting at one of its layers; raises `NotFound`."""
        key = _key(setting.pair, target, setting.method, setting.site, layer)
        if key not in self.fitted:
            raise NotFound(
                f"There is no direction {setting.pair.source} → {target} by {setting.method} at "
                f"{setting.site} of layer {layer}; fit it with `undertone directions`."
            )
        return self.fitted[key]

    def control(self, setting: Setting, target: str, layer: int, number: int) -> VectorRow:
        """A random direction of the same place, another one for each number."""
        drawn = self.random.get(_key(setting.pair, target, RANDOM, setting.site, layer), ())
        if number >= len(drawn):
            raise NotFound(f"There is no random direction {number} at {setting.site} of layer {layer}.")
        return drawn[number]

    def text_alone(self, setting: Setting, target: str, layer: int) -> VectorRow:
        """The direction between two texts on the same clips, at the place of a setting; raises `NotFound`."""
        key = _key(setting.pair, target, setting.method, setting.site, layer)
        if key not in self.text:
            raise NotFound(
                f"There is no direction of the text alone {setting.pair.source} → {target} by "
                f"{setting.method} at {setting.site} of layer {layer}."
            )
        return self.text[key]

    def of(self, role: Role, setting: Setting, target: str, layer: int, number: int) -> VectorRow:
        """The direction of a trial by its role; random ones have numbers. Raises `NotFound`."""
        if role == "random":
            return self.control(setting, target, layer, number)
        if role == "text":
            return self.text_alone(setting, target, layer)
        return self.steered(setting, target, layer)

    def vectors(self) -> dict[str, VectorRow]:
        """All of them by id."""
        every = [*self.fitted.values(), *self.text.values()]
        every += [one for drawn in self.random.values() for one in drawn]
        return {one.vector_id: one for one in every}


def fit_missing_directions(
    store: Store, expanded: ExpandedSweep, where: FitExecution, randoms: Mapping[str, int]
) -> None:
    """Fit and store what the settings of a sweep need and the store lacks.

    Args:
        store: where they are kept.
        expanded: whose settings and labels count.
        where: where to fit.
        randoms: by concept, random directions for each place.

    Raises:
        NotFound: the control of the text alone lacks runs; the message has the commands that make them.
    """
    for concept, settings in _by_concept(expanded).items():
        options = _fit_options(store, expanded, concept, settings, where)
        labels = expanded.labels[concept].direction_rows
        run_directions(options, labels=labels)
        if count := randoms[concept]:
            run_directions(replace(options, methods=RANDOM), seeds=range(count), labels=labels)
    for runs, contrast, options in _text_contrasts(store, expanded, where):
        fit_text_directions(store, runs, contrast, options)


def find_directions(store: Store, expanded: ExpandedSweep) -> SweepDirections:
    """The directions of a run that were fitted to a sweep's labels: the newest of each.

    Labels are what counts, and not the words that ask for them.

    Raises:
        NotFound: the control of the text alone lacks runs; the message has the commands that make them.
    """
    if not Catalog.of(store).has("vectors"):
        return SweepDirections({}, {}, _find_text_directions(store, expanded))
    of_run = f"run_id = '{expanded.run_id}' AND reduction = '{REDUCTION}'"
    where = f"{of_run} AND negative IS NOT NULL AND head IS NULL"
    labels = {name: one.direction_hash for name, one in expanded.labels.items()}
    found = [
        vector for vector in read_vectors(store, where) if labels.get(vector.concept) == vector.labels_hash
    ]
    fitted: dict[Key, VectorRow] = {}
    random: dict[Key, dict[int, VectorRow]] = {}
    for vector in sorted(found, key=lambda vector: (vector.created_at, vector.vector_id)):
        assert vector.negative is not None
        pair = Pair(vector.concept, vector.negative, (vector.positive,))
        key = _key(pair, vector.positive, vector.method, vector.site, vector.layer)
        if vector.random_seed is None:
            fitted[key] = vector
        else:  # the oldest of each seed: what was drawn once stays the control
            random.setdefault(key, {}).setdefault(vector.random_seed, vector)
    drawn = {key: tuple(by_seed.values()) for key, by_seed in random.items()}
    return SweepDirections(fitted, drawn, _find_text_directions(store, expanded))


def _find_text_directions(store: Store, expanded: ExpandedSweep) -> dict[Key, VectorRow]:
    """Directions of the text alone, where the sweep has that control and they are stored."""
    keys: dict[str, Key] = {}
    for runs, contrast, options in _text_contrasts(store, expanded, FitExecution()):
        for vector_id, place in text_vector_ids(store, runs, contrast, options).items():
            keys[vector_id] = (contrast.concept, contrast.negative, contrast.positive, *place)
    known = sorted(keys.keys() & stored_ids(store)) if keys else []
    if not known:
        return {}
    names = ", ".join(f"'{vector_id}'" for vector_id in known)
    return {keys[one.vector_id]: one for one in read_vectors(store, f"vector_id IN ({names})")}


def _text_contrasts(
    store: Store, expanded: ExpandedSweep, where: FitExecution
) -> Iterator[tuple[TextRuns, TextContrast, DirectionOptions]]:
    """The directions of the text alone that settings stand beside; none without that control."""
    template = expanded.configuration.controls.text
    if not template:
        return
    run = store.run(expanded.run_id)
    for concept, settings in _by_concept(expanded).items():
        options = _fit_options(store, expanded, concept, settings, where)
        pairs = sorted({(one.pair.source, target) for one in settings for target in one.pair.targets})
        classes = sorted({name for pair in pairs for name in pair})
        runs = find_text_runs(store, run, template, classes, sites=options.sites)
        rows = expanded.labels[concept].direction_rows
        for source, target in pairs:
            clips = rows.clip_ids, rows.groups, rows.all_groups
            yield runs, TextContrast(concept, target, source, *clips), options


def _by_concept(expanded: ExpandedSweep) -> dict[str, list[Setting]]:
    found: dict[str, list[Setting]] = {}
    for setting in expanded.settings:
        found.setdefault(setting.pair.concept, []).append(setting)
    return found


def _fit_options(
    store: Store, expanded: ExpandedSweep, concept: str, settings: Sequence[Setting], where: FitExecution
) -> DirectionOptions:
    """What `undertone directions` would be asked for the directions of settings of one concept."""
    pairs = sorted({f"{one.pair.source}:{target}" for one in settings for target in one.pair.targets})
    return DirectionOptions(
        store=store.url,
        run=expanded.run_id,
        labels=expanded.labels[concept].direction_query,
        methods=",".join(dict.fromkeys(one.method for one in settings)),
        pairs=tuple(pairs),
        sites=",".join(sorted({one.site for one in settings})),
        layers=",".join(map(str, sorted({layer for one in settings for layer in one.layers}))),
        folds=FOLDS,
        engine=where.engine,
        address=where.address,
        workers=where.workers,
    )


def _key(pair: Pair, target: str, method: str, site: str, layer: int) -> Key:
    return pair.concept, pair.source, target, method, site, layer
