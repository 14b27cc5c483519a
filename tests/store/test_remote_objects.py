"""What networks and servers do to a PUT, through a proxy that misbehaves in front of a real server."""

import http.client
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from store.arrays.verification import verify
from store.errors import StorageError, UnsupportedStore
from store.objects.protocol import ObjectStore
from store.objects.remote import RemoteObjects
from store.objects.storage import open_objects, probe_create


class Proxy(ThreadingHTTPServer):
    """Forwards to the S3 server; `faults` says what happens to the next PUTs."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), Forwarder)
        self.upstream = urlsplit(endpoint).netloc
        self.faults: list[str] = []
        self.puts = 0


class Forwarder(BaseHTTPRequestHandler):
    """One request: forwarded, unless a fault says otherwise."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def forward(self) -> None:
        fault = ""
        if self.command == "PUT":
            self.server.puts += 1
            fault = self.server.faults.pop(0) if self.server.faults else ""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault == "conflict":
            self.answer(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>", {})
            return
        if fault == "refused":
            self.answer(403, b"<Error><Code>AccessDenied</Code></Error>", {})
            return
        dropped = {"if-none-match"} if fault == "unconditional" else set()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        upstream = http.client.HTTPConnection(self.server.upstream)
        upstream.request(self.command, self.path, body, headers)
        reply = upstream.getresponse()
        if fault == "lost reply":
            self.close_connection = True
            self.connection.close()
            return
        self.answer(reply.status, reply.read(), dict(reply.getheaders()))

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = forward  # noqa: N815

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length") or headers.get("content-length")
        self.send_header("Content-Length", str(length if self.command == "HEAD" and length else len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that new connections go through."""
    server = Proxy(s3_endpoint)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("store.objects.remote.FIRST_PAUSE_SECONDS", 0.01)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


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
    assert proxy.puts >= 3


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


@pytest.mark.parametrize("fault", ["lost reply", "conflict"])
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
