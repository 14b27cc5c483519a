"""The clock of silent commands: when it shows, and that it gives way to what is printed."""

import io
import sys
import time

import click
import pytest

from jobs.terminal import waiting
from jobs.terminal.text import EscapingStream, unescaped
from jobs.terminal.waiting import Clock

TICK = 0.02


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a clock with short seconds writes to a terminal of 40 columns."""
    monkeypatch.setattr(waiting, "SILENT_SECONDS", TICK)
    monkeypatch.setenv("COLUMNS", "40")
    return io.StringIO()


def until(screen: io.StringIO, text: str) -> str:
    """Wait for a text; what is on the screen then."""
    deadline = time.monotonic() + 10
    while text not in screen.getvalue():
        assert time.monotonic() < deadline, screen.getvalue()
        time.sleep(TICK / 4)
    return screen.getvalue()


def test_a_silent_command_shows_what_it_does_and_since_when(screen: io.StringIO) -> None:
    clock = Clock(screen)
    clock.begin("loading")
    until(screen, "loading … 0:00")
    clock.tell("starting Ray " + "x" * 60)
    shown = until(screen, "starting Ray")
    clock.end()
    assert all(len(line) < 40 for line in shown.replace("\x1b[K", "").split("\r"))
    assert screen.getvalue().endswith("\r\x1b[K")


def test_what_is_printed_takes_its_place_and_silence_brings_it_back(screen: io.StringIO) -> None:
    clock = Clock(screen)
    clock.begin("loading")
    until(screen, "loading")
    clock.give_way()
    screen.write("a line\n")
    assert screen.getvalue().endswith("\r\x1b[Ka line\n")
    until(screen, "a line\n\r\x1b[Kloading")
    clock.end()


def test_once_ended_it_draws_nothing_until_it_begins_again(screen: io.StringIO) -> None:
    clock = Clock(screen)
    clock.begin("loading")
    until(screen, "loading")
    clock.end()
    before = screen.getvalue()
    time.sleep(4 * TICK)
    assert screen.getvalue() == before
    clock.begin("fitting")
    until(screen, "fitting")
    clock.end()


def test_lines_of_a_command_pause_the_clock_and_a_line_that_goes_on_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(waiting, "give_way", lambda: heard.append("pause"))
    monkeypatch.setattr(waiting, "end", lambda: heard.append("end"))
    monkeypatch.setattr(sys, "stdout", EscapingStream(io.StringIO()))
    click.echo("a line")
    assert heard == ["pause"]
    click.echo("\rhalf", nl=False)
    assert heard == ["pause", "end"]
    unescaped(sys.stdout)
    assert heard == ["pause", "end", "end"]


def test_without_a_terminal_there_is_no_clock(capsys: pytest.CaptureFixture[str]) -> None:
    waiting.begin("loading")
    waiting.tell("more")
    waiting.end()
    assert capsys.readouterr() == ("", "")
