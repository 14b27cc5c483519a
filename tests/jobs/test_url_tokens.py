"""A dataset behind a URL with a token: it is read with it, and nothing that is written knows it."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.dataset.roots import resolve_root
from store import open_store
from store.errors import InvalidInput, NotFound

TOKEN = "t0k3n"
QUERY = f"?sp=r&sig={TOKEN}"


class Guarded(SimpleHTTPRequestHandler):
    """Serves files to whoever has the token."""

    def do_GET(self) -> None:
        if TOKEN not in self.path:
            self.send_error(403)
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        if TOKEN not in self.path:
            self.send_error(403)
        else:
            super().do_HEAD()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    for name in ("a.wav", "b.wav"):
        soundfile.write(folder / name, 0.1 * np.sin(np.arange(16_000) / (9 + len(name))), 8_000)
    (folder / "broken.wav").write_bytes(b"RIFF nothing")
    (folder / "songs.csv").write_text("path,label\na.wav,x\nb.wav,y\nbroken.wav,x\ngone.wav,y\n")
    (folder / "signed.csv").write_text(f"path\na.wav?sig={TOKEN}\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def everything_in(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_token_is_used_and_never_written(url: str, tmp_path: Path) -> None:
    store = tmp_path / "s.store"
    added = CliRunner().invoke(
        undertone, ["dataset", "add", str(store), "songs", f"{url}/songs.csv{QUERY}", "--clip-seconds", "1"]
    )
    assert added.exit_code == 0, added.output
    assert TOKEN not in added.output
    rows = open_store(store).dataset("songs")
    assert rows.info["root"]["url"] == url
    assert {failure.uri for failure in rows.failures} == {"broken.wav", "gone.wav"}
    assert TOKEN.encode() not in everything_in(tmp_path / "s.store")
    assert TOKEN.encode() not in everything_in(tmp_path / "state")


def test_whoever_reads_it_later_is_asked_for_the_token(url: str, tmp_path: Path) -> None:
    store = tmp_path / "s.store"
    arguments = ["dataset", "add", str(store), "songs", f"{url}/songs.csv{QUERY}", "--clip-seconds", "1"]
    CliRunner().invoke(undertone, arguments, catch_exceptions=False)
    opened = open_store(store)
    with pytest.raises(NotFound, match=r"with a token in the URL.*--root 'songs=URL'"):
        resolve_root(opened, opened.dataset("songs"))
    root = resolve_root(opened, opened.dataset("songs"), [f"songs={url}{QUERY}"])
    with root.open("a.wav") as file:
        assert file.read(4) == b"RIFF"
    assert TOKEN not in root.public_url


def test_a_table_of_signed_files_is_refused_before_it_is_stored(url: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        undertone, ["dataset", "add", str(tmp_path / "s.store"), "songs", f"{url}/signed.csv{QUERY}"]
    )
    assert isinstance(result.exception, InvalidInput)
    assert "token" in str(result.exception)
    assert TOKEN not in str(result.exception)
