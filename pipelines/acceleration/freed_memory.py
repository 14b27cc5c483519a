"""Keep the memory that a pass frees: asking the system for it again may double the time of a pass."""

import ctypes
import platform

from pipelines.acceleration.switch import is_plain

# From malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD.
_OPTIONS = ((-4, 0), (-1, 2**31 - 1), (-2, 2**26))


def keep_freed_memory() -> None:
    """Let glibc keep what is freed; with another C library nothing happens.

    By default, depending on what was freed before, glibc may give large blocks back at once, and the system
    clears every page when they are wanted again: a codec, whose layers make megabytes, then spends half of
    its time there.
    """
    if is_plain() or platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    for option, value in _OPTIONS:
        library.mallopt(option, value)
