"""slurm/extract.sbatch extracts, submitted to the Slurm that this machine pretends to be."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import pytest

from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from store import open_store

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "slurm" / "extract.sbatch"
COMMANDS = {
    # What sbatch does with a script and the words behind it, on the first node.
    "sbatch": """
        import os, subprocess, sys
        script, *words = sys.argv[1:]
        given = {
            "SLURM_JOB_ID": os.environ["FAKE_JOB"], "SLURM_JOB_NODELIST": "127.0.0.1",
            "SLURM_JOB_NUM_NODES": "1", "SLURM_CPUS_PER_TASK": "2",
        }
        sys.exit(subprocess.run(["bash", script, *words], env=os.environ | given).returncode)
    """,
    "scontrol": """
        import sys
        assert sys.argv[1:3] == ["show", "hostnames"], sys.argv
        print(sys.argv[3])
    """,
    # One task on the one node of this cluster.
    "srun": """
        import os, sys
        words = sys.argv[1:]
        while words[0].startswith("--"):
            words.pop(0)
        os.execvp(words[0], words)
    """,
    # `ray stop` would end every Ray of this machine: only what was started in our folder is ended here.
    "ray": """
        import os, signal, sys
        from pathlib import Path
        folder = os.environ["FAKE_RAY_FOLDER"].encode()
        if sys.argv[1] == "stop":
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and int(entry.name) not in (os.getpid(), os.getppid()):
                    try:
                        words = (entry / "cmdline").read_bytes()
                    except OSError:
                        continue
                    if folder in words and b"symmetric-run" not in words and b"sbatch" not in words:
                        os.kill(int(entry.name), signal.SIGKILL)
            sys.exit()
        import ray.scripts.symmetric_run as symmetric
        from ray.scripts.scripts import main
        symmetric.check_ray_already_started = lambda: False  # others may use Ray on this machine
        sys.exit(main())
    """,
}


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which this machine is a Slurm cluster of one node."""
    programs, folder = tmp_path / "bin", tempfile.mkdtemp(prefix="us", dir="/tmp")
    programs.mkdir()
    for name, text in COMMANDS.items():
        lines = text.splitlines()[1:]
        indent = len(lines[0]) - len(lines[0].lstrip())
        body = "\n".join(line[indent:] for line in lines)
        source = programs / f"pretended_{name}.py"
        source.write_text(body)
        interpreter = quote(sys.executable)  # whose path may have a space, which a first line cannot hold
        (programs / name).write_text(f'#!/bin/sh\nexec {interpreter} {quote(str(source))} "$@"\n')
        (programs / name).chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))}
    venv = str(Path(sys.executable).parent)
    yield inherited | {
        "PATH": f"{programs}:{venv}:{os.environ['PATH']}",
        "UNDERTONE_BIN": str(programs),
        "UNDERTONE_RAY_OPTIONS": f"--temp-dir={folder} --object-store-memory=100000000 "
        "--include-dashboard=false",
        "HOME": str(tmp_path),
        "FAKE_RAY_FOLDER": folder,
        "FAKE_JOB": str(free_port() - 10_000),
    }
    subprocess.run([str(programs / "ray"), "stop"], env=os.environ | {"FAKE_RAY_FOLDER": folder}, check=True)
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that the script comes to: it takes those from 10,000 to 29,999."""
    for port in range(21_000 + os.getpid() % 5000, 29_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no free port")


def words_of(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:  # ended meanwhile
        return b""


def test_the_script_is_one_that_bash_can_read_and_asks_for_one_task_per_node() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    text = SCRIPT.read_text()
    assert "#SBATCH --ntasks-per-node=1" in text
    assert "--requeue" in text


@pytest.mark.slow
def test_a_submitted_extraction_commits_every_clip_and_leaves_no_process(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    import numpy as np
    import soundfile

    for number in range(4):
        path = tmp_path / "audio" / ("low", "high")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.sin(np.arange(16_000) * (number + 1) / 40), 16_000)
    store = str(tmp_path / "store")
    add_dataset(AddRequest(store, "tones", str(tmp_path / "audio"), clip_seconds=1.0))
    command = ["sbatch", str(SCRIPT), store, "tones", "--model", "pocket-random", "--device", "cpu"]
    command += ["--root", f"tones={tmp_path / 'audio'}", "--workers", "1", "--sites", "resid"]
    command += ["--format", "json"]
    done = subprocess.run(command, env=slurm, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert (summary["clips"], summary["complete"]) == (4, True)
    [run] = open_store(store).runs()
    assert {status.state for status in open_store(store).run(run).statuses().values()} == {"ok"}
    assert (tmp_path / ".ray" / "auth_token").read_text(), "nobody else may use the job's Ray"
    folder = slurm["FAKE_RAY_FOLDER"].encode()
    left = [words for process in Path("/proc").glob("[0-9]*") if folder in (words := words_of(process))]
    assert not left
