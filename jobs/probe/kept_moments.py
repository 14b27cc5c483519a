"""Second moments of rows, stored under the hash of rows and folds that they are computed from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import VERSION, Moments
from jobs.method_versions import methods_id
from jobs.probe.array_file import packed, unpacked
from jobs.probe.plan import Coverage, ProbePlan, Source, cells_digest
from store.errors import CorruptData, NotFound
from store.objects.ledger import commit, never, view_committed, withdraw
from store.objects.protocol import ObjectStore
from store.results.parts import digest_of


@dataclass(frozen=True, slots=True)
class KeptMoments:
    """Moments of one source and coverage; over frames also what a later concept needs instead of them."""

    moments: Moments
    times: int = 1
    """Rows (frames, segments) per clip."""
    means: NDArray[np.float32] | None = None
    """Mean row of each clip relative to the shift, (n, D); None where rows are clips already."""


def moments_key(plan: ProbePlan, coverage: Coverage, source: Source) -> str:
    """Key of the kept moments: labels do not count, only which rows there are and how they are cut."""
    rows = {
        "prefix": source.prefix,
        "committed": plan.committed[source.prefix],
        "array": source.array,
        "cells": cells_digest(coverage),
        "code": methods_id("moments", moments=VERSION),
    }
    place = source.array if source.layer is None else f"{source.array}.{source.layer}"
    return f"moments/{digest_of(rows)}/{place}.npy"


def keep_moments(objects: ObjectStore, key: str, kept: KeptMoments) -> None:
    """Keep moments as arrays one after the other, which is read at the speed of the disk."""
    moments = kept.moments
    means = kept.means if kept.means is not None else np.zeros((0, 0), np.float32)
    arrays = (moments.shift, moments.counts, moments.sums, moments.grams, np.array(kept.times), means)
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
