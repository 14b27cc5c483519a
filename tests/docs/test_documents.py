"""What README and documentation show is true of the code: commands, SQL, sweeps, links.

Links within the documentation are checked by `make docs`.
"""

import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import duckdb
import pyarrow as pa
import pytest

from docs.generators.store_pages import example_catalog
from jobs.cli.main import undertone
from jobs.sweep.configuration import parse_sweep
from store.catalog.sandbox import locked_connection
from store.catalog.sql_guard import check_reads_only
from store.errors import QueryRefused

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST_BYTES = 8_000
MEMORY_BYTES = 1_000_000_000
LABELS = ("genre", "label", "style", "instrument", "drums", "tempo_bpm")
"""Label columns that the documents ask for."""
USER_TABLES = {
    "mine": pa.table({"clip_id": ["0" * 16], "mood": ["happy"]}),
    "overlap": pa.table(
        {
            "layer": [0],
            "method": ["diffmean"],
            "positive": ["jazz"],
            "norm_left": [1.0],
            "effective_rank": [1.0],
        }
    ),
}
"""Tables that the documents bring along with --table."""
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<body>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One `undertone …` line that is shown somewhere."""

    where: str
    line: str

    def __str__(self) -> str:
        return f"{self.where}: {self.line}"


def blocks(language: str) -> list[tuple[str, str]]:
    """Name of the document and text of every block in this language."""
    return [
        (path.relative_to(ROOT).as_posix(), match["body"])
        for path in DOCUMENTS
        for match in FENCE.finditer(path.read_text(encoding="utf-8"))
        if match["language"] == language
    ]


def shell_lines(text: str) -> list[str]:
    """Every `undertone …` command in a text, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return re.findall(r"^\s*(?:\$ )?(?:\S*/)?(undertone [a-z].*)$", joined, re.MULTILINE)


def words_of(line: str) -> list[str]:
    """The words of a command as a shell reads them, up to a pipe, redirection or comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>&;")
    lexer.whitespace_split = True
    return list(takewhile(lambda word: not set(word) <= set("|>&;"), lexer))


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group that does something itself."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{name} is listed but missing"
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


UNDERTONE = dict(commands(undertone))
IN_DOCUMENTS = [Shown(where, line) for where, text in blocks("bash") for line in shell_lines(text)]
IN_HELPS = [
    Shown(f"undertone {' '.join(names)} --help", line)
    for names, command in {(): undertone, **UNDERTONE}.items()
    for line in shell_lines(command.help or "")
]
ALL_SHOWN = IN_DOCUMENTS + IN_HELPS


def parsed(shown: Shown) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The command of a line and its parameters, as click reads them; nothing is run."""
    words = words_of(shown.line)[1:]
    command: click.Command = undertone
    names: list[str] = []
    while isinstance(command, click.Group):
        names.append(words.pop(0))
        found = command.get_command(click.Context(command), names[-1])
        assert found is not None, f"{shown}: there is no command {names}"
        command = found
    if "--help" in words:
        return tuple(names), {}
    return tuple(names), command.make_context(" ".join(names), words).params


def queries() -> Iterator[tuple[Shown, str, dict[str, pa.Table]]]:
    """Every SELECT of a command that is shown, with the tables it brings."""
    for shown in ALL_SHOWN:
        names, values = parsed(shown)
        tables = {
            request.partition("=")[2]: pa.table(
                {"clip_id": ["0" * 16], "vector": pa.array([[1.0]], pa.list_(pa.float32(), 1))}
            )
            for request in values.get("activations") or ()
        } | {request.partition("=")[0]: USER_TABLES["mine"] for request in values.get("tables") or ()}
        tables |= {name: USER_TABLES[name] for name in tables if name in USER_TABLES}
        asked = [values.get(name) for name in ("query", "labels", "generations")]
        if values.get("where") and names[0] == "vectors":
            asked.append(f"SELECT * FROM vectors WHERE {values['where']}")
        yield from ((shown, sql, tables) for sql in asked if sql and "…" not in sql)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example_catalog(tmp_path_factory.mktemp("example"), LABELS)


def test_every_command_line_that_is_shown_is_legal() -> None:
    assert len(IN_DOCUMENTS) > 60
    for shown in ALL_SHOWN:
        try:
            parsed(shown)
        except click.ClickException as error:
            pytest.fail(f"{shown}\n{error.format_message()}")


def test_every_command_is_shown_in_the_documents() -> None:
    shown = {parsed(one)[0] for one in IN_DOCUMENTS}
    assert set(UNDERTONE) - shown == set()


def test_every_command_explains_itself_with_an_example() -> None:
    for names, command in UNDERTONE.items():
        text = command.help or ""
        assert "Example" in text, names
        assert any(line.startswith(f"undertone {' '.join(names)}") for line in shell_lines(text)), names


def test_every_option_has_a_help_text() -> None:
    assert [
        f"undertone {' '.join(names)} {parameter.opts[0]}"
        for names, command in UNDERTONE.items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ] == []


def test_every_query_that_is_shown_can_be_asked(catalog: Path) -> None:
    found = {sql: (shown, tables) for shown, sql, tables in queries()}
    assert len(found) > 30
    connection = locked_connection(catalog, MEMORY_BYTES)
    for sql, (shown, tables) in found.items():
        for name, table in tables.items():
            connection.register(name, table)
        try:
            check_reads_only(connection, sql)
            connection.execute(f"EXPLAIN {sql}")
        except (duckdb.Error, QueryRefused) as error:
            pytest.fail(f"{shown}\n{error}")
        for name in tables:
            connection.unregister(name)
    connection.close()


def test_every_sweep_that_is_shown_is_one() -> None:
    sweeps = {text: parse_sweep({"name": "mine", **tomllib.loads(text)}) for _, text in blocks("toml")}
    (whole,) = [sweep for text, sweep in sweeps.items() if text.startswith("# mine.toml")]
    assert whole.concepts[0].pairs == ("rock:jazz", "rock:jazz+electronic")
    assert whole.grid.layers == ((3,), (2, 3))


def test_what_is_shown_of_other_languages_can_be_read() -> None:
    for where, text in blocks("python"):
        compile(text, where, "exec")
    for _, text in blocks("json"):
        assert all(isinstance(json.loads(line), dict) for line in text.splitlines())


def test_every_target_of_make_and_every_module_that_is_shown_exists() -> None:
    shell = "\n".join(text for _, text in blocks("bash"))
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    shown = set(re.findall(r"^make ([a-z-]+)", shell, re.MULTILINE))
    assert {"demo", "test", "setup"} <= shown
    assert shown - set(targets) == set()
    modules = re.findall(r"python -m ((?:benchmarks|docs)[\w.]*)", shell)
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_first_pages_are_short_and_their_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert len(text.encode()) <= MOST_BYTES
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []
