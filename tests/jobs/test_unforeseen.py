"""Whatever goes wrong ends in one line, an exit code, and a trace for whoever asks for it."""

import errno
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from jobs.cli import main as cli
from jobs.cli.unforeseen import innermost, report_of, sentence_of, write_trace
from store.errors import InvalidInput

SECRET = "s3cr3t"


def failing_with(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.Command("status", callback=fail)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Run the command with an error inside; gives exit code and standard error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(error: BaseException, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing_with(error))
        with pytest.raises(SystemExit) as left:
            cli.main([*arguments, "status"])
        return int(str(left.value.code)), capsys.readouterr().err

    return call


def test_an_unforeseen_error_is_one_line_with_the_path_of_its_trace(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, text = run(RuntimeError(f"what\nhappened at https://h/a?sig={SECRET}"))
    assert code == 1
    assert text.count("\n") == 1
    assert text.startswith("Error: RuntimeError: what. ")
    (trace,) = (tmp_path / "cache" / "undertone" / "traces").iterdir()
    assert str(trace) in text
    written = trace.read_text(encoding="utf-8")
    assert "Traceback" in written
    assert "raise error" in written
    assert SECRET not in written


@pytest.mark.parametrize("asked", ["option", "environment"])
@pytest.mark.parametrize("error", [RuntimeError("what"), InvalidInput("what")])
def test_the_trace_is_shown_to_whoever_asks(
    run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, asked: str, error: Exception
) -> None:
    if asked == "environment":
        monkeypatch.setenv("UNDERTONE_TRACEBACK", "1")
    code, text = run(error, *(["--traceback"] if asked == "option" else []))
    assert code == 1
    assert "Traceback" in text
    assert "raise error" in text
    assert text.splitlines()[-1].startswith("Error: ")


def test_a_cache_that_cannot_be_written_does_not_hide_the_error(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    code, text = run(RuntimeError("what"))
    assert code == 1
    assert "Error: RuntimeError: what. " in text
    path = Path(text.split("Its trace is in ")[1].split(";")[0])
    assert "Traceback" in path.read_text(encoding="utf-8")
    path.unlink()
    path.parent.rmdir()


def test_a_trace_that_fits_nowhere_is_no_second_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    assert write_trace(RuntimeError("x")) is None
    assert "could not be written" in report_of(RuntimeError("x"))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "permission is denied"),
        (errno.EROFS, "read-only"),
        (errno.EISDIR, "is a folder"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.EMFILE, "too many files are open"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_errors_of_the_system_are_sentences(number: int, said: str) -> None:
    sentence = sentence_of(OSError(number, os.strerror(number), f"/data/x?sig={SECRET}"))
    assert sentence is not None
    assert said in sentence
    assert sentence.startswith("/data/x")
    assert SECRET not in sentence
    assert "Errno" not in sentence


def test_of_an_error_in_a_worker_its_innermost_sentence_is_said() -> None:
    from ray.exceptions import RayTaskError

    inner = InvalidInput("the layer 7 is not there")
    wrapped = RayTaskError("work", "a long\ntrace", inner).as_instanceof_cause()
    assert innermost(wrapped) is inner
    assert sentence_of(wrapped) == "the layer 7 is not there"
    strange = RayTaskError("work", "a long\ntrace", KeyError("lost"))
    assert sentence_of(strange) is None
    assert report_of(strange).startswith("KeyError: 'lost'. ")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupted_command_leaves_with_130(
    run: Callable[..., tuple[int, str]], error: BaseException
) -> None:
    code, text = run(error)
    assert code == 130
    assert text.strip().startswith("Interrupted.")


def test_an_interrupted_import_is_an_interruption_too(run: Callable[..., tuple[int, str]]) -> None:
    error = ImportError("numpy could not be imported")
    error.__cause__ = KeyboardInterrupt()
    code, text = run(error)
    assert code == 130
    assert text.startswith("Interrupted.")


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.4, 1.0])
def test_ctrl_c_in_the_first_second_leaves_quietly(seconds: float, tmp_path: Path) -> None:
    """From the entry point on, whatever is being imported then."""
    program = (
        "import os, signal, sys, threading; import jobs.cli.entry\n"
        f"threading.Timer({seconds}, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "sys.argv = ['undertone', 'demo', sys.argv[1]]\n"
        "jobs.cli.entry.main()"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "demo")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 30


def test_nothing_is_imported_before_ctrl_c_is_handled() -> None:
    """Each import there is a millisecond more in which Python prints a trace."""
    program = (
        "import sys; before = set(sys.modules); import jobs.cli.entry; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - {"_signal"} == {"jobs", "jobs.cli", "jobs.cli.entry"}


def test_letters_beyond_ascii_are_written_where_python_thinks_that_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    monkeypatch.setattr(
        cli.LazyGroup,
        "get_command",
        lambda *_: click.Command("status", callback=lambda: sys.stdout.write("café – \udcff\n") and None),
    )
    with pytest.raises(SystemExit) as left:
        cli.main(["status"])
    assert left.value.code == 0
    assert written.getvalue() == "café – ".encode() + b"\\udcff\n"


def test_a_command_that_is_nearly_right_gets_a_suggestion() -> None:
    result = CliRunner().invoke(cli.undertone, ["exract", "music.store", "songs"])
    assert result.exit_code == 2
    assert "No such command 'exract'. Did you mean 'extract'?" in result.output
