"""Resolve a store's URL to its storage, and check that it can create objects atomically."""

import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from store.errors import InvalidInput, NotFound, UnsupportedStore, refuse_password
from store.objects.protocol import ObjectStore

REMOTE_SCHEMES = ("s3", "gs", "az", "memory")


def open_objects(url: str | Path) -> ObjectStore:
    """The storage behind a folder path, `file://`, `s3://`, `gs://`, `az://` or `memory://` URL."""
    text = str(url)
    refuse_password(text)
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme in ("", "file"):
        from store.objects.local import LocalObjects

        folder = Path(unquote(urlsplit(text).path) if scheme else text)
        _refuse_file(folder)
        return LocalObjects(folder)
    if scheme not in REMOTE_SCHEMES:
        legal = ", ".join(f"{name}://" for name in REMOTE_SCHEMES)
        raise InvalidInput(f"{text!r} is not a place for a store: give a folder, file://, {legal}.")
    from store.objects.remote import RemoteObjects

    return RemoteObjects(text)


def _refuse_file(folder: Path) -> None:
    for place in (folder, *folder.parents):
        try:
            mode = place.stat().st_mode
        except OSError:  # nothing is there, or it may not be read, which whoever opens it says
            continue
        if not stat.S_ISDIR(mode):
            raise NotFound(f"{place} is a file, and a store is a folder: check the path.")
        return


def probe_create(objects: ObjectStore) -> None:
    """Refuse a storage that overwrites although it was told not to: two writers would lose data silently."""
    key = f"probe-{uuid4().hex}"
    try:
        first, second = objects.create(key, [b"first"]), objects.create(key, [b"second"])
        kept = objects.get(key)
    finally:
        objects.delete(key)
    if (first, second, kept) != (True, False, b"first"):
        raise UnsupportedStore(
            f"{objects.url} ignores conditional writes (If-None-Match), which keep two workers from "
            "overwriting each other. Use a local folder or a server that honours them: AWS S3, GCS, Azure."
        )
