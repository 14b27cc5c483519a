"""What holds for every test: no network for models, the order of tests, dead processes, S3, the browser.

`UNDERTONE_S3_ENDPOINT` (and the usual AWS_* variables) point the same suite at a real S3 server; without it,
one runs in a subprocess. `UNDERTONE_BROWSER` names a Chromium that is not on the PATH; where there
is none, pages are not tested, and the last line of the output says so with the command that ends it.
"""

import faulthandler
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ["OMP_NUM_THREADS"])

import pytest
from threadpoolctl import threadpool_limits

from benchmarks.bucket import BUCKET, CREDENTIALS, s3_server

# Arrays of tests are tiny: on more threads they cost up to sixty times the processor time, spent on waiting.
# The variables are for libraries and processes to come; pytest has loaded NumPy already.
threadpool_limits(int(os.environ["OMP_NUM_THREADS"]))

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # So it is in a shell's background, and what the tests start would inherit it and never hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
NO_BROWSER = "no browser on this machine"
LAST_WORDS = 20
"""Lines: the innermost calls."""
_WITHOUT_BROWSER = pytest.StashKey[int]()
_DEATHS = pytest.StashKey[list[str]]()
_DIED_IN = pytest.StashKey[set[str]]()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the cache of whoever runs it: catalogs of the tests' stores would stay there."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests and the libraries they import stay until the end: none of it is garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first: a mistake shows early. On several cores last: none waits for a slow one.

    Those that share a Ray stand beside each other.
    """
    slow_first = "PYTEST_XDIST_WORKER" in os.environ
    items.sort(key=lambda item: not uses_local_ray(item))
    items.sort(key=lambda item: (item.get_closest_marker("slow") is not None) is not slow_first)


def pytest_sessionstart(session: pytest.Session) -> None:
    """A process that shares the tests writes its last words, should a native library end it, to a file."""
    if given := getattr(session.config, "workerinput", None):
        last_words = _last_words(given)
        faulthandler.enable(last_words.open("w"))
        session.config.add_cleanup(lambda: last_words.unlink(missing_ok=True))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """How a process of the tests ended, for the end of the output: what it wrote itself is far above."""
    if error is None:
        return
    code = node.gateway._io.wait()
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended itself with {code}"
    last_words = _last_words(node.workerinput)
    written = last_words.read_text(errors="replace") if last_words.exists() else ""
    said = "\n".join(written.splitlines()[:LAST_WORDS])
    last_words.unlink(missing_ok=True)
    node.config.stash.setdefault(_DEATHS, []).append(f"{node.gateway.id} {how}\n{said}".strip())


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """A test whose process died runs once more, in another; the output's end tells of it in any case."""
    died_in = sched.config.stash.setdefault(_DIED_IN, set())
    if crashitem not in died_in:
        died_in.add(crashitem)
        sched.mark_test_pending(crashitem)
        report.outcome = "rerun"  # type: ignore[assignment]  # the word that the hook's documentation gives


def _last_words(worker: dict[str, Any]) -> Path:
    return Path(tempfile.gettempdir(), f"{worker['testrunuid']}-{worker['workerid']}.txt")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Count, for the last line, the tests that no browser was there for."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NO_BROWSER in str(report.longrepr) for report in skipped)
    terminalreporter.config.stash[_WITHOUT_BROWSER] = count
    yield


def pytest_unconfigure(config: pytest.Config) -> None:
    """After everything else, so that nobody takes a suite without its pages for the whole."""
    tests: set[str] = config.stash.setdefault(_DIED_IN, set())
    for death in config.stash.get(_DEATHS, []):
        which = ", ".join(sorted(tests))
        config.get_terminal_writer().line(f"A process died while it tested ({which}): {death}")
    if count := config.stash.get(_WITHOUT_BROWSER, 0):
        config.get_terminal_writer().line(
            f"{count} tests of pages were left out, as there is {NO_BROWSER}. Install one and run them: "
            "sudo apt-get install -y chromium && make test ARGS='-k browser'"
        )


def uses_local_ray(item: pytest.Item) -> bool:
    return "local_ray" in getattr(item, "fixturenames", ())


_local_ray = ExitStack()


@pytest.fixture
def local_ray() -> None:
    """A private Ray for tests that need workers and nothing else of it: a start takes longer than they do.

    `ray_session` takes what is there. It ends with the first test that does not ask for it.
    """
    import ray

    from jobs.engine import ray_session

    if not ray.is_initialized():
        options = _local_ray.enter_context(ray_session._options("local", 2))
        ray_session._connect("local", options)
        _local_ray.callback(ray.shutdown)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not uses_local_ray(item):
        _local_ray.close()


def pytest_sessionfinish() -> None:
    _local_ray.close()


@pytest.fixture(scope="session")
def browser_path() -> str:
    """A Chromium of this machine; without one, the test is skipped with the reason."""
    named = os.environ.get("UNDERTONE_BROWSER")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(
            f"{NO_BROWSER}: none of {', '.join(BROWSERS)} is on the PATH; UNDERTONE_BROWSER names none"
        )
    return found


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A running S3 server with a bucket, credentials in the environment."""
    with pytest.MonkeyPatch.context() as environment, ExitStack() as running:
        endpoint = os.environ.get("UNDERTONE_S3_ENDPOINT")
        if endpoint is None:
            for name, value in CREDENTIALS.items():
                environment.setenv(name, value)
            endpoint = running.enter_context(s3_server())
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        _make_bucket(endpoint)
        yield endpoint


@pytest.fixture
def s3_url(s3_endpoint: str) -> str:
    """A place in the bucket that no other test uses."""
    return f"s3://{BUCKET}/{uuid4().hex}"


def _make_bucket(endpoint: str) -> None:
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client("s3", endpoint_url=endpoint)
    try:
        client.create_bucket(Bucket=BUCKET)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise
