"""A cache in the store of moments and factors of ridge probes, so that later concepts are quick.

They lie under the hash of the rows and folds that they are computed from. An object holds several arrays,
each as NumPy's .npy, which are read without copying.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from analysis.linear import moments, tridiagonal
from analysis.linear.moments import Moments
from analysis.linear.ridge import Factors
from analysis.linear.tridiagonal import Tridiagonal
from jobs.method_versions import methods_id
from jobs.probe.plan import Coverage, Features, ProbePlan, cells_digest
from store.errors import CorruptData, NotFound
from store.objects.ledger import commit, never, view_committed, withdraw
from store.objects.protocol import ObjectStore
from store.results.parts import digest_of

MOST_HEADER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class KeptMoments:
    """Moments of one source and coverage; over frames also what a later concept needs instead of them."""

    moments: Moments
    times: int = 1
    """Rows (frames, segments) per clip."""
    means: NDArray[np.float32] | None = None
    """Mean row of each clip relative to the shift, (n, D); None where rows are clips already."""


def moments_key(plan: ProbePlan, coverage: Coverage, source: Features) -> str:
    """Key of the kept moments: labels do not count, only which rows there are and how they are cut."""
    return key_of_moments(source, plan.committed[source.prefix], cells_digest(coverage))


def key_of_moments(source: Features, committed: str, cells: str) -> str:
    """The same, from what stands for committed rows, and for the clips and how they are cut into cells."""
    rows = {
        "prefix": source.prefix,
        "committed": committed,
        "array": source.array,
        "cells": cells,
        "code": methods_id("moments", moments=moments.VERSION),
    }
    place = source.array if source.layer is None else f"{source.array}.{source.layer}"
    if source.head is not None:
        place = f"{place}.head-{source.head}"
    return f"moments/{digest_of(rows)}/{place}.npy"


def keep_moments(objects: ObjectStore, key: str, kept: KeptMoments) -> None:
    """Keep moments as arrays one after the other, which is read at the speed of the disk."""
    found = kept.moments
    means = kept.means if kept.means is not None else np.zeros((0, 0), np.float32)
    arrays = (found.shift, found.counts, found.sums, found.grams, np.array(kept.times), means)
    commit(objects, key, packed(arrays), kind="cache", sound=never)


def read_moments(objects: ObjectStore, key: str) -> KeptMoments | None:
    """What was kept under a key; None where nothing was, or where it was damaged and is now withdrawn."""
    try:
        shift, counts, sums, grams, times, means = unpacked(view_committed(objects, key))
    except NotFound:
        return None
    except (CorruptData, ValueError):
        withdraw(objects, key, [key])
        return None
    return KeptMoments(Moments(shift, counts, sums, grams), int(times), means if len(means) else None)


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


def packed(arrays: Iterable[NDArray[Any]]) -> memoryview:
    """The bytes to store."""
    buffer = io.BytesIO()
    for array in arrays:
        np.save(buffer, array, allow_pickle=False)
    return buffer.getbuffer()


def unpacked(stored: memoryview) -> Iterator[NDArray[Any]]:
    """The arrays, read-only, over the memory of the bytes themselves.

    Raises:
        ValueError: the bytes are damaged or end too early.
    """
    offset = 0
    while offset < len(stored):
        head = io.BytesIO(stored[offset : offset + MOST_HEADER_BYTES])
        npy.read_magic(head)
        shape, by_columns, dtype = npy.read_array_header_1_0(head)
        flat = np.frombuffer(stored, dtype, int(np.prod(shape, dtype=np.int64)), offset + head.tell())
        offset += head.tell() + flat.nbytes
        yield flat.reshape(shape, order="F" if by_columns else "C")
