"""The errors a caller may catch; each also inherits the builtin one would catch anyway."""

import errno
import re
from typing import Any

_SCHEME = (
    r"(?P<scheme>(?P<web>https?://+)|(?!https?://)[a-z][a-z0-9+.-]{0,31}://+|(?:https?|s3|gs|az|hf|ftp):/)"
)
_PORT = r"(?(web)(?![^/\s@:]*:\d{1,5}(?:[/?#\s'\"<>,;)]|$)))"
"""Only URLs of the web have ports; elsewhere digits behind a colon begin a password."""
_PASSWORD = rf"{_PORT}[^/\n@:]*:(?:(?!://)[^\n])*@"
"""A name and a password, up to the last @ of the line: secrets of S3 hold "/", others spaces and quotes."""
_URL = re.compile(
    rf"{_SCHEME}(?:{_PASSWORD}|[^/\s]*@)?"
    r"(?P<place>[^\s?#'\"<>]*)(?:\?[^\s'\"<>#]*)?(?:#[^\s'\"<>]*)?",
    re.IGNORECASE,
)
_WITH_PASSWORD = re.compile(_SCHEME + _PASSWORD, re.IGNORECASE)
_VALUE = r"(?:'[^'\n]*'|\"[^\"\n]*\"|[^&;\s'\"<>]+)"
_SECRET = re.compile(
    r"(?P<name>[?&;](?:[\w-]*(?:signature|token|credential|secret|password)[\w-]*|sig|key)="
    r"|(?:(?:account|secret|access|shared|api)_?(?:access_?)?key|(?:access|session)_?token"
    r"|shared_?access_?signature|client_?secret|passw(?:or)?d)['\"]?\s*[=:]\s*"
    rf"){_VALUE}",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?P<name>\b(?i:authorization)['\"]?\s*[:=]\s*['\"]?(?:\w+\s+)?|\bBearer\s+)[^\s'\",]+",
)


def counted(count: int, one: str, several: str = "") -> str:
    """A number of things: "1 layer", "2 layers", "1 class", "1,000 classes"."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def redacted(text: str) -> str:
    """A text whose URLs have scheme, host and path alone: names, passwords and tokens in them are left out.

    What is stored, printed or logged passes through here, as a URL may carry the right to read
    (`https://token@host/…`, `…?X-Amz-Signature=…`), and so do settings (`AccountKey=…`) and headers
    (`Bearer …`). In doubt more is left out.
    """
    if not any(mark in text for mark in (":", "=", "Bearer")):
        return text
    text = _URL.sub(r"\g<scheme>\g<place>", text)
    return _HEADER.sub(r"\g<name>…", _SECRET.sub(r"\g<name>…", text))


def has_password(url: str) -> bool:
    """Whether a URL says a name and a password."""
    return _WITH_PASSWORD.match(url) is not None


def refuse_password(url: str) -> None:
    """Raise `InvalidInput` for a URL with a password, which others could read."""
    if has_password(url):
        raise InvalidInput(
            "The URL carries a password, which would stand in the list of commands of this machine; "
            "give credentials through the environment (for S3: AWS_ACCESS_KEY_ID …)."
        )


class UndertoneError(Exception):
    """Base of every error whose message is written for the user: value, legal choices, cure; no secrets."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*(redacted(one) if isinstance(one, str) else one for one in arguments))


class InvalidInput(UndertoneError, ValueError):
    """A value the user gave is not legal."""


class NotFound(UndertoneError, LookupError):
    """A dataset, run, clip, layer or file that was named does not exist."""


class MissingRows(UndertoneError, LookupError):
    """Rows were asked for that no commit marker vouches for (not computed yet, or failed)."""


class CorruptData(UndertoneError, OSError):
    """Stored or read bytes disagree with their checksum, length or format."""


class NotPlain(CorruptData):
    """A link, folder, pipe or device lies where a plain file or folder must be."""


class AudioError(UndertoneError, ValueError):
    """A recording could not be decoded to the clip that was asked for."""


class Conflict(UndertoneError, RuntimeError):
    """Another process owns what this call wanted to change, or wrote something else there first."""


class UnsupportedStore(UndertoneError, RuntimeError):
    """The storage back-end lacks a guarantee the commit protocol needs (conditional PUT)."""


class ModelError(UndertoneError, RuntimeError):
    """A model cannot be loaded or does not support what was asked of it."""


class BrokenPlugin(UndertoneError, ImportError):
    """A plug-in cannot be loaded, or gives something else than its extension point asks for."""


class QueryRefused(UndertoneError, RuntimeError):
    """A SQL statement failed, was not allowed, or ran out of time."""


class StorageError(UndertoneError, OSError):
    """The storage could not take or give bytes: disk full, no permission, network gone."""


class Unreadable(StorageError):
    """Bytes that are there cannot be read: the folder permits it to others only, or a disk is dying."""


class UndertoneWarning(UserWarning):
    """What a reader of results must know, where nothing stands in the way of them."""


class CatalogWarning(UndertoneWarning):
    """What a store lacks, told beside an answer of SQL that does not need it."""


class JobFailed(UndertoneError, RuntimeError):
    """A job cannot go on; what is committed stays committed."""


_MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def is_the_machines(error: Exception) -> bool:
    """Whether an error is no fault of the file that was read: a full disk, no more files, no more memory."""
    return isinstance(error, MemoryError) or getattr(error, "errno", None) in _MACHINE_ERRORS
