"""The recordings of a dataset as findings are made of them, in about a hundred bytes each."""

from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import overload

from analysis.data_findings import Item
from store.records import Label

_CONTENT_BYTES = 16
_ABSENT = -1


class KeptItems(Sequence[Item]):
    """Items as columns: texts that repeat stand once, contents are hashes, names lie one after the other.

    An item that comes out has a hash of its content, which is equal where the content was.
    """

    def __init__(self) -> None:
        self._names, self._ends = bytearray(), array("q", [0])
        self._contents = bytearray()
        self._known: dict[tuple[type, Label | None], int] = {}
        self._values: list[Label | None] = []
        self._groups, self._splits, self._clips = array("q"), array("q"), array("q")
        self._labels: dict[str, array[int]] = {}

    def append(self, item: Item) -> None:
        """Keep one more."""
        for name in item.labels:
            if name not in self._labels:
                self._labels[name] = array("q", [_ABSENT]) * len(self)
        for name, codes in self._labels.items():
            codes.append(self._code(item.labels[name]) if name in item.labels else _ABSENT)
        self._groups.append(_ABSENT if item.group == item.name else self._code(item.group))
        self._splits.append(_ABSENT if item.split is None else self._code(item.split))
        self._clips.append(item.clips)
        self._contents += _hash(item.content)
        self._names += item.name.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._names))

    def __len__(self) -> int:
        return len(self._clips)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        if isinstance(place, slice):
            return [self._item(one) for one in range(*place.indices(len(self)))]
        return self._item(range(len(self))[place])

    def __iter__(self) -> Iterator[Item]:
        return map(self._item, range(len(self)))

    def _item(self, place: int) -> Item:
        name = self._names[self._ends[place] : self._ends[place + 1]].decode("utf-8", "surrogatepass")
        content = bytes(self._contents[place * _CONTENT_BYTES : (place + 1) * _CONTENT_BYTES])
        group, split = self._groups[place], self._splits[place]
        return Item(
            name,
            content if any(content) else None,
            name if group == _ABSENT else str(self._values[group]),
            None if split == _ABSENT else str(self._values[split]),
            {
                column: self._values[codes[place]]
                for column, codes in self._labels.items()
                if codes[place] != _ABSENT
            },
            self._clips[place],
        )

    def _code(self, value: Label | None) -> int:
        key = (type(value), value)  # True and 1 are two labels
        if key not in self._known:
            self._known[key] = len(self._values)
            self._values.append(value)
        return self._known[key]


def _hash(content: object) -> bytes:
    """Zeros where nobody knows the content."""
    if content is None:
        return bytes(_CONTENT_BYTES)
    return blake2b(str(content).encode(), digest_size=_CONTENT_BYTES).digest()
