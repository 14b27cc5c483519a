"""Independent random streams, one per named draw, so that adding a draw never changes another."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def stream(*key: str | int) -> np.random.Generator:
    """Returns the generator that belongs to a key such as (seed, "styles", 12, "tempo")."""
    digest = sha256("\n".join(map(str, key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def pick(options: Sequence[T], *key: str | int) -> T:
    """Draws one option uniformly from the stream of the key."""
    return options[int(stream(*key).integers(len(options)))]


@lru_cache(maxsize=512)
def permutation(size: int, *key: str | int) -> NDArray[np.int64]:
    """Returns the key's random order of 0 … size−1."""
    return stream(*key).permutation(size)
