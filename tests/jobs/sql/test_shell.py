"""The shell of `undertone sql`: statements, commands, mistakes, completion, and a real terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.cli.main import main
from jobs.sql.line_editing import completions
from jobs.sql.shell import Shell
from store.catalog.query import Column, View
from store.opening import open_store

ROOT = Path(__file__).parents[3]
Answers = Callable[..., tuple[str, str]]


@pytest.fixture
def answers(planted_original: Path, capsys: pytest.CaptureFixture[str]) -> Answers:
    """Type these lines, and leave; returns what was printed and what was complained about."""

    def run(*lines: str | type[BaseException]) -> tuple[str, str]:
        typed: Iterator[str | type[BaseException]] = iter((*lines, EOFError))

        def read_line(_prompt: str) -> str:
            line = next(typed)
            if isinstance(line, str):
                return line
            raise line

        Shell(open_store(planted_original), {}, 60.0, read_line).run()
        assert next(typed, EOFError) is EOFError
        printed = capsys.readouterr()
        return printed.out, printed.err

    return run


def test_a_table_typed_as_a_command_is_told_how_to_see_it(answers: Answers) -> None:
    _, complaints = answers(".Clips", ".nothing")
    assert ".Clips is a table: .table Clips shows its columns." in complaints
    assert ".nothing is none of .tables, .table NAME" in complaints


def test_a_statement_ends_with_a_semicolon_or_an_empty_line(answers: Answers) -> None:
    said, complaints = answers("SELECT count(*) AS clips", "FROM clips;", "SELECT 40 + 2", "", "", ";")
    assert complaints == ""
    assert re.findall(r"^ *(\d+)$", said, re.MULTILINE) == ["120", "42"]


def test_tables_are_listed_and_one_is_explained_with_its_columns(answers: Answers) -> None:
    said, complaints = answers(".tables", ".table RUNS", ".help", ".quit")
    assert complaints == ""
    for part in ("one row per clip", "runs: ", "run_id", ".table NAME"):
        assert part in said


def test_a_mistake_costs_one_line_and_not_the_shell(answers: Answers) -> None:
    said, complaints = answers(
        "SELECT nothing FROM clips;", "DROP TABLE clips;", ".table rums", ".tabels", "SELECT 40 + 2;"
    )
    lines = complaints.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("Error: ") for line in lines)
    assert "did you mean runs?" in lines[2]
    assert re.search(r"^ *42$", said, re.MULTILINE)


def test_tables_of_the_user_s_own_are_listed_and_asked(
    planted_original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter([".table mine", "SELECT n + 40 AS m FROM mine;", ".quit"])
    Shell(
        open_store(planted_original), {"mine": pa.table({"n": [2]})}, 60.0, lambda _prompt: next(typed)
    ).run()
    said = capsys.readouterr().out
    assert "mine: your own" in said
    assert re.search(r"^ *42$", said, re.MULTILINE)


def test_ctrl_c_at_the_prompt_drops_the_line_and_not_the_shell(answers: Answers) -> None:
    said, _ = answers("SELECT 1", KeyboardInterrupt, "SELECT 40 + 2;")
    assert re.findall(r"^ *(\d+)$", said, re.MULTILINE) == ["42"]


VIEWS = [
    View(
        "clips", "", (Column("clip_id", "VARCHAR", ""), Column("genre", "VARCHAR", ""), Column("a b", "", ""))
    ),
    View("runs", "", (Column("run_id", "VARCHAR", ""), Column("complete", "BOOLEAN", ""))),
]


@pytest.mark.parametrize(
    ("line", "word", "found"),
    [
        (".ta", ".ta", [".table", ".tables"]),
        (".table c", "c", ["clips"]),
        ("SELECT genre FROM ", "", ["clips", "runs"]),
        ("select x from R", "R", ["runs"]),
        ("SELECT clips.g", "clips.g", ["clips.genre"]),
        ("FROM runs SELECT c", "c", ["complete", "clips", "count(*)"]),
        ("SEL", "SEL", ["SELECT"]),
        ("SELECT a", "a", ["avg"]),
    ],
)
def test_names_are_completed_where_they_may_stand(line: str, word: str, found: list[str]) -> None:
    assert completions(line, word, VIEWS) == found


def test_without_a_query_and_without_a_terminal_it_says_what_is_missing(
    planted_original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["sql", str(planted_original)])
    assert exit_.value.code == 2
    assert "Missing argument 'QUERY'" in capsys.readouterr().err


class Terminal:
    """`undertone sql STORE` on a terminal 80 columns wide."""

    def __init__(self, store: str, state: Path) -> None:
        self._own, theirs = pty.openpty()
        environment = os.environ | {
            "PYTHONPATH": str(ROOT), "COLUMNS": "80", "TERM": "dumb", "XDG_STATE_HOME": str(state)
        }  # fmt: skip
        command = [sys.executable, "-m", "jobs.cli.entry", "sql", store]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.seen = ""

    def send(self, text: str) -> None:
        os.write(self._own, text.encode())

    def wait_for(self, pattern: str, *, seconds: float = 30.0) -> str:
        """What came until a pattern did."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self._own], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, self.seen
            self.seen += os.read(self._own, 65536).decode()
        seen, self.seen = self.seen, ""
        return seen.replace("\r\n", "\n")

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._own)


def test_on_a_terminal_a_shell_opens_that_completes_stops_a_query_and_remembers(
    planted_original: Path, tmp_path: Path
) -> None:
    terminal = Terminal(str(planted_original), tmp_path / "state")
    try:
        terminal.wait_for("sql> ")
        terminal.send("SELECT count(*) AS found FROM cli\t;\n")
        assert re.search(r"^ +120$", terminal.wait_for(r"row\)\s+sql> "), re.MULTILINE)
        terminal.send(".tables\n")
        assert max(map(len, terminal.wait_for(r"units .*\n(?s:.*)sql> ").splitlines())) <= 80
        terminal.send("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b;\n")
        terminal.wait_for(";\\s")
        time.sleep(0.3)
        terminal.interrupt()
        terminal.wait_for(r"Stopped\.\s+sql> ")
        terminal.send("SELECT 6 * 7 AS answer;\n")
        assert "42" in terminal.wait_for(r"row\)\s+sql> ")
        terminal.send(".quit\n")
        assert terminal.process.wait(20) == 0
    finally:
        terminal.close()
    history = (tmp_path / "state/undertone/sql_history").read_text()
    assert "SELECT 6 * 7 AS answer;" in history
