"""Export directions to files of other tools, and import them at the site and layer that the user names."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from jobs.directions.files import imported_rows, read_file, series_of, write_series
from jobs.directions.options import ExportOptions, ImportOptions
from jobs.directions.stored import add_vectors, read_vectors, stored_ids
from store.arrays.collection import Collection
from store.errors import InvalidInput
from store.opening import open_store
from store.records import check_site
from store.results.fits import VectorRow
from store.results.parts import digest_of
from store.results.table import now


def export_vectors(options: ExportOptions) -> tuple[int, list[Path]]:
    """Write directions into a folder, a file per concept, class, method and site; returns count and files.

    Raises:
        InvalidInput: no direction meets the condition.
        QueryRefused: the condition is wrong.
    """
    store = open_store(options.store)
    chosen = read_vectors(store, options.where)
    if not chosen:
        raise InvalidInput(
            f"No direction meets {options.where!r}; `undertone vectors list {quote(store.url)}` shows all."
        )
    options.folder.mkdir(parents=True, exist_ok=True)
    return len(chosen), [write_series(options.folder, series, options.form) for series in series_of(chosen)]


def import_vectors(options: ImportOptions) -> tuple[int, int]:
    """Add the directions of a file; returns how many it has, and how many of them are new.

    Raises:
        InvalidInput: the file cannot be read, or does not say where its directions belong.
    """
    store, positive = open_store(options.store), options.positive
    directions, described = read_file(options.file)
    if described is not None:
        rows = imported_rows(described, directions)
    elif options.run is None or positive is None:
        raise InvalidInput(
            f"{options.file.name} was not written by Undertone: say --run and --positive as well."
        )
    else:
        run = store.run(options.run)
        rows = foreign_rows(run, directions, site=options.site, concept=options.concept, positive=positive)
    return len(rows), add_vectors(store, rows, stored_ids(store))


def foreign_rows(
    run: Collection,
    directions: Mapping[int, NDArray[np.float32]],
    *,
    site: str,
    concept: str,
    positive: str,
) -> list[VectorRow]:
    """Rows of `vectors` for directions by layer, brought to length 1; nothing has been measured of them.

    Raises:
        InvalidInput: a direction does not fit the model of the run.
    """
    check_site(site)
    return [
        _row(run, layer, vector, site=site, concept=concept, positive=positive)
        for layer, vector in directions.items()
    ]


def _row(
    run: Collection, layer: int, vector: NDArray[np.float32], *, site: str, concept: str, positive: str
) -> VectorRow:
    model = run.document["model"]
    widths = {spec.shape[-1] for spec in run.arrays.values()}
    if len(vector) not in widths or not 0 <= layer < model.get("layers", layer + 1):
        raise InvalidInput(
            f"A direction with {len(vector)} entries for layer {layer} does not fit {model['name']} "
            f"({model.get('layers', 'some')} layers, width {', '.join(map(str, sorted(widths)))})."
        )
    norm = float(np.linalg.norm(vector))
    if norm == 0:
        raise InvalidInput(f"The direction for layer {layer} has length 0.")
    identity = [model["fingerprint"], site, layer, concept, positive, vector.tolist()]
    return VectorRow(
        vector_id=digest_of(identity),
        run_id=run.prefix.removeprefix("runs/"),
        model=model["name"],
        model_fingerprint=model["fingerprint"],
        site=site,
        reduction="mean",
        layer=layer,
        concept=concept,
        positive=positive,
        method="imported",
        vector=vector / norm,
        width=len(vector),
        norm=norm,
        scaling="norm",
        clips=0,
        positives=0,
        negatives=0,
        groups=0,
        folds=0,
        labels_query="",
        labels_hash="",
        created_at=now(),
    )
