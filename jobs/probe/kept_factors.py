"""Matrix factors of training sets, stored on request so that later concepts are faster."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear import moments, tridiagonal
from analysis.linear.ridge import Factors
from analysis.linear.tridiagonal import Tridiagonal
from jobs.method_versions import methods_id
from jobs.probe.array_file import packed, unpacked
from store.errors import CorruptData, NotFound
from store.objects.ledger import commit, never, view_committed, withdraw
from store.objects.protocol import ObjectStore
from store.results.parts import digest_of


def factors_key(moments_key: str) -> str:
    """Key of the factors of the moments with this key."""
    made = methods_id("factors", moments=moments.VERSION, tridiagonal=tridiagonal.VERSION)
    return f"{moments_key.removesuffix('.npy')}.factors-{digest_of(made)[:8]}.npy"


def keep_factors(objects: ObjectStore, key: str, factors: Factors) -> None:
    """Keep factors: D² float64 numbers for each of k (k + 1) / 2 training sets, with k folds."""
    data = packed(array for item in factors.items() for array in _arrays(*item))
    commit(objects, key, data, kind="cache", sound=never)


def read_factors(objects: ObjectStore, key: str) -> Factors:
    """What was kept under a key; nothing where it was damaged, and is now withdrawn, or was never there."""
    try:
        of_sets = zip(*[unpacked(view_committed(objects, key))] * 4, strict=True)
        return {tuple(cells.tolist()): Tridiagonal(*factor) for cells, *factor in of_sets}
    except NotFound:
        return {}
    except (CorruptData, ValueError):
        withdraw(objects, key, [key])
        return {}


def _arrays(cells: tuple[int, ...], factor: Tridiagonal) -> list[NDArray[Any]]:
    return [np.array(cells), factor.rotation, factor.diagonal, factor.beside]
