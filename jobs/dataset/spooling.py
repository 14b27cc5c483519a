"""Temporary files of JSON lines, for what would not fit into memory: recordings and clips of a dataset."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from tempfile import TemporaryFile
from typing import IO, Any

from store.records import Clip


class Spool:
    """Values of JSON in a temporary file, written once and read as often as one likes."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, value: Any) -> None:
        """Append one."""
        self._file.write(json.dumps(value) + "\n")
        self._count += 1

    def __iter__(self) -> Iterator[Any]:
        """All in order, one at a time."""
        self._file.seek(0)
        return (json.loads(line) for line in self._file)


@contextmanager
def spool() -> Iterator[Spool]:
    """An empty one for the block."""
    with TemporaryFile("w+", encoding="utf-8") as file:
        yield Spool(file)


@contextmanager
def spooled(clips: Iterable[Clip]) -> Iterator[Iterator[Clip]]:
    """Take all clips before the block begins; inside it they come again, one at a time, in order."""
    with spool() as kept:
        for clip in clips:
            kept.add(asdict(clip))
        yield (Clip(**value) for value in kept)
