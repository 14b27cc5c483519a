"""Directions to and from files of other tools."""

from pathlib import Path
from shlex import quote

from jobs.directions.files import FileForm, imported_rows, read_file, series_of, write_series
from jobs.directions.importing import foreign_rows
from jobs.directions.stored import add_vectors, read_vectors, stored_ids
from store.errors import InvalidInput
from store.opening import Store


def export_vectors(store: Store, folder: Path, where: str, form: FileForm) -> tuple[int, list[Path]]:
    """Write directions into a folder, a file per concept, class, method and site; returns count and files.

    Raises:
        InvalidInput: no direction meets the condition.
        QueryRefused: the condition is wrong.
    """
    chosen = read_vectors(store, where)
    if not chosen:
        raise InvalidInput(
            f"No direction meets {where!r}; `undertone vectors list {quote(store.url)}` shows all."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return len(chosen), [write_series(folder, series, form) for series in series_of(chosen)]


def import_vectors(
    store: Store, file: Path, *, run: str | None, site: str, concept: str, positive: str | None
) -> tuple[int, int]:
    """Add the directions of a file; returns how many it has, and how many of them are new.

    Raises:
        InvalidInput: the file cannot be read, or does not say where its directions belong.
    """
    directions, described = read_file(file)
    if described is not None:
        rows = imported_rows(described, directions)
    elif run is None or positive is None:
        raise InvalidInput(f"{file.name} was not written by Undertone: say --run and --positive as well.")
    else:
        rows = foreign_rows(store.run(run), directions, site=site, concept=concept, positive=positive)
    return len(rows), add_vectors(store, rows, stored_ids(store))
