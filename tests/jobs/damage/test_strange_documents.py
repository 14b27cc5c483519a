"""Documents of a stranger, whole by their checksums, are refused by name for what they say."""

import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.cli.main import main, undertone
from jobs.generate.records import is_whole_flac
from store.arrays.markers import decode_marker
from store.errors import CatalogWarning, CorruptData
from store.objects.ledger import Record, decode_record, encode_record, entry_of, proves_itself, record_key
from store.objects.sealed import opened_json, sealed_json
from store.objects.storage import open_objects
from store.opening import open_store
from store.upkeep.inspection import damage, inspect
from store.upkeep.mending import mend
from store.upkeep.upgrading import upgrade

Change = Callable[[dict[str, Any]], object]
RUN, DATASET = "runs/run/run.json", "datasets/songs/dataset.json"


def array(field: str, value: object) -> Change:
    return lambda document: document["arrays"][0].update({field: value})


OF_A_RUN: dict[str, Change] = {
    "huge": array("shape", [2, 2**42]),
    "too many axes": array("shape", [2] * 40),
    "an empty axis": array("shape", [2, 0]),
    "no axis": lambda document: document["arrays"][0].update({"shape": [], "dimensions": []}),
    "a length that is text": array("shape", [2, "3"]),
    "chunks of nothing": array("chunk_clips", 0),
    "chunks that do not fill a shard": array("shard_clips", 3),
    "objects": array("dtype", "O"),
    "long texts": array("dtype", "U1000000000"),
    "a number as type": array("dtype", 4),
    "a way out": array("name", "../../../../etc"),
    "another compression": array("compression", "gzip"),
    "no attributes": array("attributes", None),
    "too few layers": array("attributes", {"layers": [0]}),
    "heads that do not divide": array("attributes", {"layers": [0, 1], "heads": 2}),
    "heads that are text": array("attributes", {"layers": [0, 1], "heads": "2"}),
    "a dimension that is a number": array("dimensions", ["layer", 3]),
    "units of nothing": lambda document: document.update(unit_clips=0),
    "units of a truth": lambda document: document.update(unit_clips=True),
    "no arrays": lambda document: document.update(arrays=[]),
    "one array twice": lambda document: document["arrays"].append(document["arrays"][0]),
    "arrays that are text": lambda document: document.update(arrays=["a"]),
    "a dataset elsewhere": lambda document: document.update(dataset={"name": "../../etc"}),
    "a model that is text": lambda document: document.update(model="pocket"),
    "a model's name that is a number": lambda document: document.update(model={"name": 4}),
    "weights that may be random": lambda document: document.update(model={"random_weights": "perhaps"}),
    "a capture that is a list": lambda document: document.update(capture=["resid"]),
    "sites that are numbers": lambda document: document.update(capture={"sites": [1]}),
    "layers below 0": lambda document: document.update(capture={"layers": [-1]}),
    "a text that is a number": lambda document: document.update(text=3),
    "seconds that are text": lambda document: document.update(clip_seconds="4"),
    "a dataset that is a number": lambda document: document.update(dataset=7),
    "a dataset's fingerprint that is a list": lambda document: document.update(dataset={"fingerprint": []}),
    "a delay that is text": lambda document: document.update(alignment={"step_minus_frame": ["1"]}),
    "no model at all": lambda document: document.update(model=None),
    "no capture at all": lambda document: document.update(capture=None),
    "a dataset that is a list": lambda document: document.update(dataset=[]),
    "a dataset whose name is an object": lambda document: document.update(dataset={"name": {}}),
    "a dataset that is null": lambda document: document.update(dataset=None),
    "nothing but one field": lambda document: [document.pop(key) for key in list(document)[1:]],
}
OF_A_DATASET: dict[str, Change] = {
    "no files": lambda info: info.pop("files"),
    "no labels": lambda info: info.pop("labels"),
    "files that are numbers": lambda info: info.update(files=[1]),
    "a file elsewhere": lambda info: info["files"][0].update(key="runs/run/run.json"),
    "a file without checksum": lambda info: info["files"][0].update(nbytes=None, crc32c=None),
    "labels that are a list": lambda info: info.update(labels=["a"]),
    "root that is text": lambda info: info.update(root="/etc"),
    "seconds that are text": lambda info: info.update(clip_seconds="1"),
    "a root whose kind is a number": lambda info: info.update(root={"kind": 1}),
    "a root whose URL is a list": lambda info: info.update(root={"kind": "url", "url": []}),
    "counts that are text": lambda info: info.update(counts={"clips": "many"}),
    "notes that are numbers": lambda info: info.update(notes=[1]),
}
OF_A_MARKER: dict[str, Change] = {
    "a row that is text": lambda marker: marker.update(first_row="0"),
    "seconds that are text": lambda marker: marker.update(seconds={"write": "long"}),
    "no provenance": lambda marker: marker.update(provenance=None),
    "a time that is text": lambda marker: marker.update(committed_at="today"),
    "a clip that is a number": lambda marker: marker["clips"][0].update(clip_id=4),
    "another state": lambda marker: marker["clips"][0].update(state="perhaps"),
    "a failure that is a number": lambda marker: marker["clips"][0].update(failure={"item": 4}),
    "an array that is a number": lambda marker: marker["shards"][0].update(array=0),
}


def rewrite(store: Path, key: str, change: Change) -> None:
    """Change a document as a stranger would: with checksum and record as they must be."""
    objects = open_objects(store)
    document = opened_json(objects.get(key), key)
    change(document)
    data = sealed_json(document)
    objects.put(key, data)
    if key == RUN:
        place = record_key(key)
        record = decode_record(objects.get(place), key, place)
        entries = (entry_of(key, data), *(entry for entry in record.entries if entry.key != key))
        objects.put(place, encode_record(Record(key, record.kind, entries, record.payload)))


@pytest.mark.parametrize("change", OF_A_RUN.values(), ids=OF_A_RUN)
def test_a_run_that_cannot_be_is_refused_by_its_document_s_name(store: Path, change: Change) -> None:
    rewrite(store, RUN, change)

    with pytest.raises(CorruptData, match=RUN):
        open_store(store).run("run")
    found = damage(inspect(open_objects(store)))
    assert RUN in {entry.key for entry in found}
    assert status(store) == (1, True)
    assert RUN in {entry.key for entry in mend(open_objects(store), found).left}


def status(store: Path, key: str = RUN) -> tuple[int, bool]:
    """Exit code of `undertone status`, and whether it names a file."""
    result = CliRunner().invoke(undertone, ["status", str(store)], standalone_mode=False)
    assert result.exception is None
    return int(result.return_value), key in result.stderr


@pytest.mark.parametrize("clips", [1, 5, 7, 10**15])
def test_a_document_that_tells_another_number_of_clips_than_the_plan_is_refused(
    store: Path, clips: int
) -> None:
    rewrite(store, RUN, lambda document: document.update(clips=clips))

    with pytest.raises(CorruptData, match=f"{RUN} says {clips} clips, its plan has 6"):
        open_store(store).run("run").read_layer("resid.mean", 0)
    found = {entry.key: entry.problem for entry in damage(inspect(open_objects(store)))}
    assert found == {RUN: "document"}
    assert status(store) == (1, True)


OTHER_CLIPS: dict[str, Change] = {
    "fewer": lambda marker: marker["clips"].pop(),
    "more": lambda marker: marker["clips"].append({"clip_id": "clip9", "state": "ok"}),
    "none": lambda marker: marker.update(clips=[]),
    "others": lambda marker: marker["clips"][0].update(clip_id="clip9"),
    "in another order": lambda marker: marker["clips"].reverse(),
    "another row": lambda marker: marker.update(first_row=2),
}


@pytest.mark.parametrize("change", OTHER_CLIPS.values(), ids=OTHER_CLIPS)
def test_a_marker_whose_clips_are_not_those_of_its_unit_is_refused_by_every_reader(
    store: Path, change: Change
) -> None:
    key = "runs/run/commits/unit-000000.json"
    rewrite(store, key, change)

    with pytest.raises(CorruptData, match=key):
        open_store(store).run("run").read_layer("resid.mean", 0)
    assert status(store, key) == (1, True)
    refused = CliRunner().invoke(undertone, ["sql", str(store), "SELECT * FROM rows"])
    assert isinstance(refused.exception, CorruptData)
    assert key in str(refused.exception)
    assert key in {entry.key for entry in damage(inspect(open_objects(store)))}


def test_the_codes_of_a_marker_with_other_clips_are_not_taken(store: Path) -> None:
    key = "codes/c0de/commits/unit-000000.json"
    rewrite(store, key, OTHER_CLIPS["fewer"])
    codes = open_store(store).codes("c0de")
    with pytest.raises(CorruptData, match=key):
        codes.marker(codes.units()[0])


@pytest.mark.parametrize("change", OF_A_MARKER.values(), ids=OF_A_MARKER)
def test_a_marker_that_cannot_be_is_refused_by_name(store: Path, change: Change) -> None:
    key = "runs/run/commits/unit-000000.json"
    marker = opened_json(open_objects(store).get(key), key)
    change(marker)
    with pytest.raises(CorruptData, match=f"{key} is no commit marker"):
        decode_marker(sealed_json(marker), key)


FIELDS = {
    "status": (["status"], "model"),
    "status of its capture": (["status"], "capture"),
    "status of a run": (["status", "run"], "dtype"),
}


@pytest.mark.parametrize(("arguments", "field"), FIELDS.values(), ids=FIELDS)
def test_a_field_that_a_command_needs_and_a_run_lacks_is_named(
    store: Path, arguments: list[str], field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(store, RUN, lambda document: document.pop(field, None))
    command, *others = arguments
    with pytest.raises(SystemExit):
        main([command, str(store), *others])
    said = capsys.readouterr().err
    assert f"{RUN} has no field {field}" in said
    assert said.count("\n") == 1


def test_a_field_within_a_field_is_named_with_both(store: Path) -> None:
    rewrite(store, RUN, lambda document: document.update(model={"name": "tiny"}))
    model = open_store(store).run("run").document["model"]
    assert (model["name"], model.get("width")) == ("tiny", None)
    for copied in (model, pickle.loads(pickle.dumps(model))):
        with pytest.raises(CorruptData, match=rf"{RUN} has no field model\.width"):
            copied["width"]
    rewrite(store, DATASET, lambda info: info.pop("clip_seconds"))
    with pytest.raises(CorruptData, match=f"{DATASET} has no field clip_seconds"):
        open_store(store).dataset("songs").info["clip_seconds"]


@pytest.mark.parametrize("change", OF_A_DATASET.values(), ids=OF_A_DATASET)
def test_a_dataset_that_cannot_be_is_refused_and_withdrawn(store: Path, change: Change) -> None:
    rewrite(store, DATASET, change)

    with pytest.raises(CorruptData, match=DATASET):
        open_store(store).dataset("songs")
    found = damage(inspect(open_objects(store)))
    assert DATASET in {entry.key for entry in found}
    assert mend(open_objects(store), found).withdrawn == ["datasets/songs"]


@pytest.mark.parametrize("key", [RUN, DATASET])
def test_sql_refuses_only_what_needs_a_document_that_cannot_be(store: Path, key: str) -> None:
    rewrite(store, key, OF_A_RUN["nothing but one field"])

    def ask(table: str) -> Any:
        return CliRunner().invoke(undertone, ["sql", str(store), f"SELECT count(*) FROM {table}"])

    refused, answered = ("runs", "datasets") if key == RUN else ("datasets", "runs")
    assert key in str(ask(refused).exception)
    with pytest.warns(CatalogWarning, match=key):
        assert ask(answered).exit_code == 0


@pytest.mark.parametrize(
    ("key", "nbytes", "crc32c"),
    [
        ("../x", 1, "00000000"),
        ("/etc/passwd", 1, "00000000"),
        ("results/a\0b", 1, "00000000"),
        ("results/" + "a" * 3000, 1, "00000000"),
        (7, 1, "00000000"),
        (["results/a"], 1, "00000000"),
        ("results/a", -1, "00000000"),
        ("results/a", True, "00000000"),
        ("results/a", 1, "0"),
        ("results/a", 1, None),
        ("results/a", None, "00000000"),
        ("results/a", None, None),
        ("runs/run/run.json", None, None),
    ],
)
def test_a_record_names_only_what_can_lie_in_a_store_with_its_checksum(
    key: object, nbytes: object, crc32c: object
) -> None:
    named = [{"key": key, "bytes": nbytes, "crc32c": crc32c}]
    head = {"format": 2, "record": "results/a", "kind": "results"}
    data = sealed_json({**head, "objects": named})
    with pytest.raises(CorruptData, match="place"):
        decode_record(data, "results/a", "place")


def test_what_proves_itself_needs_no_checksum_in_its_record() -> None:
    record = Record(DATASET, "dataset", (proves_itself(DATASET),))
    assert decode_record(encode_record(record), DATASET, "place") == record


@pytest.mark.parametrize("key", [RUN, DATASET])
@pytest.mark.parametrize("content", ["{}", "[]", '{"files": 3}', '{"files": {"../../x": 3}, "root": {}}'])
def test_an_upgrade_leaves_out_by_name_what_cannot_be_and_goes_on(
    tmp_path: Path, key: str, content: str
) -> None:
    with tarfile.open(Path(__file__).with_name("format-1.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    old = tmp_path / "format-1"
    (old / key).write_text(content)

    done = upgrade(open_objects(old), is_whole_sound=is_whole_flac, report=lambda *_: None)
    assert key in done.left_out
    assert {"codes/c0de", "datasets/songs" if key == RUN else "runs/run"} <= set(done.recorded)
    open_store(old)
