"""Tables of the user that a label query may read: `--table NAME=PATH`."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from store.errors import InvalidInput
from store.user_table import read_user_table


def read_user_tables(texts: Sequence[str]) -> dict[str, pa.Table]:
    """The files by their table names; raises `InvalidInput` for what is not NAME=PATH or named twice."""
    tables: dict[str, pa.Table] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise InvalidInput(f'"{text}" is not of the form NAME=PATH, for example mine=annotations.csv')
        if name in tables:
            raise InvalidInput(f"the name {name} is given to two tables; choose different ones")
        tables[name] = read_user_table(Path(path))
    return tables
