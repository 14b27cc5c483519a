"""Ctrl-C reaches the command although it comes while C code calls Python."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

BEGIN = "import os, signal, sys, time\nfrom jobs.cli.interruption import listen\nlisten()\n"
END = """
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline: pass
    print("was not interrupted")
except KeyboardInterrupt:
    print("interrupted", seen)
"""
IN_A_READ = (
    BEGIN
    + """
import soundfile
class Slow:
    def __init__(self, path): self.file = open(path, "rb")
    def __getattr__(self, name): return getattr(self.file, name)
    def readinto(self, buffer):
        os.kill(os.getpid(), signal.SIGINT)
        return self.file.readinto(buffer)
seen = None
try:
    seen = len(soundfile.SoundFile(Slow(sys.argv[1])))
"""
    + END
)
IN_A_FINALIZER = (
    BEGIN
    + """
class Finalized:
    def __del__(self): os.kill(os.getpid(), signal.SIGINT); time.sleep(0.2)
seen = 0
try:
    thing = Finalized()
    del thing
    seen = 1
"""
    + END
)
IN_A_STATEMENT = BEGIN + "seen = 2\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n" + END


@pytest.mark.parametrize(("program", "seen"), [(IN_A_READ, 4000), (IN_A_FINALIZER, 1), (IN_A_STATEMENT, 2)])
def test_ctrl_c_is_heard_wherever_it_comes_and_breaks_no_read(
    program: str, seen: int, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(4000), 8000)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.wav")], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"interrupted {seen}\n"
    assert done.stderr == ""


AGAIN = """
class Finalized:
    def __del__(self): os.kill(os.getpid(), signal.SIGINT); time.sleep(0.2)
def heard():
    try:
        thing = Finalized()
        del thing
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline: pass
        return "not heard"
    except KeyboardInterrupt:
        return "heard"
print(heard(), heard())
"""


def test_a_second_ctrl_c_is_heard_after_the_first_was_survived() -> None:
    done = subprocess.run([sys.executable, "-c", BEGIN + AGAIN], capture_output=True, text=True, check=True)
    assert done.stdout == "heard heard\n"


def test_what_else_a_finalizer_raises_is_still_said() -> None:
    program = (
        BEGIN + "class Broken:\n    def __del__(self): raise ValueError('lost')\nthing = Broken()\ndel thing"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "ValueError: lost" in done.stderr


AT_WORK = (
    BEGIN
    + """
from jobs.cli.main import run
from jobs.engine.heartbeat import heartbeat
import click
class Collection:
    def beat(self, driver): print("beat", flush=True)
    def rest(self, driver): time.sleep(0.3); print("rest", flush=True)
@click.command()
def work():
    with heartbeat(Collection()):
        time.sleep(30)
run(work, "work", [])
"""
)


@pytest.mark.parametrize(
    ("numbers", "status"),
    [([signal.SIGINT], 130), ([signal.SIGINT, signal.SIGINT], 130), ([signal.SIGTERM], 143)],
)
def test_an_interrupted_driver_takes_its_heartbeat_back_at_once(numbers: list[int], status: int) -> None:
    """A second Ctrl-C while it does so changes nothing, and no trace is shown."""
    with subprocess.Popen(
        [sys.executable, "-c", AT_WORK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as begun:
        assert begun.stdout is not None
        assert begun.stdout.readline() == "beat\n"
        for number in numbers:
            begun.send_signal(number)
            time.sleep(0.1)
        said, complained = begun.communicate(timeout=20)
    assert said == "rest\n"
    assert begun.returncode == status
    assert complained.lstrip().startswith("Interrupted. What was committed stays; ")
    assert complained.strip().count("\n") == 0


IMPORTING = (
    BEGIN
    + """
import atexit
from concurrent.futures import ThreadPoolExecutor
from jobs.cli.main import run
import click
def load():
    time.sleep(3)
    print("a warning of an import", file=sys.stderr, flush=True)
@click.command()
def work():
    atexit.register(print, "put away")
    loaded = ThreadPoolExecutor(1).submit(load)
    print("loading", flush=True)
    loaded.result()
run(work, "work", [])
"""
)


def test_an_interrupted_command_waits_for_no_thread_that_loads_a_model() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as begun:
        assert begun.stdout is not None
        assert begun.stdout.readline() == "loading\n"
        begun.send_signal(signal.SIGINT)
        said, complained = begun.communicate(timeout=20)
    assert said == "put away\n"
    assert begun.returncode == 130
    assert complained.strip() == (
        "Interrupted. What was committed stays; run the same command again to go on."
    )
