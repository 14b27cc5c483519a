"""Keep the connection of the last question: opening one takes ten times as long as a usual question."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from store.catalog.damage import Damage, find_damage
from store.catalog.sandbox import locked_connection
from store.errors import QueryRefused


@dataclass(frozen=True, slots=True)
class OpenCatalog:
    """A catalog file that can be asked, and what of its store is damaged or gone."""

    connection: duckdb.DuckDBPyConnection
    damage: Damage


class KeptConnection:
    """Lends a connection to one question after another, as long as they are about the same file.

    Questions only read and nothing of the session can be changed, so that they leave no trace, unless they
    bring tables of their own or fail: then the connection is not used again.
    """

    def __init__(self) -> None:
        self._kept: tuple[object, OpenCatalog] | None = None

    @contextmanager
    def lent(self, catalog: Path, memory_bytes: int, *, again: bool) -> Iterator[OpenCatalog]:
        """A connection within the block, which may serve `again` if the block succeeds."""
        stands_for = (_identity(catalog), memory_bytes)
        if self._kept is not None and self._kept[0] == stands_for:
            opened = self._kept[1]
        else:
            self.close()
            connection = locked_connection(catalog, memory_bytes)
            try:
                opened = OpenCatalog(connection, find_damage(connection))
            except BaseException as error:
                connection.close()
                if isinstance(error, duckdb.Error):
                    raise QueryRefused(" ".join(str(error).split())) from error
                raise
        self._kept = (stands_for, opened)
        try:
            yield opened
        except BaseException:
            self.close()
            raise
        if not again:
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._kept is not None:
            self._kept[1].connection.close()
            self._kept = None


def _identity(path: Path) -> tuple[object, ...]:
    """Of a file: one that is swapped in is another, and so is one that was changed."""
    try:
        stat = path.stat()
    except OSError:
        return (path, object())  # equal to nothing: opening it says what is wrong
    return path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
