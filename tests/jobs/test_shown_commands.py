"""Commands that messages show can be pasted into a shell, whatever the store is called."""

import re
import shlex
from pathlib import Path

import pytest

from jobs.listen.importing import import_ratings
from store.errors import NotFound
from store.opening import open_store

ROOT = Path(__file__).parents[2]
SHOWN = re.compile(r"(?:undertone|\{program\})[a-z -]*\{(?P<first>[^}]*)\}")
UNQUOTED = {"command", "version('undertone')", "_MAKERS[kind]", "_RESULT_COMMANDS[match[1]]", "made"}
"""Names of the program's own."""


def test_what_a_shown_command_names_first_is_quoted() -> None:
    found = [
        (path.relative_to(ROOT), match["first"])
        for folder in ("jobs", "store")
        for path in (ROOT / folder).rglob("*.py")
        for match in SHOWN.finditer(path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 10
    loose = [one for one in found if one[1] not in UNQUOTED and not one[1].startswith("quote(")]
    assert loose == []


def test_a_command_for_a_store_with_a_space_in_its_name_names_that_store(tmp_path: Path) -> None:
    store = open_store(tmp_path / "my music.store", create=True)
    with pytest.raises(NotFound) as refused:
        import_ratings(store.url, [tmp_path / "none.json"])
    _, _, command = str(refused.value).partition("with: ")
    assert shlex.split(command) == ["undertone", "listen", "export", store.url, "SWEEP", "--into", "DIR"]
