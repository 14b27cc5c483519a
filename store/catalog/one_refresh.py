"""Refresh a catalog in one process while others wait for it; copy a file by sharing blocks."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".lock"
PATIENCE_SECONDS = 30.0
"""After it a refresh of one's own begins: another process may have been stopped in the middle of its."""
PAUSE_SECONDS = 0.02
_CLONE = 0x40049409
"""FICLONE of Linux: a copy that shares its blocks until one of both is written to."""


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock of a catalog; it goes with the process, however that ends.

    A refresh without it does no harm, as files are swapped in whole: so where there are no locks, or somebody
    holds it for too long, the block runs without.
    """
    lock = path.with_name(f".{path.stem}{LOCK}")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        _take(descriptor)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE_SECONDS)
        except OSError:  # a file system without locks
            return
        else:
            return


def clone(source: Path, target: Path) -> None:
    """Copy a file; at no cost where the file system can share its blocks (Btrfs, XFS, bcachefs).

    Raises:
        OSError: there is no such file, or no space.
    """
    with source.open("rb") as old, target.open("wb") as new:
        try:
            fcntl.ioctl(new.fileno(), _CLONE, old.fileno())
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            shutil.copyfileobj(old, new, 1 << 20)
