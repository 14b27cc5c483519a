"""Nothing that came with a stranger's data commands the terminal of whoever reads of it."""

import io
import os
import pty
import sys
import warnings
from functools import partial
from typing import Any

import click
import pyarrow as pa
import pytest

from jobs.cli.upgrade import report_upgrade
from jobs.progress.reporters import StreamReporter
from jobs.terminal.tables import to_csv, to_json, to_text
from jobs.terminal.text import EscapingStream, for_people, heading, printable, tell, wrapped
from store.errors import CatalogWarning

EVIL = "\x1b]0;PWNED\x07\x1b[2J\x9b31m\u202egnp.exe\u2066\r\x00\x7f"


def _harmless(text: str) -> bool:
    return not any(
        (ord(character) < 32 and character not in "\n\t") or 0x7F <= ord(character) < 0xA0
        or "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
        for character in text
    )  # fmt: skip


def test_control_characters_are_shown_and_not_sent() -> None:
    assert printable("a\x1b[2Jb\u202ec\x9bd\ne\tf\udce9") == r"a\x1b[2Jb\u202ec\x9bd\ne\tf\udce9"
    assert printable("größe — 曲, عربي 🎵") == "größe — 曲, عربي 🎵"


def test_tables_for_eyes_show_them_and_those_for_programs_are_exact() -> None:
    table = pa.table({f"name {EVIL}": [EVIL, None], "list": [[EVIL], []]})
    assert _harmless(to_text(table, width=10_000))
    assert r"\x1b]0;PWNED\x07" in to_text(table, width=10_000)
    assert EVIL in to_csv(table)
    assert r"\u001b]0;PWNED" in to_json(table.to_pylist())


def test_a_row_cannot_look_like_two() -> None:
    assert len(to_text(pa.table({"a": ["x\ny\rz\u2028"]}), width=200).splitlines()) == 3


def test_whatever_a_command_prints_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    @for_people
    def command() -> None:
        click.echo(f"told {EVIL}")
        click.echo(f"Error: {EVIL}", err=True)
        sys.stderr.write(f"printed {EVIL}\n")
        heading(EVIL, rest=EVIL)
        warnings.warn(EVIL, CatalogWarning, stacklevel=1)
        click.ClickException(EVIL).show()

    before = sys.stdout, sys.stderr
    command()
    told = capsys.readouterr()
    assert _harmless(told.out + told.err)
    assert (told.out + told.err).count(r"\x1b]0;PWNED\x07") == 7
    assert r"Note: \x1b]0" in told.err
    assert (sys.stdout, sys.stderr) == before


def test_an_error_or_a_note_is_one_line_whatever_a_name_holds(capsys: pytest.CaptureFixture[str]) -> None:
    tell("Error: there is no class rock\nroll.")
    StreamReporter(sys.stderr).note("Note", "of rock\nroll")
    assert capsys.readouterr().err == "Error: there is no class rock\\nroll.\nNote: of rock\\nroll\n"


def test_lines_of_progress_may_return_to_their_beginning() -> None:
    below = io.StringIO()
    stream = EscapingStream(below)
    stream.write("\r50 %")
    stream.write("a\r\nb\rc\n")
    assert below.getvalue() == "\r50 %a\r\nb\\rc\n"


def test_what_a_library_writes_when_python_ends_is_not_expected_after_a_command() -> None:
    streams: list[Any] = []
    for_people(lambda: streams.extend((sys.stdout, sys.stderr)))()
    assert [stream.closed for stream in streams] == [True, True]  # what colorama asks before its last code
    assert not sys.stdout.closed


def test_an_upgrade_clears_its_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        for_people(partial(report_upgrade, "results\x07", 1, 2))()
        terminal.flush()
        assert os.read(ours, 1000) == b"\rresults\\x07: 1 of 2\x1b[K"
    os.close(ours)


def test_a_note_is_one_line_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    @for_people
    def command() -> None:
        for _ in range(3):
            warnings.warn("a part is gone", CatalogWarning, stacklevel=1)
            with warnings.catch_warnings():  # a library's own filters make a filter "once" forget
                warnings.simplefilter("ignore", FutureWarning)

    command()
    assert capsys.readouterr().err == "Note: a part is gone\n"


def test_an_ascii_stream_takes_every_character() -> None:
    below = io.BytesIO()
    stream = io.TextIOWrapper(below, encoding="ascii")

    @for_people
    def command() -> None:
        click.echo("café \udce9")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        command()
        stream.flush()
    assert below.getvalue() == "café \\udce9\n".encode()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", '=HYPERLINK("x")'])
def test_csv_for_spreadsheets_holds_no_formula(text: str) -> None:
    table = pa.table({"a": [text], "=b": [[text]]})
    assert to_csv(table, safe=True).splitlines()[0] == '''"a","'=b"'''
    assert to_csv(table, safe=True).split("\n", 1)[1].startswith(""""'{}""".format(text.replace('"', '""')))
    assert "'" not in to_csv(table)


def test_csv_for_spreadsheets_leaves_numbers_numbers_and_other_text_alone() -> None:
    table = pa.table({"n": [-1, 2], "x": [-0.5, None], "yes": [True, None], "t": ["a=b", "it's; =1"]})
    assert to_csv(table, safe=True) == '"n","x","yes","t"\n-1,-0.5,"true","a=b"\n2,,,"it\'s; =1"\n'


class _Screen(io.StringIO):
    """A terminal, as far as `isatty` says."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_messages_break_between_words_and_commands_stay_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    message = (
        "Error: " + "word " * 30 + "run `undertone dataset add 'my music.store' songs` and " + "again " * 20
    )
    lines = wrapped(message, stream=_Screen()).split("\n")
    assert max(map(len, lines)) <= 80
    assert sum("`undertone dataset add 'my music.store' songs`" in line for line in lines) == 1
    assert " ".join(lines).split() == message.split()
    assert wrapped(message, stream=io.StringIO()) == message


def test_aligned_values_go_on_under_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = wrapped("labels  " + "style, tempo, " * 8, indent=8, stream=_Screen()).split("\n")
    assert len(lines) > 2
    assert all(line.startswith((" " * 8 + "style", " " * 8 + "tempo")) for line in lines[1:])
    assert max(map(len, lines)) <= 40
