"""The commands of cluster.yaml, run as Ray runs them, make of an empty home a cluster that extracts."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CLUSTER: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
CLIPS = 16
MARKER = "UNDERTONE_TEST_MARKER"


class Machine:
    """This machine as nodes of a cluster: a home, ports and folders of its own, and processes told apart.

    Other Ray clusters may run here, so nothing is ended by name: all processes of this one inherit a marker.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.marker = f"{MARKER}={uuid4()}"
        self.ray_folder = tempfile.mkdtemp(
            prefix="ut-"
        )  # short: Ray's socket paths must stay below 108 bytes
        self.port, self.dashboard = free_port(), free_port()

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "VIRTUAL_ENV"))
        }
        key, _, value = self.marker.partition("=")
        return {
            **inherited,
            key: value,
            "HOME": str(self.home),
            "PYTHON": str(Path(sys.base_prefix) / "bin" / "python3"),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
            "UNDERTONE_ACCELERATOR": "cpu",
            "UV_COMPILE_BYTECODE": "0",  # of two gigabytes, for the few modules that the job imports
            "UNDERTONE_RAY_STOP": "true",
            **more,
        }

    def run(self, command: str, *, timeout: float = 300, **environment: str) -> str:
        """Run one command in the very shell that Ray's launcher opens through ssh; give its output."""
        from ray.autoscaler._private.command_runner import _with_interactive

        words = " ".join(_with_interactive(command))
        with (
            tempfile.TemporaryFile() as output
        ):  # not a pipe: daemons keep it open after the command has ended
            code = subprocess.run(
                ["sh", "-c", words],
                env=self.environment(**environment),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=timeout,
                check=False,
            ).returncode
            output.seek(0)
            text = output.read().decode(errors="replace")
        assert code == 0, f"{command}\n{text}"
        return text

    def processes(self) -> list[int]:
        """Every living process that inherited the marker."""
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and self.marker.encode() in environment_of(entry)
        ]

    def stop(self) -> None:
        """End this cluster's processes, also those that one of them starts meanwhile."""
        while processes := self.processes():
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.2)


def environment_of(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # ended meanwhile, or another user's
        return b""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A home folder with what the launcher uploads, set up and started by the commands of cluster.yaml."""
    node = Machine(tmp_path_factory.mktemp("home"))
    (node.home / ".bashrc").touch()
    try:
        upload(node)
        for command in CLUSTER["setup_commands"]:
            node.run(command)
        start(node)
        yield node
    finally:
        node.stop()
        shutil.rmtree(node.ray_folder, ignore_errors=True)
        shutil.rmtree(node.home, ignore_errors=True)


def upload(node: Machine) -> None:
    """What rsync does: the listed files and folders, and the token that the user has generated."""
    for remote, local in CLUSTER["file_mounts"].items():
        target = node.home / remote.removeprefix("~/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if local.startswith("~"):
            target.write_text(uuid4().hex * 2, encoding="ascii")
            target.chmod(0o600)
        elif (ROOT / local).is_dir():
            shutil.copytree(ROOT / local, target, ignore=shutil.ignore_patterns(*CLUSTER["rsync_exclude"]))
        else:
            shutil.copy(ROOT / local, target)
    # Ray writes this file itself; a provider that starts nothing keeps the autoscaler from asking AWS.
    bootstrap = {"cluster_name": "undertone-test", "max_workers": 0, "provider": {"type": "readonly"}}
    (node.home / "ray_bootstrap_config.yaml").write_text(json.dumps(bootstrap), encoding="utf-8")


def start(node: Machine) -> None:
    """Start the head as cluster.yaml has it, and one worker, which has CPUs here where it has a GPU there."""
    shared = f"--temp-dir={node.ray_folder} --object-store-memory=200000000"
    head = f"--port={node.port} --dashboard-port={node.dashboard} --ray-client-server-port={free_port()}"
    agent = "--dashboard-agent-listen-port={}"
    resources = CLUSTER["available_node_types"][CLUSTER["head_node_type"]]["resources"]
    for command in CLUSTER["head_start_ray_commands"]:
        node.run(
            command,
            UNDERTONE_RAY_OPTIONS=f"{head} {shared} {agent.format(free_port())}",
            RAY_OVERRIDE_RESOURCES=json.dumps(resources),
        )
    for command in CLUSTER["worker_start_ray_commands"]:
        node.run(
            command,
            UNDERTONE_RAY_OPTIONS=f"--address=127.0.0.1:{node.port} {shared} {agent.format(free_port())}",
            RAY_HEAD_IP="127.0.0.1",
            RAY_OVERRIDE_RESOURCES='{"CPU": 2}',
        )


@pytest.mark.slow
def test_a_submitted_job_extracts_on_the_cluster(machine: Machine) -> None:
    store = machine.home / "store"
    job = (
        f"undertone dataset synth {store} demo --clips {CLIPS} && "
        f"undertone extract {store} demo --model pocket-random --address auto --gpus-per-worker 0 "
        f"--shared-filesystem"
    )
    output = machine.run(
        f"ray job submit --address http://127.0.0.1:{machine.dashboard} -- bash -c '{job}'", timeout=240
    )
    assert "succeeded" in output, output

    (commits,) = store.glob("runs/*/commits")
    markers = [json.loads(path.read_text(encoding="utf-8")) for path in commits.glob("*.json")]
    assert [clip["state"] for marker in markers for clip in marker["clips"]] == ["ok"] * CLIPS, output


@pytest.mark.slow
def test_setting_up_a_second_time_changes_nothing_and_takes_no_time(machine: Machine) -> None:
    before = (machine.home / ".bashrc").read_text(encoding="utf-8")
    start_seconds = time.monotonic()
    for command in CLUSTER["setup_commands"]:
        machine.run(command)
    assert (machine.home / ".bashrc").read_text(encoding="utf-8") == before
    assert time.monotonic() - start_seconds < 10


@pytest.mark.slow
def test_nobody_without_the_token_may_ask_the_dashboard(machine: Machine) -> None:
    from urllib.error import HTTPError
    from urllib.request import urlopen

    with pytest.raises(HTTPError) as refusal:
        urlopen(f"http://127.0.0.1:{machine.dashboard}/api/jobs/", timeout=10)
    refusal.value.close()
    assert refusal.value.code in (401, 403)
