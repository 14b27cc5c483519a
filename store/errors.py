"""The errors a caller may catch; each also inherits the builtin one would catch anyway."""

import re
from typing import Any

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:[^/\s?#'\"<>@]*@)*(?P<place>[^\s?#'\"<>]*)(?:\?[^\s'\"<>#]*)?(?:#[^\s'\"<>]*)?",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"(?P<name>[?&](?:[\w-]*(?:signature|token|credential|secret|password)[\w-]*|sig|key)=)[^&\s'\"<>]+",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """A text whose URLs have scheme, host and path alone: names, passwords and tokens in them are left out.

    What is stored, printed or logged passes through here, as a URL may carry the right to read
    (`https://token@host/…`, `…?X-Amz-Signature=…`).
    """
    return _SECRET.sub(r"\g<name>…", _URL.sub(r"\g<scheme>\g<place>", text)) if _may_hide(text) else text


def _may_hide(text: str) -> bool:
    return "://" in text or "=" in text


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


class QueryRefused(UndertoneError, RuntimeError):
    """A SQL statement failed, was not allowed, or ran out of time."""


class StorageError(UndertoneError, OSError):
    """The storage could not take or give bytes: disk full, no permission, network gone."""


class Unreadable(StorageError):
    """Bytes that are there cannot be read: the folder permits it to others only, or a disk is dying."""


class CatalogWarning(UserWarning):
    """What a store lacks, told beside an answer of SQL that does not need it."""


class JobFailed(UndertoneError, RuntimeError):
    """A job cannot go on; what is committed stays committed."""
