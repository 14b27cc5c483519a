"""A test whose process dies is told of, runs once more, and fails where that one dies as well."""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TESTS = """
import faulthandler, os, resource, signal
from pathlib import Path

def test_dead_once():
    flag = Path(__file__).with_name("died")
    if not flag.exists():
        flag.touch()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler._sigsegv()

def test_dead_always():
    os.kill(os.getpid(), signal.SIGKILL)

def test_after():
    pass
"""


def test_a_test_whose_process_died_runs_once_more_and_the_last_lines_say_how_it_died(tmp_path: Path) -> None:
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-n1", "--dist=worksteal", "-pno:cacheprovider", "-ra"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 failed, 2 passed" in done.stdout
    assert "FAILED test_it.py::test_dead_always" in done.stdout
    last = done.stdout.split("A process died while it tested (")[1:]
    assert sorted(death.split(":")[-1].split()[-1] for death in last if "SIGKILL" in death) == ["SIGKILL"] * 2
    (fault,) = (death for death in last if "SIGSEGV" in death)
    assert "in test_dead_once" in fault
