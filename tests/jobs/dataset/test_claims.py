"""Of commands that take away what a dataset of one name holds, one is at work at a time."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.dataset.adding import add_dataset
from jobs.dataset.claims import Claim, sole_writer
from jobs.dataset.options import AddRequest, SynthRequest
from jobs.dataset.rendering import synthesize_dataset
from jobs.upkeep.renaming import rename_dataset
from store.errors import Conflict
from store.heartbeats import CLAIMS
from store.objects.protocol import ObjectStore
from store.objects.storage import open_objects
from store.opening import open_store


def claims(objects: ObjectStore) -> list[str]:
    return [key for key, _ in objects.list(CLAIMS)]


def test_of_many_that_begin_together_no_two_go_on_and_nothing_is_left() -> None:
    objects, together = open_objects("memory://"), threading.Barrier(8)
    inside: list[int] = []
    most: list[int] = []
    told: list[str] = []

    def begin() -> None:
        together.wait()
        try:
            with sole_writer(objects, "songs"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()
        except Conflict as conflict:
            told.append(str(conflict))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most, default=1) == 1
    assert len(most) + len(told) == 8
    assert all("Another command writes dataset 'songs' just now" in one for one in told)
    assert claims(objects) == []


def test_a_claim_that_a_killed_command_left_grows_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = open_objects("memory://")
    Claim(objects, "songs").beat("dead")
    with (
        pytest.raises(Conflict, match="heartbeat claims/songs/heartbeat/dead"),
        sole_writer(objects, "songs"),
    ):
        pass
    with sole_writer(objects, "others"):
        pass
    monkeypatch.setattr("store.heartbeats.FRESH_SECONDS", -1.0)
    with sole_writer(objects, "songs"):
        pass


def synth(store: str, audio: Path) -> None:
    synthesize_dataset(SynthRequest(store, "theory", clips=2, concepts="tempos", clip_seconds=1.0))


def rename(store: str, audio: Path) -> None:
    rename_dataset(open_store(store), "tones", "theory", dry_run=False)


def replaced(store: str, audio: Path) -> None:
    add_dataset(AddRequest(store, "theory", str(audio), clip_seconds=1.0, replace=True))


@pytest.mark.parametrize("command", [synth, rename, replaced])
def test_what_takes_away_waits_for_nobody_and_touches_nothing_while_another_is_at_it(
    store: str, audio: Path, command: Callable[[str, Path], None]
) -> None:
    objects = open_store(store).objects
    objects.put("datasets/theory/audio/mine.flac", b"of the other command")
    before = dict(objects.versions("datasets"))
    with sole_writer(objects, "theory"), pytest.raises(Conflict, match="Another command writes"):
        command(store, audio)
    assert dict(objects.versions("datasets")) == before
    command(store, audio)
    assert "theory" in open_store(store).datasets()
    assert claims(objects) == []
