"""Factors of training sets, kept beside the moments where a user asks: later concepts are faster."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.ridge import Factors
from analysis.tridiagonal import Tridiagonal
from jobs.results import code_version, digest_of
from store.objects import ObjectStore

CODE = ("analysis.tridiagonal", "analysis.moments", "jobs.probing.kept_factors")


def factors_key(moments_key: str) -> str:
    """Key of the factors of the moments with this key."""
    return f"{moments_key.removesuffix('.npy')}.factors-{digest_of(code_version(*CODE))[:8]}.npy"


def keep_factors(objects: ObjectStore, key: str, factors: Factors) -> None:
    """Keep factors: D² float64 numbers for each of k (k + 1) / 2 training sets, with k folds."""
    buffer = io.BytesIO()
    for cells, factor in factors.items():
        for array in _arrays(cells, factor):
            np.save(buffer, array, allow_pickle=False)
    objects.create(key, [buffer.getbuffer()])


def read_factors(objects: ObjectStore, key: str) -> Factors:
    """What was kept under a key; nothing where it is damaged or was never there."""
    if not objects.exists(key):
        return {}
    stored = objects.get(key)
    buffer = io.BytesIO(stored)
    factors: Factors = {}
    try:
        while buffer.tell() < len(stored):
            cells, *arrays = (np.load(buffer, allow_pickle=False) for _ in range(5))
            factors[tuple(cells.tolist())] = Tridiagonal(*arrays)
    except (EOFError, ValueError):
        objects.delete(key)
        return {}
    return factors


def _arrays(cells: tuple[int, ...], factor: Tridiagonal) -> list[NDArray[Any]]:
    return [np.array(cells), factor.reflectors, factor.scales, factor.diagonal, factor.beside]
