"""No command writes a file of the user's into a store."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.user_files import check_outside_stores
from store.errors import InvalidInput
from store.opening import open_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    open_store(tmp_path / "music.store", create=True)
    return tmp_path / "music.store"


WRITING = {
    "sql": ["sql", "STORE", "SELECT 1", "--output", "INTO/x.csv"],
    "report": ["report", "STORE", "-o", "INTO/x.html"],
    "generate": ["generate", "STORE", "--prompt", "a", "-o", "INTO/x.wav"],
    "vectors export": ["vectors", "export", "STORE", "INTO"],
    "listen export": ["listen", "export", "STORE", "sweep", "--into", "INTO"],
    "demo": ["demo", "INTO"],
    "convert": ["convert", "pocket", "INTO"],
}


@pytest.mark.parametrize("command", WRITING.values(), ids=WRITING)
def test_an_output_below_a_store_is_refused(store: Path, command: list[str]) -> None:
    (store / "results").mkdir()
    words = [word.replace("STORE", str(store)).replace("INTO", f"{store}/results") for word in command]
    result = CliRunner().invoke(undertone, words)
    assert isinstance(result.exception, InvalidInput), result.output
    assert "lies in the store" in str(result.exception)
    assert "outside" in str(result.exception)
    assert list((store / "results").iterdir()) == []


def test_a_link_into_a_store_and_a_way_back_are_followed(store: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store)
    for path in (tmp_path / "link/x.csv", store / "../music.store/x.csv", store):
        with pytest.raises(InvalidInput, match=r"music\.store"):
            check_outside_stores(path)
    check_outside_stores(store / "../x.csv")
