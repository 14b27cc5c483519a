"""The directions of a sweep: fitted where they are missing, and found again for each of its settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from jobs.fitting.labels import resolve_labels
from jobs.fitting.mapping import Engine
from jobs.steering_vectors.fitting import fit_and_store
from jobs.steering_vectors.options import DirectionOptions
from jobs.steering_vectors.stored import StoredVector, read_vectors
from jobs.sweeping.settings import Pair, Setting
from jobs.sweeping.stored import has_view
from store.collection import Collection
from store.errors import NotFound
from store.opening import Store

RANDOM = "random"
REDUCTION = "mean"
"""Directions are those of activations averaged over time: one vector for every frame."""

Key = tuple[str, str, str, str, str, int]
"""Concept, source, target, method, site, layer."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    """Where directions that are missing are fitted."""

    engine: Engine = "auto"
    address: str = "local"
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class SweepDirections:
    """Directions by what settings say of them."""

    fitted: Mapping[Key, StoredVector]
    random: Mapping[Key, Sequence[StoredVector]]
    """In the order in which they were drawn."""
    text: Mapping[Key, StoredVector] = field(default_factory=dict)
    """Of the text alone, where a sweep has that control."""

    def steered(self, setting: Setting, target: str, layer: int) -> StoredVector:
        """The direction of a setting at one of its layers; raises `NotFound`."""
        key = _key(setting.pair, target, setting.method, setting.site, layer)
        if key not in self.fitted:
            raise NotFound(
                f"There is no direction {setting.pair.source} → {target} by {setting.method} at "
                f"{setting.site} of layer {layer}; fit it with `undertone directions`."
            )
        return self.fitted[key]

    def control(self, setting: Setting, target: str, layer: int, number: int) -> StoredVector:
        """A random direction of the same place, another one for each number."""
        drawn = self.random.get(_key(setting.pair, target, RANDOM, setting.site, layer), ())
        if number >= len(drawn):
            raise NotFound(f"There is no random direction {number} at {setting.site} of layer {layer}.")
        return drawn[number]

    def text_alone(self, setting: Setting, target: str, layer: int) -> StoredVector:
        """The direction between two texts on the same clips, at the place of a setting; raises `NotFound`."""
        key = _key(setting.pair, target, setting.method, setting.site, layer)
        if key not in self.text:
            raise NotFound(
                f"There is no direction of the text alone {setting.pair.source} → {target} by "
                f"{setting.method} at {setting.site} of layer {layer}."
            )
        return self.text[key]

    def vectors(self) -> dict[str, StoredVector]:
        """All of them by id."""
        every = [*self.fitted.values(), *self.text.values()]
        every += [one for drawn in self.random.values() for one in drawn]
        return {one.vector_id: one for one in every}


def fit_directions_of(
    store: Store, run_id: str, labels: str, settings: Sequence[Setting], *, randoms: int, fit: FitOptions
) -> None:
    """Fit what the settings of one concept need and the store lacks.

    Args:
        store: where they are kept.
        run_id: the run whose activations they are fitted on.
        labels: label query of the concept.
        settings: of one concept.
        randoms: random directions for each place.
        fit: where to fit.
    """
    common = fit_options(store, run_id, labels, settings, fit)
    fit_and_store(common)
    if randoms:
        fit_and_store(replace(common, methods=RANDOM), seeds=range(randoms))


def fit_options(
    store: Store, run_id: str, labels: str, settings: Sequence[Setting], fit: FitOptions
) -> DirectionOptions:
    """What `undertone directions` would be asked for the directions of settings of one concept."""
    pairs = sorted({f"{one.pair.source}:{target}" for one in settings for target in one.pair.targets})
    return DirectionOptions(
        store=store.url,
        run=run_id,
        labels=labels,
        methods=",".join(dict.fromkeys(one.method for one in settings)),
        pairs=tuple(pairs),
        sites=",".join(sorted({one.site for one in settings})),
        layers=",".join(map(str, sorted({layer for one in settings for layer in one.layers}))),
        engine=fit.engine,
        address=fit.address,
        workers=fit.workers,
    )


def find_directions(store: Store, run: Collection, queries: Mapping[str, str]) -> SweepDirections:
    """The directions of a run that were fitted to these labels (a query by concept): the newest of each.

    Labels are what counts, and not the words that ask for them.
    """
    if not has_view(store, "vectors"):
        return SweepDirections({}, {})
    run_id = run.prefix.removeprefix("runs/")
    where = f"run_id = '{run_id}' AND reduction = '{REDUCTION}' AND negative IS NOT NULL"
    labels = {concept: _labels_hash(store, run, concept, query) for concept, query in queries.items()}
    found = [
        vector for vector in read_vectors(store, where) if labels.get(vector.concept) == vector.labels_hash
    ]
    fitted: dict[Key, StoredVector] = {}
    random: dict[Key, dict[int, StoredVector]] = {}
    for vector in sorted(found, key=lambda vector: (vector.created_at, vector.vector_id)):
        assert vector.negative is not None
        pair = Pair(vector.concept, vector.negative, (vector.positive,))
        key = _key(pair, vector.positive, vector.method, vector.site, vector.layer)
        if vector.random_seed is None:
            fitted[key] = vector
        else:  # the oldest of each seed: what was drawn once stays the control
            random.setdefault(key, {}).setdefault(vector.random_seed, vector)
    return SweepDirections(fitted, {key: tuple(drawn.values()) for key, drawn in random.items()})


def _labels_hash(store: Store, run: Collection, concept: str, query: str) -> str:
    labels = resolve_labels(store, run, query)
    (asked,) = [one for one in labels.concepts if one.name == concept]
    return labels.hash_of(asked)


def _key(pair: Pair, target: str, method: str, site: str, layer: int) -> Key:
    return pair.concept, pair.source, target, method, site, layer
