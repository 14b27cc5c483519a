"""Remember where a dataset's audio lies on this machine: stores hold no absolute paths."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.audio.files import Root, is_relative, is_remote, open_root
from pipelines.user_cache import user_folder
from store.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from store.datasets import Dataset
    from store.opening import Store


def resolve_root(store: "Store", dataset: "Dataset", roots: Sequence[str] = ()) -> Root:
    """The root of a dataset's audio: --root NAME=PATH, else what the store says, else what this user used.

    Raises:
        InvalidInput: an option that is not NAME=PATH.
        NotFound: the folder is gone, or nobody has said on this machine where it is.
    """
    given = parse_roots(roots)
    if unknown := sorted(set(given) - set(store.datasets())):
        raise InvalidInput(
            f"--root {unknown[0]}=…: the store has no such dataset; it has {', '.join(store.datasets())}."
        )
    if dataset.name in given:
        return _remembered(dataset, open_root(given[dataset.name]))
    root = dataset.info["root"]
    if root["kind"] == "url":
        if root.get("grant"):
            raise NotFound(
                f"The audio of dataset {dataset.name!r} was read from {root['url']} with a token in the URL, "
                f"which is never stored; give it again: --root '{dataset.name}=URL'."
            )
        return _remote_root(dataset, root["url"])
    if root["kind"] == "store":
        return root_in_store(store, root["path"])
    remembered = _read_roots().get(dataset.info["fingerprint"])
    if remembered is None:
        raise NotFound(
            f"Nobody has said on this machine where the audio of dataset {dataset.name!r} is; "
            f"add --root {dataset.name}=PATH with the folder it was added from."
        )
    try:
        return open_root(remembered)
    except NotFound as error:
        raise NotFound(
            f"The audio of dataset {dataset.name!r} was in {remembered}, which is gone; "
            f"add --root {dataset.name}=PATH with the folder it is in now."
        ) from error


def root_in_store(store: "Store", folder: str = "") -> Root:
    """A folder of the store as a root; a stranger's store must not name a place outside, nor link to one."""
    if not is_relative(folder):
        raise InvalidInput(
            f"{folder!r} leads out of {store.url}: the audio of its dataset must lie in the store."
        )
    root = open_root(f"{store.url.rstrip('/')}/{folder}".rstrip("/"))
    return replace(root, within=store.url) if root.is_local else root


def _remote_root(dataset: "Dataset", url: str) -> Root:
    """A root that every machine can reach; a stranger's store must not name a folder of this one."""
    if not is_remote(url):
        raise InvalidInput(
            f"Dataset {dataset.name!r} says its audio is in {url!r}, which need not be on another machine; "
            f"add --root {dataset.name}=PATH with the folder it is in here."
        )
    return open_root(url)


def _remembered(dataset: "Dataset", root: Root) -> Root:
    """What was said once need not be said again."""
    if root.is_local:
        remember_root(dataset.fingerprint, root)
    return root


def parse_roots(roots: Sequence[str]) -> dict[str, str]:
    """Paths by dataset name, from options of the form NAME=PATH."""
    parsed = {}
    for option in roots:
        name, equals, path = option.partition("=")
        if not (name and equals and path):
            raise InvalidInput(f"--root {option!r} is not NAME=PATH, for example --root gtzan=/data/gtzan.")
        parsed[name] = path
    return parsed


def remember_root(fingerprint: str, root: Root) -> None:
    """Keep, for this user on this machine, where a dataset's audio is."""
    with _locked_roots_file() as path:
        roots = _read_roots() | {fingerprint: root.url}
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(roots, indent=1, sort_keys=True), encoding="utf-8")
        unfinished.replace(path)


def pass_on_root(fingerprint: str, new_fingerprint: str) -> None:
    """Where a dataset's audio is holds for the same recordings under another fingerprint too."""
    if (known := _read_roots().get(fingerprint)) is not None:
        remember_root(new_fingerprint, open_root(known))


def roots_file() -> Path:
    """The file of this user's dataset roots; $XDG_STATE_HOME decides where."""
    return user_folder("XDG_STATE_HOME", "~/.local/state") / "roots.json"


def _read_roots() -> dict[str, str]:
    path = roots_file()
    try:
        roots: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InvalidInput(f"{path} is not the JSON it should be ({error}); delete it.") from error
    return dict(roots)


@contextlib.contextmanager
def _locked_roots_file() -> Iterator[Path]:
    path = roots_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path
