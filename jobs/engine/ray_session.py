"""Connect to a Ray cluster, or start a private one on this machine that leaves nothing behind."""

import logging
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

from jobs.terminal import waiting
from store.errors import InvalidInput, JobFailed, redacted

REACH_SECONDS = 5.0
SHORT_FOLDER = "/tmp"  # noqa: S108 — a name of 107 bytes is all that a socket may have
LONGEST_FOLDER = 39
"""Bytes: below it Ray puts ray/session_<date>_<number>_<process>/sockets/plasma_store, which has 67."""


@contextmanager
def ray_session(address: str, *, cpus: int | None = None) -> Iterator[None]:
    """Be connected to Ray inside the block.

    Args:
        address: "local" starts a private instance on this machine, bound to loopback and without a
            dashboard; "auto" joins the cluster this machine belongs to; anything else is a Ray address.
        cpus: how many CPUs a private instance declares; all of the machine's by default.

    Raises:
        InvalidInput: nothing answers at `address`.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local":
        # Ray's switch for single-machine use, whatever its name says: without it, it replaces 127.0.0.1 by
        # the machine's own address and listens there. It is read once, when ray is imported.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    waiting.tell("starting Ray on this machine" if address == "local" else f"joining Ray at {address}")
    import ray

    if ray.is_initialized():
        yield
        return
    _check_reachable(address)
    with _options(address, cpus) as options:
        _connect(address, options)
        try:
            with redirect_stdout(sys.stderr):  # Ray prints its warnings there, in the middle of our results
                yield
        finally:
            ray.shutdown()


@contextmanager
def _options(address: str, cpus: int | None) -> Iterator[dict[str, Any]]:
    """What a private instance is started with; its folder is a short one of its own where it has to be."""
    if address != "local":
        yield {}
        return
    options: dict[str, Any] = {"include_dashboard": False, "num_cpus": cpus, "_node_ip_address": "127.0.0.1"}
    usual = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if len(os.fsencode(usual)) <= LONGEST_FOLDER:
        yield options
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix="u", dir=SHORT_FOLDER, ignore_cleanup_errors=True)
    except OSError as error:
        raise InvalidInput(
            f"The folder for temporary files, {usual}, has too long a name for Ray's sockets, and "
            f"{SHORT_FOLDER} cannot be written to. Set RAY_TMPDIR to a folder with a short name, or "
            "work without Ray: --engine inline."
        ) from error
    with folder as short:
        yield options | {"_temp_dir": short}


def _connect(address: str, options: dict[str, Any]) -> None:
    import ray

    before = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=True,
                **options,
            )
    except SystemExit:  # Ray's own answer to SIGTERM, with a status of its own
        _answer_sigterm_by(before)
        signal.raise_signal(signal.SIGTERM)
        raise
    except Exception as error:  # Ray raises plain Exception where its processes are late
        if address == "local":
            ray.shutdown()
            raise _no_private_ray(error) from error
        if isinstance(error, ConnectionError | ValueError | RuntimeError | TimeoutError):
            raise _no_cluster(address) from error
        raise
    _answer_sigterm_by(before)


def _answer_sigterm_by(handler: Any) -> None:
    """Put back what Ray replaced; where nothing was to be replaced, Ray's may stay."""
    if callable(handler) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _no_private_ray(error: Exception) -> JobFailed:
    reason = redacted((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
    return JobFailed(
        f"Ray could not be started on this machine ({reason}). On a busy machine its processes may "
        "be late: run the command again when it is quieter, or without Ray: --engine inline."
    )


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes."""
    match = re.fullmatch(r"(?:ray://)?([^/]+):(\d+)", address)
    if match:
        try:
            socket.create_connection((match[1].strip("[]"), int(match[2])), timeout=REACH_SECONDS).close()
        except OSError as error:
            raise _no_cluster(address) from error


def _no_cluster(address: str) -> InvalidInput:
    return InvalidInput(
        f"No Ray cluster answers at {address!r}. Use --address local for this machine alone, "
        "auto on a node of a running cluster, or HOST:PORT of its head node."
    )


def node_hosts() -> set[str]:
    """Addresses of the nodes that are alive."""
    import ray

    return {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}


def actors_that_fit(*, cpus: float, gpus: float) -> int:
    """How many actors with these needs the cluster's nodes hold now, counted node by node."""
    import ray

    total = 0
    for node in ray.nodes():
        if node["Alive"]:
            have = node["Resources"]
            fits = [int(have.get(name, 0.0) / need) for name, need in (("CPU", cpus), ("GPU", gpus)) if need]
            total += min(fits, default=0)
    return total


def refuse_private_folders(urls: Sequence[str], *, cure: str) -> None:
    """Refuse folders of this machine where workers run on other nodes, too.

    Args:
        urls: of what every worker must reach.
        cure: what to do, beside using an object store.

    Raises:
        InvalidInput: one of them is such a folder.
    """
    local = [url for url in urls if "://" not in url or url.startswith("file://")]
    nodes = len(node_hosts()) if local else 1
    if nodes > 1:
        raise InvalidInput(
            f"{local[0]!r} is a folder of this machine, but the Ray cluster has {nodes} nodes. Use an object "
            f"store (s3://…), or {cure}."
        )
