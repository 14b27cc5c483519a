"""The version of a store's format: where it is written, and which ones are read."""

from shlex import quote

from store.arrays.zarr_metadata import decoded_json
from store.errors import CorruptData, InvalidInput, NotFound
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json

VERSION = 3
READABLE = (2, VERSION)
"""Format 3 is format 2 with manifests of commits, which older versions would not see."""
FORMAT = {"format": "undertone", "version": VERSION}
FORMAT_KEY = "undertone.json"


def write_format(objects: ObjectStore) -> None:
    """Say that this is a store, and of which format; for a new one, or where that was damaged."""
    objects.put(FORMAT_KEY, sealed_json(FORMAT))


def stored_version(objects: ObjectStore) -> int:
    """Version of the format of a store; raises `NotFound` where there is none, `CorruptData` for damage."""
    try:
        data = objects.get(FORMAT_KEY)
    except NotFound as error:
        if objects.folders("records"):
            raise CorruptData(
                f"{objects.url}/{FORMAT_KEY} is gone, although there are records of a store: "
                "run `undertone repair`."
            ) from error
        raise NotFound(
            f"{objects.url} is no Undertone store (it has no {FORMAT_KEY}). Check the path; "
            "`undertone dataset add`, in Python `undertone.add_dataset`, makes a new store."
        ) from error
    if _is_of_version_1(data):
        return 1
    found = opened_json(data, f"{objects.url}/{FORMAT_KEY}")
    if found.get("format") != FORMAT["format"] or not isinstance(found.get("version"), int):
        raise InvalidInput(f"{objects.url} has format {found!r}; this version of Undertone reads {FORMAT!r}.")
    return int(found["version"])


def check_format(objects: ObjectStore) -> None:
    """Raise `InvalidInput` for a store of a format that this version does not read."""
    version = stored_version(objects)
    if version == 1:
        raise InvalidInput(
            f"{objects.url} is a store of format 1; this version reads format {VERSION}. "
            f"`undertone upgrade {quote(objects.url)}` brings it up to date in place, and loses nothing."
        )
    if version not in READABLE:
        raise InvalidInput(
            f"{objects.url} is a store of format {version}; this version of Undertone reads {VERSION}. "
            "Install a newer one."
        )


def _is_of_version_1(data: bytes) -> bool:
    """Format 1 had no checksum here."""
    try:
        return decoded_json(data, FORMAT_KEY) == {"format": "undertone", "version": 1}
    except CorruptData:
        return False
