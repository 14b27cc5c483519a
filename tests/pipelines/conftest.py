"""Audio files for the tests of readers and decoders: real WAV, FLAC, MP3, Ogg and M4A, and their server."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]
WriteAudio = Callable[..., Samples]


@pytest.fixture(scope="session")
def write_audio() -> WriteAudio:
    """Write a chord with noise in the format of the file's name; returns it, (samples, channels)."""

    def write(
        path: Path,
        seconds: float = 2.5,
        *,
        rate: int = 22_050,
        channels: int = 1,
        seed: int = 0,
        **options: str,
    ) -> Samples:
        samples = make_samples(round(seconds * rate), rate, channels, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, **options)
        return samples

    return write


@pytest.fixture
def write_with_ffmpeg() -> WriteAudio:
    """Like write_audio, through any of FFmpeg's encoders and muxer options."""

    def write(
        path: Path,
        codec: str,
        seconds: float = 12.0,
        *,
        rate: int = 44_100,
        samples: Samples | None = None,
        encoder: dict[str, str] | None = None,
        muxer: dict[str, str] | None = None,
    ) -> Samples:
        if samples is None:
            samples = make_samples(round(seconds * rate), rate, 2, seed=1)
        layout = "stereo" if samples.shape[1] == 2 else "mono"
        with av.open(path, "w", options=muxer or {}) as container:
            stream = cast(
                av.AudioStream, container.add_stream(codec, rate=rate, layout=layout, options=encoder or {})
            )
            for start in range(0, len(samples), 1024):
                block = np.ascontiguousarray(samples[start : start + 1024].T)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
                frame.sample_rate, frame.pts = rate, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return samples

    return write


def make_samples(count: int, rate: int, channels: int, seed: int) -> Samples:
    """A chord that swells and fades, with noise; every channel differs."""
    seconds = np.arange(count) / rate
    noise = np.random.default_rng(seed).standard_normal((count, channels))
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.3 * seconds)
    chord = sum(np.sin(2 * np.pi * pitch * seconds) for pitch in (220.0, 277.2, 329.6))
    loudness = np.linspace(0.1, 0.05, channels)
    return np.asarray((chord * swell)[:, None] * loudness + 0.02 * noise, dtype=np.float32)


@dataclass
class Traffic:
    """What a server was asked for."""

    url: str
    requests: Counter[str]
    nbytes: Counter[str]


@pytest.fixture
def served() -> Callable[[Path], AbstractContextManager[Traffic]]:
    """Put a folder behind a URL for a block: the server understands ranges and knows ETags, as buckets do."""
    return _served


@contextmanager
def _served(folder: Path) -> Iterator[Traffic]:
    traffic = Traffic("", Counter(), Counter())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(None)

        def _answer(self, body: bytes | None) -> None:
            name = self.path.lstrip("/")
            traffic.requests[name] += 1
            content = (folder / name).read_bytes()
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first = int(wanted[1]) if wanted else 0
            last = min(int(wanted[2]), len(content) - 1) if wanted and wanted[2] else len(content) - 1
            self.send_response(206 if wanted else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{md5(content, usedforsecurity=False).hexdigest()}"')
            self.send_header("Content-Length", str(last - first + 1))
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            self.end_headers()
            if body is None:
                traffic.nbytes[name] += last - first + 1
                self.wfile.write(content[first : last + 1])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        traffic.url = f"http://127.0.0.1:{server.server_port}"
        yield traffic
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
