"""A table that names audio files: one row a recording, any other columns are its labels."""

import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import PurePosixPath

from pipelines.audio.files import Root, is_relative
from pipelines.datasets.listing import unreadable_name
from pipelines.datasets.protocol import Format
from pipelines.datasets.remarks import Say, in_silence
from pipelines.datasets.tables import PATH_COLUMNS, Row, is_table_name, read_table
from store.errors import InvalidInput, redacted
from store.records import Failure, Recording

GROUP_COLUMNS = ("group", "group_id", "artist_id", "artist")
SPLIT_COLUMN = "split"
TABLE_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""What a folder's table is called when PATH names the folder (Hugging Face's audiofolder does so too)."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def list_recordings(root: Root, member: str = "", say: Say = in_silence) -> Iterator[Recording | Failure]:
    """One recording per row, paths relative to the table's folder.

    The path column is the first of PATH_COLUMNS the table has, the group column (what a split must
    not cut through) the first of GROUP_COLUMNS; without one each recording is its own group.

    Raises:
        InvalidInput: no path column, or a path outside the table's folder.
    """
    table = find_table(root, member)
    seen: set[bytes] = set()
    for number, row in enumerate(read_table(root, table, say), start=1):
        path_column = _path_column(row, table)
        path = row.get(path_column)
        if failure := _unusable(root, path, table, number):
            yield failure
            continue
        uri = _relative(root, path, table, number)
        key = blake2b(uri.encode(errors="surrogateescape"), digest_size=12).digest()
        if key in seen:
            message = f"Row {number} of {table!r} names {uri!r} a second time; only its first row counts."
            yield Failure(uri, "list", "InvalidInput", message, uri)
            continue
        seen.add(key)
        yield unreadable_name(uri) or _recording(uri, row, path_column)


def find_table(root: Root, member: str = "") -> str:
    """Name of the table: the file that was given, or the one of TABLE_NAMES the folder has."""
    if member and is_table_name(member):
        return member
    names = [f"{member}/{name}" if member else name for name in TABLE_NAMES]
    found = [name for name in names if root.exists(name)]
    if len(found) != 1:
        raise InvalidInput(
            f"There should be one table in {root.url}, found {', '.join(found) or 'none'}; "
            f"give the table file itself as PATH, or name it one of {', '.join(TABLE_NAMES)}."
        )
    return found[0]


def _recording(uri: str, row: Row, path_column: str) -> Recording:
    group = next((row[name] for name in GROUP_COLUMNS if name in row), None)
    split = row.get(SPLIT_COLUMN)
    labels = {name: value for name, value in row.items() if name not in (path_column, SPLIT_COLUMN)}
    return Recording(
        uri,
        group=uri if group is None else str(group),
        split=None if split is None else str(split),
        labels=labels,
    )


def _path_column(row: Row, table: str) -> str:
    for name in PATH_COLUMNS:
        if name in row:
            return name
    raise InvalidInput(
        f"The table {table!r} has no column with the audio files' paths. It has {', '.join(row)}; "
        f"name that column one of {', '.join(PATH_COLUMNS)}."
    )


def _relative(root: Root, path: object, table: str, number: int) -> str:
    """A row's path as one relative to the root; relative paths begin at the table's folder."""
    if not isinstance(path, str):
        raise InvalidInput(f"Row {number} of {table!r} has no path (found {path!r}).")
    absolute = path.startswith(root.public_url + "/")
    joined = path.removeprefix(root.public_url + "/") if absolute else PurePosixPath(table).parent / path
    uri = str(PurePosixPath(joined))
    if not is_relative(uri):
        raise InvalidInput(
            f"Row {number} of {table!r} names {path!r}, which lies outside the table's folder "
            f"{root.public_url}; move the table to a folder that holds all its audio, or the audio below it."
        )
    return uri


def _unusable(root: Root, path: object, table: str, number: int) -> Failure | None:
    """The failure of a row that names a URL with a token, which would be stored, or one of another place."""
    if not isinstance(path, str):
        return None
    is_url = _URL.match(path) is not None
    if _grants(root, path, is_url=is_url):
        message = (
            " with a token in the URL, which would be stored with the dataset; take the tokens out of the "
            "table, and give one for all in the URL of the table itself, or credentials in the environment."
        )
    elif is_url and not path.startswith(root.public_url + "/"):
        message = (
            ", but a table names files of its own folder: put the table beside its audio and give the URL "
            "of the table, or download the audio."
        )
    else:
        return None
    name = redacted(path)
    said = f"Row {number} of {table!r} names {name!r}{message}"
    return Failure(name, "list", "InvalidInput", said, name)


def _grants(root: Root, path: str, *, is_url: bool) -> bool:
    """Whether the URL of a row has more in it than scheme, host and path."""
    if root.is_local and not is_url:
        return False
    url = path if is_url else f"{root.public_url}/{path}"
    return redacted(url) != url


def is_table(root: Root, member: str) -> bool:
    """Whether a member is a table by its name, or the root has one of TABLE_NAMES."""
    return is_table_name(member) or any(root.exists(name) for name in TABLE_NAMES)


FORMAT = Format("table", list_recordings, is_table)
