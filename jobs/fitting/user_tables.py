"""Tables of the user that a label query may read: `--table NAME=PATH`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipelines.audio.files import open_root
from pipelines.datasets.tables import read_arrow_table
from store.errors import InvalidInput, NotFound, refuse_password


@dataclass(frozen=True, slots=True)
class UserTables:
    """Tables by the names that queries give them, and what a user should know of their columns."""

    tables: dict[str, pa.Table]
    notes: tuple[str, ...]


GivenTables = Sequence[str] | Mapping[str, pa.Table]
"""NAME=PATH, or tables by name."""


def read_user_tables(given: GivenTables) -> UserTables:
    """Read files; raises `InvalidInput` for what is not NAME=PATH, named twice or no table."""
    if isinstance(given, Mapping):
        return UserTables(dict(given), ())
    tables: dict[str, pa.Table] = {}
    notes: list[str] = []
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise InvalidInput(f'"{text}" is not of the form NAME=PATH, for example mine=annotations.csv')
        if name in tables:
            raise InvalidInput(f"the name {name} is given to two tables; choose different ones")
        tables[name], said = read_user_table(path)
        notes += [f"Table {name}: {remark}" for remark in said]
    return UserTables(tables, tuple(notes))


def read_user_table(path: str) -> tuple[pa.Table, list[str]]:
    """All rows of one file or URL, with remarks on its columns; the format follows its ending."""
    refuse_password(path)
    if "://" not in path:
        path = str(Path(path).expanduser().absolute())
        if not Path(path).is_file():
            raise NotFound(f'there is no file "{path}"')
    folder, _, name = path.rpartition("/")
    remarks: list[str] = []
    return read_arrow_table(open_root(folder or "/"), name, remarks.append), remarks
