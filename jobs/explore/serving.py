"""Start the notebook's server on this machine's own address, with a token that nobody else is told."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from jobs.dataset.roots import parse_roots, resolve_root
from jobs.explore.options import ExploreOptions
from store.errors import InvalidInput, JobFailed
from store.opening import open_store

HOST = "127.0.0.1"
NEEDED = ("marimo", "anywidget")
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Explorer:
    """A page that is being served; leaving its block ends it."""

    url: str
    """With the token in it."""
    process: subprocess.Popen[bytes]

    def __repr__(self) -> str:
        return f"Explorer({self.url})"

    def close(self) -> None:
        """End the server."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_explorer(options: ExploreOptions) -> Explorer:
    """Serve the notebook, and return when it answers.

    Raises:
        InvalidInput: what it needs is not installed.
        NotFound: there is no store.
        JobFailed: the server ended, or did not answer in time.
    """
    store = open_store(options.store)
    for name in parse_roots(options.roots):  # they are remembered, for the page too
        resolve_root(store, store.dataset(name), options.roots)
    file = notebook(options)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise InvalidInput(
            f"The explorer needs {' and '.join(missing)}: pip install marimo anywidget umap-learn, which are "
            "the extra explore."
        )
    port = options.port or _free_port()
    token = secrets.token_urlsafe(24)
    process = subprocess.Popen(
        _command(options, file, port),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MARIMO_SKIP_UPDATE_CHECK": "1"},
    )
    assert process.stdin is not None
    process.stdin.write(f"{token}\n".encode())  # as an argument every user of the machine could read it
    process.stdin.close()
    explorer = Explorer(f"http://{HOST}:{port}/?access_token={token}", process)
    try:
        _await_answer(process, port)
    except BaseException:
        explorer.close()
        raise
    return explorer


def notebook(options: ExploreOptions) -> Path:
    """The notebook that ships, or the user's copy of it."""
    package = find_spec("undertone_explore")
    assert package is not None
    assert package.submodule_search_locations is not None
    shipped = Path(package.submodule_search_locations[0]) / "app.py"
    if options.edit is None:
        return shipped
    if options.edit.suffix != ".py":
        raise InvalidInput(f"--edit {options.edit} must end in .py: a notebook is a Python file.")
    if not options.edit.exists():
        shutil.copyfile(shipped, options.edit)
    return options.edit


def _command(options: ExploreOptions, file: Path, port: int) -> list[str]:
    verb = "run" if options.edit is None else "edit"
    command = [
        sys.executable,
        "-m",
        "marimo",
        "-q",
        verb,
        str(file),
        "--headless",
        "--host",
        HOST,
    ]
    command += ["--port", str(port), "--token", "--token-password-file", "-"]
    return [*command, "--", "--store", options.store, *(["--write"] if options.write else [])]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def _await_answer(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise JobFailed(
                f"The explorer's server ended with {process.returncode}: perhaps port {port} is taken; "
                "--port 0 takes a free one."
            )
        try:
            with urlopen(f"http://{HOST}:{port}/health", timeout=5):  # our own address
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise JobFailed(f"The explorer did not answer within {START_SECONDS:g} s.")
