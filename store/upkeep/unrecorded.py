"""Find datasets, collections and results whose record is lost, from listings alone: no file is read."""

from collections.abc import Callable, Iterable, Mapping

from store.arrays.layout import document_key
from store.datasets import dataset_key
from store.errors import UndertoneError
from store.objects.ledger import recorded_name
from store.objects.protocol import ObjectStore, Survey

_HEADS: Mapping[str, Callable[[str], str]] = {
    "datasets": lambda folder: dataset_key(folder.split("/")[1]),
    "runs": document_key,
    "codes": document_key,
    "features": document_key,
}


def unrecorded(objects: ObjectStore, records: Survey, results: Iterable[str]) -> list[str]:
    """Folders of datasets and collections, and keys of results, that no record names.

    Their record was lost, a writer was killed before it, or is at work just now. Empty where a folder of
    records cannot be listed, for then nobody knows.

    Args:
        objects: the store.
        records: what lies in `records/`, listed after `results`.
        results: what lies in `results/`.
    """
    if records.refused:
        return []
    recorded = {recorded_name(key) for key in records.versions}
    lost = [
        folder
        for kind, head in _HEADS.items()
        for folder in _folders(objects, kind)
        if head(folder) not in recorded and _has_files(objects, folder)
    ]
    return lost + sorted(key for key in results if key.endswith(".parquet") and key not in recorded)


def is_whole(objects: ObjectStore, name: str) -> bool:
    """Whether what no record names was written to its end; else a command is at work on it, or was killed."""
    head = _HEADS.get(name.split("/", maxsplit=1)[0])
    try:
        return objects.exists(head(name) if head else name)
    except UndertoneError:
        return True


def _folders(objects: ObjectStore, kind: str) -> list[str]:
    try:
        return [f"{kind}/{name}" for name in objects.folders(kind)]
    except UndertoneError:  # a link in its place: `undertone verify` names it
        return []


def _has_files(objects: ObjectStore, folder: str) -> bool:
    found = objects.survey(folder)
    return bool(found.versions or found.refused)
