"""An S3 server on this machine, and a proxy before it that delays, refuses, cuts and counts requests.

The server is SeaweedFS (from the registry of Python packages): of many writers that create one object at the
same time it lets exactly one win, as S3 does.
"""

import http.client
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import urlsplit

BUCKET = "undertone-tests"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
START_SECONDS = 60.0
_GRPC_OFFSET = 10_000
"""SeaweedFS listens on every port of its own and on that port plus this."""
_HOP = frozenset({"transfer-encoding", "connection", "content-length", "date", "server"})
"""Headers that a proxy writes itself."""


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a running S3 server with the empty bucket `BUCKET`; `CREDENTIALS` will do, as any would.

    Raises `RuntimeError` where it does not start within `START_SECONDS`.
    """
    folder = Path(tempfile.mkdtemp(prefix="undertone-s3-"))
    try:
        log = folder / "log"
        server, endpoint = _start(folder, log)
        try:
            _await(server, endpoint, log)
            yield endpoint
        finally:
            server.kill()
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    data = folder / "data"
    data.mkdir()
    names = ("s3.port", "master.port", "volume.port", "filer.port")
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    flags = {
        "dir": data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "bucket": BUCKET,
        "webdav": "false",
        "admin.ui": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.telemetry": "false",
        **ports,
    }
    command = [str(Path(sys.executable).with_name("weed")), "mini", *(f"-{k}={v}" for k, v in flags.items())]
    with log.open("wb") as output:
        # Without identities it takes every signature: the proxy changes headers that are signed.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=environment)
    return server, f"http://127.0.0.1:{ports['s3.port']}"


def _await(server: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """Wait until the bucket is there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with closing(http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=5)) as connection:
            try:
                connection.request("HEAD", f"/{BUCKET}")
                if connection.getresponse().status == http.client.OK:
                    return
            except OSError:
                pass
        time.sleep(0.05)
    raise RuntimeError(f"the S3 server did not start: {log.read_text(errors='replace')[-2000:]}")


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, with room above them for the second port of each."""
    found: list[int] = []
    for port in random.SystemRandom().sample(range(20_000, 32_000), 2_000):
        if _is_free(port) and _is_free(port + _GRPC_OFFSET):
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports for the S3 server")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Weather:
    """How a network and a server misbehave: seconds, and shares of all requests."""

    latency_seconds: float = 0.0
    busy: float = 0.0
    """Answered with 503 and not carried out."""
    reset: float = 0.0
    """The connection is cut before the request is carried out."""
    lost_reply: float = 0.0
    """Carried out, but the connection is cut before the reply."""
    seed: int = 0


BAD_WEATHER = Weather(latency_seconds=0.03, busy=0.05, reset=0.02, lost_reply=0.02)


class Proxy(ThreadingHTTPServer):
    """Forwards requests to a server and counts them; faults come by script or by chance.

    Attributes:
        faults: what happens to the next PUTs, in order: "busy", "reset", "lost reply", "conflict" (409),
            "refused" (403), "unconditional" (the condition is dropped); "" is none.
        requests: how many there were of each method.
        sent, received: bytes of bodies towards the server and from it.
    """

    daemon_threads = True

    def __init__(self, endpoint: str, weather: Weather | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarder)
        self.upstream = urlsplit(endpoint).netloc
        self.weather = weather or Weather()
        self.faults: list[str] = []
        self.requests: Counter[str] = Counter()
        self.sent = self.received = 0
        self._chance = random.Random(self.weather.seed)
        self._lock = Lock()

    @property
    def endpoint(self) -> str:
        """Its own address."""
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, method: str, *, sent: int = 0, received: int = 0) -> None:
        """Note one request, or bytes of one that is noted (with an empty method)."""
        with self._lock:
            self.sent += sent
            self.received += received
            if method:
                self.requests[method] += 1

    def fault(self, method: str) -> str:
        """What goes wrong with the next request; "" where nothing does."""
        with self._lock:
            if method == "PUT" and self.faults:
                return self.faults.pop(0)
            weather = self.weather
            kinds = ("busy", "reset", "lost reply", "")
            shares = (weather.busy, weather.reset, weather.lost_reply)
            return self._chance.choices(kinds, [*shares, 1 - sum(shares)])[0]


class _Forwarder(BaseHTTPRequestHandler):
    """One connection of a client, with one of its own to the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for an ACK
    server: Proxy

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(self.server.upstream)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.count(self.command, sent=len(body))
        time.sleep(self.server.weather.latency_seconds)
        fault = self.server.fault(self.command)
        if fault == "busy":
            self.answer(503, b"<Error><Code>SlowDown</Code></Error>", {})
        elif fault == "conflict":
            self.answer(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>", {})
        elif fault == "refused":
            self.answer(403, b"<Error><Code>AccessDenied</Code></Error>", {})
        elif fault == "reset":
            self.cut()
        else:
            reply, data = self.carry_out(body, {"if-none-match"} if fault == "unconditional" else set())
            if fault == "lost reply":
                self.cut()
            else:
                self.answer(reply.status, data, dict(reply.getheaders()))

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = forward  # noqa: N815

    def carry_out(self, body: bytes, dropped: set[str]) -> tuple[http.client.HTTPResponse, bytes]:
        """The server's reply; a connection that it closed meanwhile is made anew."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
        for last in (False, True):
            try:
                self.upstream.request(self.command, self.path, body, headers)
                reply = self.upstream.getresponse()
                return reply, reply.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                self.upstream.close()
                if last:
                    raise
        raise AssertionError("unreachable")

    def cut(self) -> None:
        """Close the client's connection without a word."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a reply; that of a HEAD has the length of the object and no body."""
        self.server.count("", received=len(body))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = next((value for name, value in headers.items() if name.lower() == "content-length"), None)
        self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def proxy_before(endpoint: str, weather: Weather | None = None) -> Iterator[Proxy]:
    """A running proxy before a server."""
    proxy = Proxy(endpoint, weather)
    thread = Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
