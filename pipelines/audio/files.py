"""The root of a dataset's audio: a folder or a URL, and files named relative to it."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, cast

from pipelines.audio.parquet_audio import open_row, read_address
from store.errors import (
    InvalidInput,
    NotFound,
    NotPlain,
    StorageError,
    UndertoneError,
    redacted,
    refuse_password,
)

REMOTE_SCHEMES = ("s3", "gs", "az", "hf", "https", "http")
"""What URLs of audio may begin with. Others of fsspec read files of this machine, or are chained to such."""
Reading = Literal["anywhere", "in order", "ends"]
_FETCHING: Mapping[Reading, Mapping[str, Any]] = {
    "anywhere": {"block_size": 1 << 20, "cache_type": "blockcache", "cache_options": {"maxblocks": 64}},
    "in order": {"block_size": 1 << 22, "cache_type": "readahead"},
    "ends": {"block_size": 1 << 16, "cache_type": "blockcache", "cache_options": {"maxblocks": 64}},
}
"""Decoders seek back and forth: blocks that were fetched once are kept while the file is open."""


@dataclass(frozen=True, slots=True)
class Root:
    """A folder of this machine, or an fsspec URL (s3://, gs://, https:// …) every node can reach.

    Small and picklable: connections are opened where they are used.
    """

    url: str
    """Absolute path, or URL; never with a slash at its end. A query at its end grants the right to read."""
    within: str | None = None
    """A folder that links must not lead out of; None where the user's own links are followed."""

    @property
    def public_url(self) -> str:
        """What may be stored and shown: the URL without what it grants."""
        return self.url if self.is_local else redacted(self.url)

    @property
    def is_local(self) -> bool:
        """Whether only machines that share this file system can open the files."""
        return "://" not in self.url

    def open(self, uri: str, *, reading: Reading = "anywhere") -> BinaryIO:
        """A seekable stream of one file's bytes, or of one row's of Parquet. Raises NotFound without one.

        `reading` decides how bytes come from a URL: in a few large requests where all are read in order, in
        small ones where only a header and an end are wanted.
        """
        if row := read_address(uri):
            return open_row(self.url, *row, self._open_file)
        return self._open_file(uri, reading)

    def _open_file(self, uri: str, reading: Reading = "anywhere") -> BinaryIO:
        path = self.path(uri)
        try:
            if self.is_local:
                self._check_links(path, uri)
                return _open_file(path, uri)
            with self._reached() as filesystem:
                return cast(BinaryIO, filesystem.open(path, "rb", **_FETCHING[reading]))
        except (FileNotFoundError, IsADirectoryError) as error:
            # Messages end up in the store, where no absolute path may stand.
            raise NotFound(f"There is no file {uri!r} in the dataset's folder.") from error
        except PermissionError as error:
            raise InvalidInput(f"The file {uri!r} may not be read; change its permissions.") from error
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotFound(
                    f"{uri!r} is a link that leads back to itself; put the file itself there."
                ) from error
            raise

    def described(self, uri: str) -> dict[str, Any]:
        """What the file system behind a URL says of one file, such as its size and ETag."""
        with self._reached() as filesystem:
            return dict(filesystem.info(self.path(uri)))

    def described_files(self, below: str) -> list[dict[str, Any]]:
        """The same of all files directly below a folder."""
        with self._reached() as filesystem:
            return [one for one in filesystem.ls(self.path(below), detail=True) if one["type"] == "file"]

    def exists(self, uri: str) -> bool:
        """Whether a file or folder of this name is there."""
        path = self.path(uri)
        if self.is_local:
            return Path(path).exists()
        with self._reached() as filesystem:
            return bool(filesystem.exists(path))

    def folders(self, below: str = "") -> list[str]:
        """Names of the folders directly below a folder, sorted."""
        return [name for name, is_folder in self._entries(below) if is_folder]

    def files(self, below: str = "") -> list[str]:
        """The files directly below a folder, relative to the root, sorted."""
        names = [name for name, is_folder in self._entries(below) if not is_folder]
        return [f"{below}/{name}" if below else name for name in names]

    def walk(self, below: str = "") -> Iterator[str]:
        """Every file, relative to the root, in sorted order; hidden files and folders are left out.

        Symbolic links are followed; a link that leads back into a folder being walked is not.
        One folder's names are held at a time, so a dataset may have any number of folders.
        """
        return self._walk(below, ancestors=())

    def path(self, uri: str) -> str:
        """The full path or URL of a file. Raises InvalidInput for a name that leads outside."""
        if not is_relative(uri):
            raise InvalidInput(
                f"{uri!r} leads outside the dataset's root {self.public_url}; "
                "files are named relative to the root, without '..' and without a leading slash."
            )
        if not uri:
            return self.url
        place, question, query = self.url.partition("?") if not self.is_local else (self.url, "", "")
        return f"{place.rstrip('/')}/{uri}{question}{query}"

    def _check_links(self, path: str, uri: str) -> None:
        """Raise InvalidInput for a file that a link leads to from a store, which may come from a stranger."""
        if self.within is None:
            return
        real, within = os.path.realpath(path), os.path.realpath(self.within)
        if os.path.commonpath([real, within]) != within:
            raise InvalidInput(
                f"{uri!r} leads out of the store through a symbolic link, which is not followed; "
                "put the file itself there."
            )

    def _walk(self, below: str, ancestors: tuple[str, ...]) -> Iterator[str]:
        if self.is_local:
            real = os.path.realpath(self.path(below))
            if real in ancestors:
                return
            ancestors = (*ancestors, real)
        for name, is_folder in self._entries(below):
            uri = f"{below}/{name}" if below else name
            if is_folder:
                yield from self._walk(uri, ancestors)
            else:
                yield uri

    def _entries(self, below: str) -> list[tuple[str, bool]]:
        path = self.path(below)
        try:
            found = _scan_folder(path) if self.is_local else self._list_remote(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"There is no folder {path}.") from error
        except PermissionError as error:
            raise InvalidInput(f"The folder {path} may not be read; change its permissions.") from error
        return sorted((name, is_folder) for name, is_folder in found if not name.startswith("."))

    def _list_remote(self, path: str) -> list[tuple[str, bool]]:
        with self._reached() as filesystem:
            entries = filesystem.ls(path, detail=True)
        folder = path.partition("?")[0].rpartition("://")[2].rstrip("/")
        return [
            (PurePosixPath(_without_query(entry["name"])).name, entry["type"] == "directory")
            for entry in entries
            # An object store may list the folder's own placeholder object among its files.
            if _without_query(entry["name"]).rpartition("://")[2].strip("/") != folder.strip("/")
        ]

    @contextmanager
    def _reached(self) -> Iterator[Any]:
        """The file system behind the URL; inside the block whatever keeps it from answering is a sentence."""
        import fsspec

        try:
            yield fsspec.core.url_to_fs(self.url, use_listings_cache=False)[0]
        except (UndertoneError, IsADirectoryError, NotADirectoryError, PermissionError):
            raise
        except FileNotFoundError as error:
            if isinstance(error.__cause__, OSError):  # no answer at all is the same error, from another
                raise self._unreachable(error.__cause__) from error
            raise
        except Exception as error:  # each of fsspec's file systems has errors of its own
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> StorageError:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        return StorageError(
            f"{self.public_url} cannot be read: {reason}. Check the URL, the network and the credentials "
            "in the environment, then run the same command again."
        )


def _without_query(name: str) -> str:
    return name.partition("?")[0] if "://" in name else name


def _open_file(path: str, uri: str) -> BinaryIO:
    """A plain file for reading; a pipe, socket or device is refused, and not waited for."""
    _require_regular(Path(path).stat().st_mode, uri)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    try:
        _require_regular(os.fstat(file.fileno()).st_mode, uri)
    except UndertoneError:
        file.close()
        raise
    return file


def _require_regular(mode: int, uri: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(uri)
    if not stat.S_ISREG(mode):
        raise NotPlain(
            f"{uri!r} is no regular file, but a pipe, socket or device, which is not read; "
            "put the file itself there."
        )


def _scan_folder(path: str) -> list[tuple[str, bool]]:
    """Names and whether they are folders; what leads nowhere counts as a file, and opening it says why."""
    with os.scandir(path) as entries:
        return [(entry.name, _is_folder(entry)) for entry in entries]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or into a folder that may not be read
        return False


def open_root(url: str | Path) -> Root:
    """The root at a folder or URL.

    Raises:
        NotFound: the folder does not exist.
        InvalidInput: the URL is of another kind than `REMOTE_SCHEMES`, or carries a password, for which the
            environment is the place.
    """
    text = str(url).removeprefix("file://")
    if "://" in text:
        if not is_remote(text):
            legal = ", ".join(f"{scheme}://" for scheme in REMOTE_SCHEMES)
            raise InvalidInput(
                f"{text!r} is no place for audio: give a folder or one URL, {legal}, without '::'."
            )
        refuse_password(text)
        place, question, query = text.partition("?")
        return Root(f"{place.rstrip('/')}{question}{query}")
    folder = Path(text).expanduser().absolute()
    if not folder.is_dir():
        kind = "is a file, not a folder" if folder.exists() else "does not exist"
        raise NotFound(f"The folder {folder} {kind}.")
    return Root(str(folder))


def is_remote(url: str) -> bool:
    """Whether a URL, which may come from a stranger's store, can only lead to another machine."""
    return url.startswith(tuple(f"{scheme}://" for scheme in REMOTE_SCHEMES)) and "::" not in url


def is_relative(uri: str) -> bool:
    """Whether a name stays inside the folder that it is relative to."""
    parts = PurePosixPath(uri).parts
    return not uri.startswith("/") and ".." not in parts and "\0" not in uri
