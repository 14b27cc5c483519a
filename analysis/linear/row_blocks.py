"""Rows of one matrix, held in memory or read block by block: every fit takes them in the same blocks."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import Floats

BLOCK_ROWS = 4096
"""Rows per block. Fixed, since sums depend on it in the last bits."""
HELD_BYTES = 128_000_000
"""Rows as float64 up to this size are converted once, not anew by every pass."""


class RowBlocks(Protocol):
    """Rows (n, D), whole or in fixed blocks."""

    width: int

    def __len__(self) -> int: ...

    def blocks(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The rows in fixed blocks, each with its place."""

    def whole(self) -> NDArray[Any]:
        """All rows at once."""


class HeldRows:
    """Rows (n, D) in memory."""

    def __init__(self, rows: NDArray[Any]) -> None:
        self._rows = rows
        self.width = int(rows.shape[1])

    def __len__(self) -> int:
        return len(self._rows)

    def blocks(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The rows in fixed blocks, each with its place."""
        for place in block_places(len(self._rows)):
            yield place, self._rows[place]

    def whole(self) -> NDArray[Any]:
        """All rows at once."""
        return self._rows


def block_places(count: int) -> Iterator[slice]:
    """Where the blocks of so many rows begin and end."""
    return (slice(first, min(first + BLOCK_ROWS, count)) for first in range(0, count, BLOCK_ROWS))


def solves_by_rows(rows: RowBlocks) -> bool:
    """Whether there are no more rows than features: then the rows themselves make the smaller equations."""
    return len(rows) <= rows.width


def as_blocks(rows: "NDArray[Any] | RowBlocks") -> RowBlocks:
    """An array (n, D) as one that is read in blocks."""
    return HeldRows(rows) if isinstance(rows, np.ndarray) else rows


class CentredRows:
    """Several matrices with the same rows, as float64 about a point near their means: blocks (L, n, D)."""

    def __init__(self, layers: Sequence[RowBlocks], shifts: Sequence[Floats] | None = None) -> None:
        """By default the point is the mean of each first block."""
        self._layers = layers
        self._shifts = shifts or [first_mean(layer) for layer in layers]
        self._held: list[tuple[slice, Floats]] | None = None
        self.shape = len(layers), len(layers[0]), layers[0].width

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """The rows in fixed blocks, each with its place."""
        if self._held is not None:
            return iter(self._held)
        if 8 * np.prod(self.shape, dtype=np.int64) > HELD_BYTES:
            return self._read()
        self._held = list(self._read())
        return iter(self._held)

    def _read(self) -> Iterator[tuple[slice, Floats]]:
        for several in zip(*(layer.blocks() for layer in self._layers), strict=True):
            rows = [block - shift for (_, block), shift in zip(several, self._shifts, strict=True)]
            yield several[0][0], rows[0][np.newaxis] if len(rows) == 1 else np.stack(rows)


def first_mean(rows: RowBlocks) -> Floats:
    """Mean of the first block, (D,): a point near the mean of all rows, about which digits do not cancel."""
    _, block = next(rows.blocks())
    return np.asarray(block.mean(axis=0, dtype=np.float64))


def mean_length(rows: NDArray[Any] | RowBlocks) -> float:
    """Mean Euclidean length of the rows; a pass over them."""
    given = as_blocks(rows)
    lengths = [np.linalg.norm(block.astype(np.float64), axis=1).sum() for _, block in given.blocks()]
    return float(sum(lengths) / len(given))
