"""Choice of the layers of two runs that are compared."""

from dataclasses import dataclass

from jobs.compare.options import CompareOptions
from jobs.places import parse_layer_ranges
from store.arrays.collection import Collection
from store.errors import InvalidInput, NotFound
from store.opening import Store, open_store

Place = tuple[str, int]
"""An array and a layer of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Layers of a run, and of another or the same one."""

    store: Store
    run: Collection
    layers: tuple[Place, ...]
    other: Collection
    other_layers: tuple[Place, ...]


def sides_of(options: CompareOptions) -> Sides:
    """Open both runs and find their layers.

    Raises:
        NotFound: there is no such run, array or layer.
        InvalidInput: an array has several vectors per clip.
    """
    store = open_store(options.store)
    run = store.run(options.run)
    other = store.run(options.other or options.run)
    arrays = _named(run, options.array)
    shared = [name for name in arrays if name in other.arrays]
    means = [name for name in other.arrays if name.endswith(".mean")]
    others = _named(other, options.other_array) if options.other_array else shared or means
    layers, other_layers = _layers(run, arrays, options.layers), _layers(other, others, options.layers)
    if not layers or not other_layers:
        raise NotFound(
            f"Layers {options.layers!r} are not in both runs, or {other.prefix} has no such array."
        )
    return Sides(store, run, layers, other, other_layers)


def name_of(run: Collection) -> str:
    """The id of a run."""
    return run.prefix.removeprefix("runs/")


def _named(run: Collection, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if missing := [name for name in names if name not in run.arrays]:
        raise NotFound(f"{run.prefix} has no array {missing[0]!r}; it holds {', '.join(sorted(run.arrays))}.")
    for name in names:
        shape = run.arrays[name].shape
        if len(shape) > 2:
            raise InvalidInput(
                f"{name} has {shape[1]} vectors per clip; compare arrays with one, such as means."
            )
    return names


def _layers(run: Collection, arrays: list[str], text: str) -> tuple[Place, ...]:
    ranges = parse_layer_ranges(text)
    return tuple(
        (name, layer)
        for name in arrays
        for layer in run.layers(name)
        if ranges is None or any(layer in one for one in ranges)
    )
