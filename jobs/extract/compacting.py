"""Compact commit markers in the background while an extraction goes on."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

from store.arrays.collection import Collection, open_collection
from store.arrays.manifests import STEP_UNITS
from store.errors import UndertoneError


class Compactor:
    """Makes larger manifests each time that some units more are committed; the job's end does the rest."""

    def __init__(self, *collections: Collection) -> None:
        self._places = [(collection.objects, collection.prefix) for collection in collections]
        self._collections: Sequence[Collection] = ()
        self._thread = ThreadPoolExecutor(1, "compactor")
        self._work: Future[None] | None = None
        self._committed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def count(self) -> None:
        """One unit more is committed."""
        self._committed += 1
        if self._committed >= STEP_UNITS and (self._work is None or self._work.done()):
            self._committed = 0
            self._work = self._thread.submit(self._compact)

    def _compact(self) -> None:
        """With collections of its own: those of the driver do not wait for it."""
        with suppress(UndertoneError):  # storage hiccups, or damage, which the end of the job names
            self._collections = self._collections or [open_collection(*place) for place in self._places]
            for collection in self._collections:
                collection.compact()
