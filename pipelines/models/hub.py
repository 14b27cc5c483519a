"""Ask the Hugging Face hub for files; where it cannot be reached, that is told soon and once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import SSLError
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from store.errors import ModelError

PATIENCE_SECONDS = 5.0
"""For the first answer of the hub; its library would try for about a minute."""


def hub_folder(repository: str, patterns: tuple[str, ...], *, revision: str | None = None) -> Path:
    """The snapshot folder of a Hugging Face repository; its last part is the commit.

    Raises:
        ModelError: The files are not in the cache and cannot be downloaded.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    at = f" at revision {revision!r}" if revision else ""
    cure = f"With a network: hf download {repository} {' '.join(patterns)}"
    offline = not is_reachable()
    try:
        with _quiet_hub():
            found = snapshot_download(
                repository, revision=revision, allow_patterns=list(patterns), local_files_only=offline
            )
    except HFValidationError as error:
        raise ModelError(
            f"{repository!r}{at} is no name of a repository, which is OWNER/NAME in letters, digits and - _ ."
        ) from error
    except _hub_errors() as error:
        reason = "the hub cannot be reached" if offline else type(error).__name__
        raise ModelError(
            f"{repository!r}{at} is neither in the Hugging Face cache nor can it be downloaded "
            f"({reason}). {cure}"
        ) from error
    folder = Path(found)
    # Offline, a snapshot counts as present whichever of its files it has.
    missing = [name for name in patterns if "*" not in name and not (folder / name).exists()]
    if missing:
        raise ModelError(f"{repository!r}{at} is in the Hugging Face cache without {missing[0]}. {cure}")
    return folder


def cached_folder(repository: str, revision: str | None) -> Path | None:
    """What the cache has of a repository; None where it has nothing."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None


def listed_files(repository: str, revision: str | None) -> list[str] | str:
    """The files of a repository as the hub lists them, or why it does not."""
    from huggingface_hub import HfApi

    if not is_reachable():
        return "the hub cannot be reached"
    try:
        with _quiet_hub():
            return list(HfApi().list_repo_files(repository, revision=revision))
    except _hub_errors() as error:
        return type(error).__name__


def is_reachable() -> bool:
    """Whether the hub answers at all."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or not constants.ENDPOINT.startswith(("http://", "https://")):
        return False
    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=PATIENCE_SECONDS):  # noqa: S310
            return True
    except HTTPError:
        return True  # an answer, if no welcome
    except URLError as error:
        return isinstance(
            error.reason, SSLError
        )  # something answers; its library has certificates of its own
    except OSError:
        return False


def _hub_errors() -> tuple[type[Exception], ...]:
    """What its library raises where files are not to be had: its own errors and those of its transport."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    transport = (base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception))
    return (LocalEntryNotFoundError, OSError, *transport)


@contextmanager
def _quiet_hub() -> Iterator[None]:
    """Without the warnings of its library, which our errors say in a sentence."""
    from huggingface_hub.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
