"""Refuse symbolic links and special files below a store: a stranger's store must not lead out of itself.

A link could make a command read, embed or delete files of whoever opens the store, and a pipe or device in a
file's place could keep it waiting forever. So below the root only plain folders and plain files count; the
root itself may be a link.
"""

import errno
import os
import stat
from pathlib import Path

from store.errors import NotPlain

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not to wait for a pipe's other end."""


class PlainFolders:
    """Which folders below a root are reached through plain folders alone; each is looked at once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known = {root}

    def check_parent(self, path: str | Path, *, anew: bool = False) -> None:
        """The same as `check` for the folder of a file."""
        text = str(path)
        folder = text[: text.rfind("/")]
        if anew or folder not in self._known:
            self.check(folder, anew=anew)

    def check(self, folder: str, *, anew: bool = False) -> None:
        """Raise `NotPlain` naming the first link on the way to a folder, which need not exist yet.

        With `anew` nothing is taken from memory: before something is written or deleted.
        """
        if folder in self._known and (not anew or folder == self._root):
            return
        place = self._root
        for name in folder[len(self._root) + 1 :].split("/"):
            place = f"{place}/{name}"
            if place in self._known and not anew:
                continue
            try:
                mode = os.lstat(place).st_mode
            except (FileNotFoundError, NotADirectoryError):
                return
            if stat.S_ISLNK(mode):
                raise _refused(place, mode)
            self._known.add(place)


def open_plain(path: str) -> int:
    """A descriptor for reading a plain file; raises `NotPlain` for anything else, without waiting."""
    descriptor = open_unfollowed(path)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise NotPlain(f"{path} is a folder where a file must be: delete it.")
    raise _refused(path, mode)


def open_unfollowed(path: str) -> int:
    """A descriptor for reading; raises `NotPlain` for a link, but not yet for a pipe or device."""
    try:
        return os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):  # a link, or a socket
            check_plain(path)
        raise


def plain_status(path: str) -> os.stat_result | None:
    """Status of a plain file, None where there is none; raises `NotPlain` for a link or special file."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, status.st_mode)
    return status


def check_plain(path: str) -> None:
    """Raise `NotPlain` unless there is a plain file, a folder or nothing."""
    plain_status(path)


def _refused(path: str, mode: int) -> NotPlain:
    if stat.S_ISLNK(mode):
        return NotPlain(
            f"{path} is a symbolic link (to {str(Path(path).readlink())!r}): below a store links are not "
            "followed: it may lead to files of yours. Put the files themselves there, or delete the link."
        )
    return NotPlain(f"{path} is no plain file but a pipe, socket or device: delete it.")
