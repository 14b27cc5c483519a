"""Store and look up what an interrupted verification has read: the next one goes on where it stopped."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from typing import Self

from pipelines.user_cache import cache_folder
from store.arrays.vouched import Vouched
from store.objects.protocol import ObjectStore

OLD_SECONDS = 7 * 24 * 3600.0
"""What was read before so long is read again."""


class Verified:
    """Objects of one store that were found intact; a file in the user's cache, to which lines are added.

    It is not in the store: that may be read by one who may not write, and a copy of it may be damaged anew.
    """

    def __init__(self, objects: ObjectStore, run: str, *, again: bool) -> None:
        """Look up what was read of a store, or of a run of it; with `again` nothing counts."""
        place = os.path.realpath(objects.url) if objects.is_local else objects.url
        name = sha256(os.fsencode(f"{place}\n{run}")).hexdigest()[:16]
        self._path = cache_folder() / "verified" / name
        if again or self._age() > OLD_SECONDS:
            self.forget()
        self._lines = self._read()

    def __contains__(self, one: Vouched) -> bool:
        return _line(one) in self._lines

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """A verification that came to its end leaves nothing: the next one reads everything."""
        if kind is None:
            self.forget()

    def add(self, intact: Iterable[Vouched]) -> None:
        """These are intact. Where the cache cannot be written, an interrupted verification begins anew."""
        lines = "".join(f"{_line(one)}\n" for one in intact)
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(lines)

    def forget(self) -> None:
        """Nothing was read."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> frozenset[str]:
        try:
            return frozenset(self._path.read_text(encoding="utf-8", errors="replace").split("\n"))
        except OSError:
            return frozenset()

    def _age(self) -> float:
        """Seconds since something was added last."""
        try:
            return time.time() - self._path.stat().st_mtime
        except OSError:
            return 0.0


def _line(one: Vouched) -> str:
    return f"{one.crc32c} {one.nbytes} {one.key}"
