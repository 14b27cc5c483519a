"""Resolution of the run that a user names: by its id, a tag, `latest`, or the beginning of an id."""

import re
from collections.abc import Sequence
from functools import partial

from store.arrays.layout import check_name, document_key
from store.arrays.markers import read_marker
from store.arrays.stored_commits import StoredCommits
from store.errors import CorruptData, InvalidInput, NotFound
from store.objects.ledger import is_recorded, read_record
from store.objects.protocol import ObjectStore
from store.tags import LATEST, read_tags, tagged_run

MOST_LISTED = 20
_ENDING = re.compile(r"-[0-9a-f]{10}")
"""What an id has behind the names of its dataset and model."""


def run_ids(objects: ObjectStore) -> list[str]:
    """Ids of all runs of a store."""
    return collection_names(objects, "runs")


def collection_names(objects: ObjectStore, kind: str) -> list[str]:
    """Names of all collections of a kind ("runs", "codes", "features")."""
    names = objects.folders(f"records/{kind}")
    return [name for name in names if is_recorded(objects, document_key(f"{kind}/{name}"))]


def resolve_run(objects: ObjectStore, wanted: str) -> str:
    """The id of the run that is meant.

    An id that there is comes first, then a tag, then `latest`, then the beginning of one id. Where that
    begins several, the id that is this name but for its digits: `songs-pocket` is not `songs-pocket-clap-…`.

    Raises:
        NotFound: nothing of this name; the message lists the runs and tags.
        InvalidInput: it begins several ids.
    """
    names = run_ids(objects)
    if wanted in names:
        return check_name(wanted, "a run")
    if wanted and (tagged := _tagged(objects, names, wanted)):
        return tagged
    if wanted == LATEST and names:
        return latest_run(objects, names)
    return one_of(names, wanted, "run", objects.url, also=_choices(objects, names))


def one_of(names: Sequence[str], wanted: str, what: str, url: str, *, also: str = "") -> str:
    """The one name that begins like this; raises `NotFound` or `InvalidInput` with the choices."""
    matches = [wanted] if wanted in names else [name for name in names if wanted and name.startswith(wanted)]
    if not matches:
        raise NotFound(f"There is no {what} {wanted!r} in {url}; it has: {listed(names)}{also}.")
    if len(whole := [name for name in matches if _ENDING.fullmatch(name, len(wanted))]) == 1:
        matches = whole
    if len(matches) > 1:
        raise InvalidInput(f"{wanted!r} may mean {listed(matches)}: give more of it{also and ', or a tag'}.")
    return check_name(matches[0], what)


def listed(names: Sequence[str]) -> str:
    """Names in a row, the first of very many."""
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more if names else "none"


def latest_run(objects: ObjectStore, names: Sequence[str]) -> str:
    """The run that was begun last; of equal ones the last by name."""
    return max(names, key=lambda name: (begun_at(objects, name), name))


def begun_at(objects: ObjectStore, run_id: str) -> float:
    """Unix time at which a run was begun; where nobody wrote that down, when its first unit was committed."""
    try:
        created = read_record(objects, document_key(f"runs/{run_id}")).payload.get("created_at")
        if isinstance(created, int | float):
            return float(created)
        stored = StoredCommits(objects, f"runs/{run_id}").read(partial(read_marker, objects))
        return float(stored.table["committed_at"][0].as_py()) if len(stored) else 0.0
    except (CorruptData, NotFound, TypeError, ValueError):  # `undertone verify` names it
        return 0.0


def _tagged(objects: ObjectStore, names: Sequence[str], tag: str) -> str | None:
    try:
        run_id = tagged_run(objects, tag)
    except InvalidInput:  # it cannot be the name of anything
        return None
    if run_id is not None and run_id not in names:
        raise NotFound(
            f"The tag {tag!r} names the run {run_id!r}, which is not in {objects.url}; it has: "
            f"{listed(names)}. Let the tag name one of them with `undertone run tag`."
        )
    return run_id


def _choices(objects: ObjectStore, names: Sequence[str]) -> str:
    """What may be given beside the ids, for a message."""
    try:
        tags = [f"{tag} ({run_id})" for tag, run_id in read_tags(objects).items()]
    except CorruptData:  # `undertone verify` names it
        tags = []
    said = f"; tags: {listed(tags)}" if tags else ""
    return f"{said}; {LATEST!r} means the newest" if len(names) > 1 else said
