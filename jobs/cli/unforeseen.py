"""Error messages for exceptions that no code raised for its user: the system's, Ray's and bugs."""

import errno
import os
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from pipelines.user_cache import cache_folder
from store.errors import UndertoneError, redacted

MOST_CHARACTERS = 300
_SYSTEM_ERRORS = {
    errno.ENOSPC: "the disk is full. Free some space",
    errno.EDQUOT: "your quota of the disk is used up. Free some space",
    errno.EACCES: "permission is denied. Change the permissions, or choose another place",
    errno.EPERM: "that is not permitted. Choose another place",
    errno.EROFS: "the file system is read-only. Choose another place",
    errno.EISDIR: "that is a folder where a file belongs. Choose another name",
    errno.ENOTDIR: "a part of that path is a file, not a folder. Choose another place",
    errno.ENOENT: "there is no such file or folder. Check the path",
    errno.EEXIST: "something of that name is there already. Choose another name",
    errno.ENAMETOOLONG: "that name is too long for the file system. Choose a shorter one",
    errno.EMFILE: "too many files are open. Raise the limit (ulimit -n 4096)",
    errno.ENOMEM: "the memory is used up. Use fewer workers (--workers 1)",
    errno.ECONNREFUSED: "nothing answers there. Check the address",
}


def sentence_of(error: BaseException) -> str | None:
    """What to say of an error whose cause is known; None where nobody foresaw it."""
    error = innermost(error)
    if isinstance(error, UndertoneError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The memory is used up: use fewer workers (--workers 1), fewer threads or smaller batches."
    if isinstance(error, OSError) and error.errno is not None:
        named = ", ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        known = _SYSTEM_ERRORS.get(error.errno, f"the system says: {error.strerror}. Mend that")
        again = f"{known}, and run the same command again; what was committed stays."
        return redacted(f"{named}: {again}" if named else again[:1].upper() + again[1:])
    if isinstance(error, FileNotFoundError | PermissionError | ConnectionError | TimeoutError):
        return redacted(str(error)) or None
    return None


def was_interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C is what this error comes from: an import that it stops may end in another error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def innermost(error: BaseException) -> BaseException:
    """The error itself, where Ray wraps what a worker raised on another machine."""
    cause = getattr(error, "cause", None)
    while type(error).__module__.startswith("ray.") and isinstance(cause, BaseException):
        error, cause = cause, getattr(cause, "cause", None)
    return error


def report_of(error: BaseException) -> str:
    """One line on an error that nobody foresaw, with the path of its trace."""
    inner = innermost(error)
    first = (str(inner).strip().splitlines() or [""])[0]
    said = redacted(f"{type(inner).__name__}: {first}" if first else type(inner).__name__)[:MOST_CHARACTERS]
    path = write_trace(error)
    kept = f"Its trace is in {path}" if path else "Its trace could not be written"
    return (
        f"{said}. That is a mistake in Undertone or a case it does not know. {kept}; "
        "`undertone --traceback …` shows it. What was committed stays."
    )


def write_trace(error: BaseException) -> Path | None:
    """Keep the trace of an error in this user's cache, else where temporary files go, else nowhere (None)."""
    text = trace_of(error)
    for folder_of in (_cache_folder, _temporary_folder):
        try:
            path = folder_of() / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.txt"
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except (OSError, RuntimeError):
            continue
        return path
    return None


def _cache_folder() -> Path:
    folder = cache_folder() / "traces"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _temporary_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="undertone-"))


def trace_of(error: BaseException) -> str:
    """The trace as text, without what a URL in it grants."""
    return redacted("".join(traceback.format_exception(error)))
