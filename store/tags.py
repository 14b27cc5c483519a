"""Tags: names of a user's own for runs, each a small sealed document that may be written anew."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from store.arrays.layout import check_name, document_key
from store.errors import CorruptData, InvalidInput, NotFound
from store.objects.ledger import (
    Record,
    is_recorded,
    proves_itself,
    read_committed,
    record_key,
    recorded_names,
    write_record,
)
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json

FOLDER = "tags"
LATEST = "latest"
"""What always means the run that was begun last; no tag can have this name."""
LONGEST_TAG = 100


def tag_key(tag: str) -> str:
    """Key of the document of a tag."""
    return f"{FOLDER}/{tag}.json"


def read_tags(objects: ObjectStore) -> dict[str, str]:
    """Tag → id of the run that it names, for every tag; raises `CorruptData` where one is damaged."""
    names = [key.removeprefix(f"{FOLDER}/").removesuffix(".json") for key in recorded_names(objects, FOLDER)]
    found = ((name, tagged_run(objects, name)) for name in names)
    return {name: run_id for name, run_id in found if run_id is not None}


def tags_of(objects: ObjectStore, run_id: str) -> list[str]:
    """Tags that name a run, as far as they can be read."""
    found = []
    for key, _ in objects.list(FOLDER):  # also one whose removal was killed, which no record names
        with suppress(CorruptData, NotFound):  # `undertone verify` names it
            if named_run(opened_json(objects.get(key), key), key) == run_id:
                found.append(key.removeprefix(f"{FOLDER}/").removesuffix(".json"))
    return found


def tagged_run(objects: ObjectStore, tag: str) -> str | None:
    """Id of the run that a tag names; None where there is no such tag."""
    key = tag_key(check_name(tag, "a tag"))
    try:
        document = opened_json(read_committed(objects, key), f"{objects.url}/{key}")
    except NotFound:
        return None
    return named_run(document, f"{objects.url}/{key}")


def named_run(document: Mapping[str, Any], place: str) -> str:
    """The run that the document of a tag names; raises `CorruptData`."""
    run_id = document.get("run")
    try:
        return check_name(str(run_id), "a run")
    except InvalidInput as error:
        raise CorruptData(f"{place} names no run: run `undertone repair`.") from error


def set_tag(objects: ObjectStore, tag: str, run_id: str) -> None:
    """Let a tag name a run, in place of what it named before; raises `InvalidInput` for a name not free."""
    check_name(tag, "a tag", longest=LONGEST_TAG)
    if tag == LATEST:
        raise InvalidInput(f"{LATEST!r} always means the run that was begun last: choose another tag.")
    if is_recorded(objects, document_key(f"runs/{tag}")):
        raise InvalidInput(f"{tag!r} is the id of a run, which would hide the tag: choose another tag.")
    key = tag_key(tag)
    objects.put(key, sealed_json({"run": run_id, "tagged_at": time.time()}))
    if not is_recorded(objects, key):
        write_record(objects, Record(key, "tag", (proves_itself(key),)))


def remove_tag(objects: ObjectStore, tag: str) -> None:
    """Forget a tag: first its record, so that no record names a document that is gone."""
    objects.delete(record_key(tag_key(tag)))
    objects.delete(tag_key(tag))
