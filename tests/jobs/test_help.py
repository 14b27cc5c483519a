"""Help is for a newcomer: phrases with a subject, and examples that fit a terminal of 80 columns."""

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone

WIDTH = 80
FRAGMENT = re.compile(
    r"(of|for|from|only|when|if|and|or|so|as|at|to|with|how|what|which|where|any|this|these|those|another|beside)\b",
    re.IGNORECASE,
)
"""What a sentence begins with whose subject only its author knows."""
NOUN_PHRASES = (
    "How to write the result",
    "How to print the result",
    "How many",
    "How long",
    "Where to",
    "Where the",
)
"""Phrases that say all the same what the value is."""


def commands(
    command: click.Command = undertone, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Every command and group with the words that call it."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from commands(found, (*path, name))


EVERY = dict(commands())


def test_every_option_is_explained_by_a_phrase_with_a_subject() -> None:
    texts = {
        (path, parameter.opts[0]): parameter.help or ""
        for path, command in EVERY.items()
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }
    assert len(texts) > 200
    fragments = {
        place: text
        for place, text in texts.items()
        if not text or (FRAGMENT.match(text) and not text.startswith(NOUN_PHRASES))
    }
    assert fragments == {}
    assert [
        place for place, text in texts.items() if not text[0].isupper() or not text.endswith((".", "]"))
    ] == []


@pytest.mark.parametrize("path", EVERY)
def test_help_fits_80_columns(path: str) -> None:
    result = CliRunner().invoke(undertone, [*path.split(), "--help"], terminal_width=WIDTH)
    assert result.exit_code == 0, result.output
    assert [line for line in result.output.splitlines() if len(line) > WIDTH] == []
