"""A temporary file of clips, for datasets whose clips do not fit into memory."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from tempfile import TemporaryFile

from store.records import Clip


@contextmanager
def spooled(clips: Iterable[Clip]) -> Iterator[Iterator[Clip]]:
    """Take all clips before the block begins; inside it they come again, one at a time, in order."""
    with TemporaryFile("w+", encoding="utf-8") as spool:
        for clip in clips:
            spool.write(json.dumps(asdict(clip)) + "\n")
        spool.seek(0)
        yield (Clip(**json.loads(line)) for line in spool)
