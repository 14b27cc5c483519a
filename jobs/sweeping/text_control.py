"""The control of the text alone: for each setting, the direction between two texts on the same clips."""

from collections.abc import Mapping, Sequence

from jobs.fitting.labels import resolve_labels
from jobs.steering_vectors.stored import StoredVector, read_vectors, stored_ids
from jobs.steering_vectors.text_directions import (
    TextContrast,
    find_text_runs,
    fit_text_directions,
    text_vector_ids,
)
from jobs.sweeping.directions import FitOptions, Key, fit_options
from jobs.sweeping.settings import Setting
from store.collection import Collection
from store.opening import Store


def text_directions(
    store: Store,
    run: Collection,
    template: str,
    labels: Mapping[str, str],
    settings: Sequence[Setting],
    *,
    fit: FitOptions | None,
) -> dict[Key, StoredVector]:
    """Directions of the text alone by concept, source, target, method, site and layer.

    Args:
        store: where runs and directions are.
        run: whose clips and model count.
        template: text of the runs that are compared, with the class in braces.
        labels: by concept, the query whose clips are used, whatever their labels.
        settings: what they stand beside.
        fit: where to fit those that are missing; None fits none.

    Raises:
        NotFound: a class has no run whose text names it; the message has the commands that make them.
    """
    keys: dict[str, Key] = {}
    run_id = run.prefix.removeprefix("runs/")
    for concept in dict.fromkeys(one.pair.concept for one in settings):
        own = [one for one in settings if one.pair.concept == concept]
        options = fit_options(store, run_id, labels[concept], own, fit or FitOptions())
        pairs = sorted({(one.pair.source, target) for one in own for target in one.pair.targets})
        classes = sorted({name for pair in pairs for name in pair})
        runs = find_text_runs(store, run, template, classes, sites=options.sites)
        rows = resolve_labels(store, run, labels[concept])
        for source, target in pairs:
            contrast = TextContrast(concept, target, source, rows.clip_ids, rows.groups, rows.all_groups)
            if fit is not None:
                fit_text_directions(store, runs, contrast, options)
            for vector_id, place in text_vector_ids(store, runs, contrast, options).items():
                keys[vector_id] = (concept, source, target, *place)
    return _read(store, keys)


def _read(store: Store, keys: Mapping[str, Key]) -> dict[Key, StoredVector]:
    known = sorted(keys.keys() & stored_ids(store))
    if not known:
        return {}
    names = ", ".join(f"'{vector_id}'" for vector_id in known)
    return {keys[one.vector_id]: one for one in read_vectors(store, f"vector_id IN ({names})")}
