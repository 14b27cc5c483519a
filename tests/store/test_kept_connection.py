"""Questions about one catalog file share a connection; whatever changed is asked anew."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from store.catalog.damage import Damage
from store.catalog.kept_connection import KeptConnection
from store.errors import QueryRefused

MEMORY = 10**8


def write(path: Path, number: int) -> Path:
    with duckdb.connect(path) as connection:
        connection.execute(f"CREATE TABLE numbers AS SELECT {number} AS n")
    return path


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return write(tmp_path / "catalog.duckdb", 1)


@pytest.fixture
def kept() -> Iterator[KeptConnection]:
    kept = KeptConnection()
    yield kept
    kept.close()


def ask(kept: KeptConnection, catalog: Path, *, memory: int = MEMORY, again: bool = True) -> tuple[int, int]:
    """What the table holds, and which connection said so."""
    with kept.lent(catalog, memory, again=again) as opened:
        row = opened.connection.execute("SELECT n FROM numbers").fetchone()
        assert row is not None
        return row[0], id(opened)


def test_the_same_file_is_opened_once(kept: KeptConnection, catalog: Path) -> None:
    assert ask(kept, catalog) == ask(kept, catalog)


def test_a_file_that_was_swapped_in_is_seen(kept: KeptConnection, catalog: Path, tmp_path: Path) -> None:
    assert ask(kept, catalog)[0] == 1
    write(tmp_path / "new", 2).replace(catalog)
    assert ask(kept, catalog)[0] == 2
    catalog.unlink()
    with pytest.raises(duckdb.Error, match="does not exist"):
        ask(kept, catalog)


def test_another_file_and_other_memory_are_asked_on_a_connection_of_their_own(
    kept: KeptConnection, catalog: Path, tmp_path: Path
) -> None:
    with kept.lent(catalog, MEMORY, again=True) as opened:
        first = opened
    with kept.lent(catalog, 2 * MEMORY, again=True) as opened:
        assert opened is not first
    assert ask(kept, write(tmp_path / "other", 3))[0] == 3


def test_a_connection_that_failed_or_held_a_guest_is_not_used_again(
    kept: KeptConnection, catalog: Path
) -> None:
    with pytest.raises(duckdb.Error), kept.lent(catalog, MEMORY, again=True) as opened:
        opened.connection.execute("SELECT error('broken')").fetchall()
    with pytest.raises(duckdb.ConnectionException):
        opened.connection.execute("SELECT 1")
    with kept.lent(catalog, MEMORY, again=False) as guest:
        guest.connection.execute("SELECT 1")
    with pytest.raises(duckdb.ConnectionException):
        guest.connection.execute("SELECT 1")
    assert ask(kept, catalog)[0] == 1


def test_a_catalog_that_cannot_be_looked_into_is_refused_and_let_go(
    kept: KeptConnection, catalog: Path
) -> None:
    with duckdb.connect(catalog) as connection:
        connection.execute("CREATE SCHEMA parts; CREATE TABLE parts.damaged AS SELECT 1 AS other")
    with pytest.raises(QueryRefused, match="_part"), kept.lent(catalog, MEMORY, again=True):
        pass
    shutil.copy(write(catalog.with_name("sound"), 4), catalog)
    assert ask(kept, catalog)[0] == 4


def test_a_note_that_holds_later_is_told_later() -> None:
    damage = Damage((), ((0.0, "now"), (time.time() + 60, "later")))
    assert damage.notes() == ["now"]
