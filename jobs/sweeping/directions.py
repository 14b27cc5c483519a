"""The directions of a sweep: fitted where they are missing, and found again for each of its settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from jobs.fitting.direction_fitting import fit_and_store
from jobs.fitting.direction_options import DirectionOptions
from jobs.fitting.mapping import Engine
from jobs.fitting.vectors import StoredVector, read_vectors
from jobs.sweeping.settings import Pair, Setting
from jobs.sweeping.stored import has_view
from store.errors import NotFound
from store.opening import Store

RANDOM = "random"
REDUCTION = "mean"
"""Directions are those of activations averaged over time: one vector for every frame."""

Key = tuple[str, str, str, str, float | None, str, int]
"""Concept, source, target, method, strength, site, layer."""


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

    def steered(self, setting: Setting, target: str, layer: int) -> StoredVector:
        """The direction of a setting at one of its layers; raises `NotFound`."""
        key = _key(setting.pair, target, setting.method, setting.strength, setting.site, layer)
        if key not in self.fitted:
            strength = "" if setting.strength is None else f" with strength {setting.strength:g}"
            raise NotFound(
                f"There is no direction {setting.pair.source} → {target} by {setting.method}{strength} at "
                f"{setting.site} of layer {layer}; fit it with `undertone directions`."
            )
        return self.fitted[key]

    def control(self, setting: Setting, target: str, layer: int, number: int) -> StoredVector:
        """A random direction of the same place, another one for each number."""
        drawn = self.random.get(_key(setting.pair, target, RANDOM, None, setting.site, layer), ())
        if number >= len(drawn):
            raise NotFound(f"There is no random direction {number} at {setting.site} of layer {layer}.")
        return drawn[number]

    def vectors(self) -> dict[str, StoredVector]:
        """All of them by id."""
        every = [*self.fitted.values(), *(one for drawn in self.random.values() for one in drawn)]
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
    pairs = sorted({f"{one.pair.source}:{target}" for one in settings for target in one.pair.targets})
    sites = ",".join(sorted({one.site for one in settings}))
    layers = ",".join(map(str, sorted({layer for one in settings for layer in one.layers})))
    common = DirectionOptions(
        store=store.url,
        run=run_id,
        labels=labels,
        pairs=tuple(pairs),
        sites=sites,
        layers=layers,
        engine=fit.engine,
        address=fit.address,
        workers=fit.workers,
    )
    for methods in _methods_by_strength(settings).values():
        fit_and_store(replace(common, methods=",".join(methods)))
    for seed in range(randoms):
        fit_and_store(replace(common, methods=RANDOM, seed=seed))


def find_directions(store: Store, run_id: str, labels: Mapping[str, str]) -> SweepDirections:
    """The directions of a run that were fitted with these label queries (by concept): the newest of each."""
    if not has_view(store, "vectors"):
        return SweepDirections({}, {})
    where = f"run_id = '{run_id}' AND reduction = '{REDUCTION}' AND negative IS NOT NULL"
    found = [
        vector for vector in read_vectors(store, where) if labels.get(vector.concept) == vector.labels_query
    ]
    in_order = sorted(found, key=lambda vector: (vector.created_at, vector.vector_id))
    fitted: dict[Key, StoredVector] = {}
    random: dict[Key, dict[int, StoredVector]] = {}
    for vector in in_order:
        if vector.method == RANDOM:
            assert vector.random_seed is not None
            random.setdefault(_key_of(vector, None), {}).setdefault(vector.random_seed, vector)
            continue
        for key in _keys_of(vector):
            fitted[key] = vector
    return SweepDirections(fitted, {key: tuple(drawn.values()) for key, drawn in random.items()})


def _methods_by_strength(settings: Iterable[Setting]) -> dict[float | None, list[str]]:
    methods: dict[float | None, list[str]] = {}
    for one in settings:
        known = methods.setdefault(one.strength, [])
        if one.method not in known:
            known.append(one.method)
    return methods


def _keys_of(vector: StoredVector) -> list[Key]:
    """With its penalty, and without one where that was chosen and not given."""
    return [_key_of(vector, vector.strength), _key_of(vector, None)]


def _key_of(vector: StoredVector, strength: float | None) -> Key:
    assert vector.negative is not None
    return (
        vector.concept,
        vector.negative,
        vector.positive,
        vector.method,
        strength,
        vector.site,
        vector.layer,
    )


def _key(pair: Pair, target: str, method: str, strength: float | None, site: str, layer: int) -> Key:
    return pair.concept, pair.source, target, method, strength, site, layer
