"""Which run a name means: ids, tags, `latest`, beginnings; what is said where it means none or several."""

from pathlib import Path

import pytest

from store.arrays.collection import create_collection
from store.arrays.layout import document_key
from store.errors import InvalidInput, NotFound
from store.objects.ledger import RECORDS, Record, encode_record, read_record, record_key
from store.objects.protocol import ObjectStore
from store.opening import Store, open_store
from store.records import ArraySpec, PlannedClip
from store.run_names import latest_run, one_of, resolve_run
from store.tags import read_tags, remove_tag, set_tag, tag_key
from store.upkeep.inspection import damage, inspect
from store.upkeep.mending import mend

RUNS = ("songs-large", "songs-small", "tones")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three runs, of which songs-small was begun last."""
    store = open_store(tmp_path / "named.store", create=True)
    for number, run_id in enumerate((*RUNS[::2], "songs-small")):
        array = ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32")
        clips = [PlannedClip("clip", "a.wav", 0.0, 1.0)]
        create_collection(store.objects, f"runs/{run_id}", document={}, arrays=[array], clips=clips)
        begun(store.objects, run_id, 100.0 + number)
    return store


def begun(objects: ObjectStore, run_id: str, at: float | None) -> None:
    key = document_key(f"runs/{run_id}")
    record = read_record(objects, key)
    payload = {} if at is None else {"created_at": at}
    objects.put(record_key(key), encode_record(Record(key, record.kind, record.entries, payload)))


def test_a_run_is_meant_by_its_id_a_tag_latest_or_the_beginning_of_its_id(store: Store) -> None:
    set_tag(store.objects, "best", "tones")
    for wanted, meant in (
        ("tones", "tones"),
        ("best", "tones"),
        ("latest", "songs-small"),
        ("songs-l", "songs-large"),
    ):
        assert resolve_run(store.objects, wanted) == meant
        assert store.run(wanted).prefix == f"runs/{meant}"


def test_a_tag_may_be_moved_and_forgotten_and_verify_reads_it(store: Store) -> None:
    set_tag(store.objects, "best", "tones")
    set_tag(store.objects, "best", "songs-large")
    assert read_tags(store.objects) == {"best": "songs-large"}
    assert inspect(store.objects) == []
    remove_tag(store.objects, "best")
    assert read_tags(store.objects) == {}
    assert list(store.objects.list("tags")) == list(store.objects.list(f"{RECORDS}/tags")) == []


def test_a_damaged_tag_is_found_and_repair_takes_it_away(store: Store) -> None:
    set_tag(store.objects, "best", "tones")
    whole = store.objects.get(tag_key("best"))
    store.objects.put(tag_key("best"), whole.replace(b"tones", b"bones"))
    [found] = damage(inspect(store.objects))
    assert (found.key, found.problem) == (tag_key("best"), "checksum")
    mend(store.objects, [found])
    assert inspect(store.objects) == []
    assert read_tags(store.objects) == {}


def test_an_unknown_name_is_answered_with_runs_and_tags(store: Store) -> None:
    set_tag(store.objects, "best", "tones")
    with pytest.raises(NotFound) as unknown:
        resolve_run(store.objects, "sings")
    for choice in (*RUNS, "best (tones)", "'latest' means the newest"):
        assert choice in str(unknown.value)
    with pytest.raises(NotFound):
        resolve_run(store.objects, "")
    with pytest.raises(InvalidInput, match="may mean songs-large, songs-small: give more of it"):
        resolve_run(store.objects, "songs")


def test_a_name_that_is_whole_but_for_the_digits_is_not_another_that_it_begins() -> None:
    runs = ["songs-pocket-00112233aa", "songs-pocket-clap-00112233aa"]
    assert one_of(runs, "songs-pocket", "run", "a.store") == runs[0]
    with pytest.raises(InvalidInput, match="give more of it"):
        one_of([*runs, "songs-pocket-00112233bb"], "songs-pocket", "run", "a.store")


def test_a_tag_whose_run_is_gone_says_so(store: Store) -> None:
    set_tag(store.objects, "best", "away")
    with pytest.raises(NotFound, match="'best' names the run 'away', which is not in"):
        resolve_run(store.objects, "best")
    [note] = inspect(store.objects)
    assert (note.key, note.problem) == (tag_key("best"), "note")


@pytest.mark.parametrize("name", ["latest", "tones", "a b", "", "x" * 101])
def test_names_that_would_mislead_or_cannot_be_keys_are_no_tags(store: Store, name: str) -> None:
    with pytest.raises(InvalidInput):
        set_tag(store.objects, name, "tones")
    assert read_tags(store.objects) == {}


def test_where_nobody_wrote_down_when_runs_were_begun_the_latest_is_still_one_of_them(store: Store) -> None:
    for run_id in RUNS:
        begun(store.objects, run_id, None)
    assert latest_run(store.objects, RUNS) == "tones"  # of equal ones the last by name
