"""An object store that counts what is asked of it: how laws of growth are tested and measured."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from threading import Lock
from typing import Any, cast

from store.objects.protocol import ObjectStore

LISTED_AT_ONCE = 1000
"""Keys that a bucket gives per request."""
_LISTINGS = ("list", "versions", "written")


class Counted:
    """Requests by name of the method, and the keys that they were about."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.keys: list[tuple[str, str]] = []
        self._lock = Lock()

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())

    def note(self, name: str, key: str, requests: int = 1) -> None:
        """Count a call."""
        with self._lock:
            self.requests[name] += requests
            self.keys.append((name, key))

    def clear(self) -> None:
        """Begin again."""
        self.requests.clear()
        self.keys.clear()


def counting(objects: ObjectStore) -> tuple[ObjectStore, Counted]:
    """The same storage, whose calls are counted as requests to a bucket."""
    counted = Counted()
    return cast("ObjectStore", _Counting(objects, counted)), counted


class _Counting:
    def __init__(self, objects: ObjectStore, counted: Counted) -> None:
        self._objects, self._counted = objects, counted

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._objects, name)
        return self._wrapped(name, value) if callable(value) and name not in ("file", "path") else value

    def _wrapped(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(key: Any = "", *arguments: Any, **options: Any) -> Any:
            if name in _LISTINGS:
                return self._listed(name, str(key), method(key, *arguments, **options))
            self._counted.note(name, str(key))
            return method(key, *arguments, **options)

        return call

    def _listed(self, name: str, key: str, found: Iterator[Any]) -> Iterator[Any]:
        entries = list(found)
        self._counted.note(name, key, 1 + max(0, len(entries) - 1) // LISTED_AT_ONCE)
        return iter(entries)
