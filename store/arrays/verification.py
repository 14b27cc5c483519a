"""Compare a collection with the checksums in its markers, and withdraw what differs."""

from collections.abc import Collection as Names
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.arrays.collection import Collection
from store.arrays.commits import SCHEMA, Commits, shards_of, unit_digests, with_markers
from store.arrays.completion import withdraw_completions
from store.arrays.disagreements import Disagreement, refused_folders, short, unread
from store.arrays.layout import document_key, marker_key, unit_name
from store.arrays.manifests import expand, manifest_of, read_manifest, standing, take_away, units_of
from store.arrays.markers import Marker, read_marker
from store.arrays.plan import Plan, plan_digest, stored_clips
from store.arrays.vouched import Vouched, checking_here
from store.arrays.zarr_metadata import array_document, array_rows, encoded_json, group_document
from store.errors import CorruptData, NotFound, UndertoneError
from store.heartbeats import FRESH_SECONDS, refuse_if_at_work
from store.objects.concurrency import map_concurrently
from store.objects.ledger import Entry, Record, all_records, entry_of
from store.objects.protocol import ObjectStore
from store.records import Unit

TEMPORARY_OLD_SECONDS = 3600.0


def verify(collection: Collection, *, unit_ids: Names[str] | None = None) -> list[Disagreement]:
    """Read everything again that markers vouch for (of some units, or all) and list what disagrees."""
    commits, found = verify_around(collection, unit_ids)
    return [*found, *checking_here(collection.objects)(vouched_shards(collection, commits))]


def verify_around(
    collection: Collection, unit_ids: Names[str] | None = None
) -> tuple[Commits, list[Disagreement]]:
    """What disagrees beside the contents of shards, and the commits that vouch for these."""
    commits, found = _checked_commits(collection, unit_ids)
    if unit_ids is None:
        with suppress(UndertoneError):  # then the plan stands in the list already
            found += _strangers(collection)
    return commits, found


def vouched_shards(collection: Collection, commits: Commits) -> Iterator[Vouched]:
    """Every shard that these commits vouch for."""
    for row in commits.rows(["unit_id", "shards"]):
        for shard in shards_of(row):
            key, layout = f"{collection.prefix}/{shard.key}", collection.layouts.get(shard.array)
            yield Vouched(key, shard.nbytes, shard.crc32c, layout, row["unit_id"])


def verify_documents(collection: Collection) -> list[Disagreement]:
    """What disagrees in the markers and the array documents; no shard is read, and no digest of a plan made.

    That the plan is the one that was recorded its record says.
    """
    return _checked_commits(collection, None, plan_too=False)[1]


def repair(
    collection: Collection,
    disagreements: Sequence[Disagreement],
    *,
    fresh_seconds: float = FRESH_SECONDS,
) -> list[Unit]:
    """Withdraw the units that disagree, so that the next run computes them again; returns these units.

    Markers go before shards: a reader never sees a marker whose shards are gone. Raises `Conflict` while a
    driver is at work, and `CorruptData` for a plan that cannot be mended.
    """
    refuse_if_at_work(collection.objects, collection.prefix, fresh_seconds)
    if broken := [entry for entry in disagreements if entry.problem == "plan"]:
        raise CorruptData(f"{broken[0].key} cannot be repaired ({broken[0].detail}): restore it from a copy.")
    _mend_metadata(collection)
    withdrawn = {entry.unit_id for entry in disagreements if entry.unit_id}
    withdraw_completions(collection.objects, collection.prefix, withdrawn)
    plan = collection.plan()
    _withdraw_manifests(collection, plan, disagreements, withdrawn)
    units = [plan.unit(number) for number, unit_id in enumerate(plan.unit_ids) if unit_id in withdrawn]
    _withdraw(collection, units, disagreements)
    collection.objects.sweep(TEMPORARY_OLD_SECONDS)
    collection.refresh()
    return units


def _checked_commits(
    collection: Collection, unit_ids: Names[str] | None, *, plan_too: bool = True
) -> tuple[Commits, list[Disagreement]]:
    """What can be read of the commits, and what disagrees in them and, where all are meant, around them."""
    commits, found = _commits(collection, unit_ids)
    try:
        plan = collection.plan()
    except UndertoneError as error:
        found.append(_wrong_plan(collection, error))
    else:
        found += _check_commits(collection, commits, plan)
        found += _check_frame(collection, plan_too=plan_too) if unit_ids is None else []
    if unit_ids is None:
        told = {entry.key for entry in found}
        with suppress(UndertoneError):  # a folder that is refused stands in the list already
            found += [entry for entry in _wrong_markers(collection) if entry.key not in told]
    return commits, found


def _wrong_plan(collection: Collection, error: UndertoneError) -> Disagreement:
    """A plan that cannot be read, or a document that tells another length of it."""
    document = document_key(collection.prefix)
    if document in str(error):
        return Disagreement("document", document, None, short(error))
    return Disagreement("plan", f"{collection.prefix}/plan", None, str(error))


def _commits(collection: Collection, unit_ids: Names[str] | None) -> tuple[Commits, list[Disagreement]]:
    """What markers and manifests say now in the store, never from memory."""
    objects, prefix = collection.objects, collection.prefix
    survey = objects.survey(f"{prefix}/commits")
    broken, stands = refused_folders(survey), standing(objects, prefix)
    tables = [SCHEMA.empty_table()]
    for manifest in stands.by_group.values():
        try:
            tables.append(read_manifest(objects, manifest.key))
        except (UndertoneError, OSError) as error:
            broken.append(unread(manifest.key, error, "marker"))
    loose = [key for key in survey.versions if not (stands.covers(key) or manifest_of(key))]
    wanted_keys = [key for key in loose if unit_ids is None or _unit_of(key) in unit_ids]
    read = map_concurrently(partial(_tried_marker, objects), wanted_keys, threads=objects.read_threads)
    broken += [one for one in read if isinstance(one, Disagreement)]
    markers = [one for one in read if isinstance(one, Marker)]
    commits = with_markers(Commits(pa.concat_tables(tables)), markers)
    if unit_ids is not None:
        wanted = pc.is_in(commits.table["unit_id"], pa.array(list(unit_ids), pa.string()))
        commits = Commits(commits.table.filter(wanted))
    return commits, broken


def _unit_of(key: str) -> str:
    return key.rsplit("/", 1)[-1].removesuffix(".json")


def _tried_marker(objects: ObjectStore, key: str) -> Marker | Disagreement | None:
    try:
        return read_marker(objects, key)
    except NotFound:  # withdrawn since it was listed
        return None
    except (UndertoneError, OSError) as error:
        return unread(key, error, "marker", _unit_of(key))


def _wrong_markers(collection: Collection) -> Iterator[Disagreement]:
    """Markers that a record of completion names and that are gone, or are not the ones it names."""
    named: dict[str, Entry] = {}
    for _, record in all_records(collection.objects, f"{collection.prefix}/complete"):
        if isinstance(record, Record):
            named |= {entry.key: entry for entry in record.entries}
    stands = standing(collection.objects, collection.prefix)
    for key, entry in named.items():
        if stands.covers(key):  # compacted since, or read with the manifests
            continue
        unit_id = None if manifest_of(key) else _unit_of(key)
        try:
            found = entry_of(key, collection.objects.get(key))
        except NotFound:
            yield Disagreement(
                "missing", key, unit_id, "the marker is gone although everything was committed"
            )
        except (UndertoneError, OSError):  # told by whoever read the markers
            continue
        else:
            if found != entry:
                yield Disagreement(
                    "marker", key, unit_id, "it is not the marker that completed the collection"
                )


def _check_commits(collection: Collection, commits: Commits, plan: Plan) -> Iterator[Disagreement]:
    digests = [digest for part in plan.parts for digest in unit_digests(part)]
    for row in commits.rows(["unit_id", "first_row", "clips_sha256", "states", "shards"]):
        unit_id = row["unit_id"]
        key = marker_key(collection.prefix, unit_id)
        if unit_id not in plan.number:
            yield Disagreement("stranger", key, None, "the plan has no such unit")
            continue
        number = plan.number[unit_id]
        first_row, clips = int(plan.first_rows[number]), int(plan.lengths[number])
        said = (row["first_row"], len(row["states"]), row["clips_sha256"])
        if said != (first_row, clips, digests[number]):
            yield Disagreement("marker", key, unit_id, "its clips are not those of the plan")
        if {shard["key"] for shard in row["shards"]} != set(_keys_of_rows(collection, first_row, clips)):
            yield Disagreement("marker", key, unit_id, "its shards are not those of the unit")


def _check_frame(collection: Collection, *, plan_too: bool) -> Iterator[Disagreement]:
    """The plan and the array documents."""
    digest = collection.document["plan_sha256"]
    if plan_too and plan_digest(stored_clips(collection.objects, collection.prefix)) != digest:
        yield Disagreement(
            "plan", f"{collection.prefix}/plan", None, "the plan is not the one of the document"
        )
    for key, _ in _wrong_documents(collection):
        yield Disagreement("metadata", key, None, "it is not what the document of the collection says")


def _strangers(collection: Collection) -> Iterator[Disagreement]:
    known = {f"{collection.prefix}/{key}" for key in _planned_shards(collection, collection.plan())}
    known |= {f"{collection.group}/{name}/zarr.json" for name in collection.layouts}
    known.add(f"{collection.group}/zarr.json")
    survey = collection.objects.survey(collection.group)
    yield from refused_folders(survey)
    for key in survey.versions:
        if key not in known:
            yield Disagreement("stranger", key, None, "no unit of the plan has such a shard")


def _shard_keys(collection: Collection, unit: Unit) -> Iterator[str]:
    """Keys of a unit's shards relative to the collection, as markers name them."""
    return _keys_of_rows(collection, unit.first_row, len(unit.clips))


def _keys_of_rows(collection: Collection, first_row: int, clips: int) -> Iterator[str]:
    group = collection.group.removeprefix(f"{collection.prefix}/")
    for name, layout in collection.layouts.items():
        for shard in layout.shards_of_rows(first_row, clips):
            yield f"{group}/{name}/{layout.shard_key(shard)}"


def _planned_shards(collection: Collection, plan: Plan) -> Iterator[str]:
    for first_row, clips in zip(plan.first_rows.tolist(), plan.lengths.tolist(), strict=True):
        yield from _keys_of_rows(collection, first_row, clips)


def _withdraw(collection: Collection, units: Sequence[Unit], disagreements: Sequence[Disagreement]) -> None:
    objects = collection.objects
    for unit in units:
        objects.delete(marker_key(collection.prefix, unit.unit_id))
    for unit in units:
        for key in _shard_keys(collection, unit):
            objects.delete(f"{collection.prefix}/{key}")
    for entry in disagreements:
        if entry.problem == "stranger":
            objects.delete(entry.key)


def _withdraw_manifests(
    collection: Collection, plan: Plan, disagreements: Sequence[Disagreement], withdrawn: Names[str]
) -> None:
    """Manifests that are damaged, with all they say; of the others, units that are withdrawn."""
    objects, prefix = collection.objects, collection.prefix
    damaged = {entry.key for entry in disagreements if manifest_of(entry.key)}
    for key in damaged:
        withdraw_completions(objects, prefix, [unit_name(number) for number in units_of(key)])
        take_away(objects, key)
    keys = [manifest.key for manifest in standing(objects, prefix).by_group.values()] if withdrawn else []
    expand(objects, prefix, plan, {key: read_manifest(objects, key) for key in keys}, withdrawn)


def _mend_metadata(collection: Collection) -> None:
    for key, right in _wrong_documents(collection):
        collection.objects.put(key, encoded_json(right))


def _wrong_documents(collection: Collection) -> list[tuple[str, dict[str, Any]]]:
    """Keys of the Zarr documents that disagree, with what they should hold."""
    needed = collection.plan().rows_needed(collection.unit_clips)
    wanted = {f"{collection.group}/zarr.json": group_document()}
    for name, layout in collection.layouts.items():
        key = f"{collection.group}/{name}/zarr.json"
        wanted[key] = array_document(layout, max(needed, _stored_rows(collection, name)))
    return [(key, right) for key, right in wanted.items() if _bytes(collection, key) != encoded_json(right)]


def _stored_rows(collection: Collection, name: str) -> int:
    """An array may be longer than its plan: it grows just before the plan does."""
    try:
        return array_rows(collection.objects, collection.group, name)
    except UndertoneError:
        return 0


def _bytes(collection: Collection, key: str) -> bytes | None:
    try:
        return collection.objects.get(key)
    except UndertoneError:
        return None
