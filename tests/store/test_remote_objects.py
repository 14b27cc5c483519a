"""What networks and servers do to a PUT, through a proxy that misbehaves in front of a real server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from benchmarks.bucket import BAD_WEATHER, Proxy, proxy_before
from store.arrays.verification import verify
from store.errors import StorageError, UnsupportedStore
from store.objects.protocol import ObjectStore
from store.objects.remote import RemoteObjects
from store.objects.storage import open_objects, probe_create


@pytest.fixture
def proxy(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that new connections go through."""
    monkeypatch.setattr("store.objects.remote.FIRST_PAUSE_SECONDS", 0.01)
    with proxy_before(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


@pytest.fixture
def flaky(proxy: Proxy, s3_url: str) -> ObjectStore:
    """Storage behind the proxy."""
    return open_objects(s3_url)


def test_a_put_whose_reply_was_lost_counts_as_written(flaky: ObjectStore, proxy: Proxy) -> None:
    proxy.faults = ["lost reply"]

    assert flaky.create("key", [b"ours"])
    assert flaky.get("key") == b"ours"


def test_a_lost_reply_does_not_hide_that_a_rival_was_first(flaky: ObjectStore, proxy: Proxy) -> None:
    flaky.create("key", [b"theirs"])
    proxy.faults = ["lost reply"]

    assert not flaky.create("key", [b"ours"])
    assert flaky.get("key") == b"theirs"


def test_a_conflict_without_an_object_is_tried_again(flaky: ObjectStore, proxy: Proxy) -> None:
    proxy.faults = ["conflict", "conflict"]

    assert flaky.create("key", [b"ours"])
    assert flaky.get("key") == b"ours"
    assert proxy.requests["PUT"] >= 3


def test_a_server_that_never_takes_the_object_is_reported(flaky: ObjectStore, proxy: Proxy) -> None:
    proxy.faults = ["refused"] * 100

    with pytest.raises(StorageError, match=r"Cannot write s3://.*key.*run the same command again"):
        flaky.create("key", [b"ours"])
    with pytest.raises(StorageError, match="Cannot write"):
        flaky.put("key", b"ours")
    proxy.faults = []
    assert not flaky.exists("key")


def test_a_server_that_ignores_the_condition_is_refused(flaky: ObjectStore, proxy: Proxy) -> None:
    proxy.faults = ["unconditional", "unconditional"]

    with pytest.raises(UnsupportedStore, match="conditional writes"):
        probe_create(flaky)


@pytest.mark.parametrize("fault", ["lost reply", "conflict", "busy", "reset"])
def test_a_run_through_a_bad_network_ends_complete(
    flaky: ObjectStore, proxy: Proxy, world: Any, contents: Callable[..., dict[str, bytes]], fault: str
) -> None:
    collection = world.create(flaky)
    proxy.faults = ["", fault] * 40
    receipts = world.write_all(collection)
    proxy.faults = []

    assert all(receipt.won for receipt in receipts)
    assert verify(collection) == []
    calm = world.create(flaky, prefix="runs/calm")
    world.write_all(calm)
    arrays = [list(contents(flaky, run.group).values()) for run in (collection, calm)]
    assert arrays[0] == arrays[1]


def test_a_server_that_is_not_there_is_reported(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("store.objects.remote.RETRY_SECONDS", 0.2)

    with pytest.raises(StorageError, match="Check the bucket"):
        open_objects(s3_url).get("key")


def test_an_object_store_in_memory_serves_for_trials() -> None:
    objects = RemoteObjects("memory://")

    assert objects.create("a/b", [b"x"])
    assert not objects.create("a/b", [b"y"])
    assert [key for key, _ in objects.list("a")] == ["a/b"]


@pytest.mark.parametrize("round_", range(4))
def test_of_writers_that_race_for_one_object_one_wins(s3_url: str, round_: int) -> None:
    objects = open_objects(s3_url)

    with ThreadPoolExecutor(16) as writers:
        won = list(writers.map(lambda i: objects.create("key", [b"writer %d" % i]), range(16)))

    assert sum(won) == 1
    assert objects.get("key") == b"writer %d" % won.index(True)


def test_a_run_in_bad_weather_ends_with_the_bytes_of_a_calm_one(
    s3_endpoint: str,
    s3_url: str,
    world: Any,
    contents: Callable[..., dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calm = world.create(open_objects(s3_url), prefix="runs/calm")
    world.write_all(calm)
    with proxy_before(s3_endpoint, BAD_WEATHER) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        monkeypatch.setattr("store.objects.remote.FIRST_PAUSE_SECONDS", 0.01)
        shaken = world.create(open_objects(s3_url))
        world.write_all(shaken)
        assert verify(shaken) == []

    arrays = [list(contents(run.objects, run.group).values()) for run in (shaken, calm)]
    assert arrays[0] == arrays[1]
