"""Moments that were computed once: kept in the store by the rows, cells and bytes that they are made of."""

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.moments import Floats, Moments
from jobs.fitting.probe_plan import Coverage, ProbePlan, Source
from jobs.fitting.results import code_version, digest_of
from store.objects import ObjectStore

CODE = ("analysis.moments", "jobs.fitting.kept_moments", "jobs.fitting.frame_moments")


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
        "clips": list(coverage.clip_ids),
        "cells": coverage.partition.cells.tolist(),
        "code": code_version(*CODE),
    }
    place = source.array if source.layer is None else f"{source.array}.{source.layer}"
    return f"moments/{digest_of(rows)}/{place}.npz"


def keep_moments(objects: ObjectStore, key: str, kept: KeptMoments) -> None:
    """Keep moments; symmetric matrices as their lower triangles."""
    moments = kept.moments
    lower = np.tril_indices(len(moments.shift))
    arrays: dict[str, Any] = {
        "shift": moments.shift,
        "counts": moments.counts,
        "sums": moments.sums,
        "grams": np.stack([gram[lower] for gram in moments.grams]),
        "times": np.array(kept.times),
    }
    if kept.means is not None:
        arrays["means"] = kept.means
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    objects.create(key, [buffer.getbuffer()])


def read_moments(objects: ObjectStore, key: str) -> KeptMoments | None:
    """What was kept under a key; None where nothing was, or where it is damaged."""
    if not objects.exists(key):
        return None
    try:
        with np.load(io.BytesIO(objects.get(key)), allow_pickle=False) as arrays:
            return _decoded({name: arrays[name] for name in arrays.files})
    except (zipfile.BadZipFile, KeyError, ValueError):
        objects.delete(key)
        return None


def _decoded(arrays: dict[str, Any]) -> KeptMoments:
    width = len(arrays["shift"])
    grams = np.stack([_symmetric(packed, width) for packed in arrays["grams"]])
    moments = Moments(arrays["shift"], arrays["counts"], arrays["sums"], grams)
    return KeptMoments(moments, int(arrays["times"]), arrays.get("means"))


def _symmetric(packed: Floats, width: int) -> Floats:
    whole = np.zeros((width, width))
    whole[np.tril_indices(width)] = packed
    return whole + np.tril(whole, -1).T
