"""The plan of a probe task: labels, folds and settings, resolved once by the driver."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept, Loss
from analysis.linear import ridge
from analysis.probes import scores as probe_scores
from analysis.probes.methods import plugin_of, version_of
from analysis.splits import Partition
from jobs.fitting.digests import digest_of_parts
from jobs.fitting.labels import LabelledRows
from jobs.fitting.opened import opened
from jobs.method_versions import methods_id
from store.arrays.collection import Collection


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Concepts that label the very same rows: their probes share moments and factorisations.

    Equal only to itself, so that what follows from it is computed once and remembered.
    """

    rows: NDArray[np.intp]
    """Places among the labelled rows, (n,)."""
    clip_ids: tuple[str, ...]
    groups: NDArray[np.intp]
    """What a split must not cut through, as numbers in the order of their names, (n,)."""
    partition: Partition
    concepts: tuple[Concept, ...]


@dataclass(frozen=True, slots=True)
class Features:
    """One matrix of rows: a layer of an array of a run, or handcrafted features."""

    prefix: str
    """Key of the collection."""
    array: str
    """"<site>.<reduction>", or the kind of features."""
    layer: int | None = None
    head: int | None = None
    """Attention head whose columns alone are read."""

    @property
    def site(self) -> str:
        """Site of the run, or kind of features."""
        return self.array.split(".")[0]

    @property
    def reduction(self) -> str | None:
        """What was kept over time; None for handcrafted features."""
        return self.array.split(".")[1] if self.layer is not None else None

    @property
    def over_time(self) -> bool:
        """Whether a clip has several rows, one per frame or segment."""
        return self.reduction in ("frames", "segments")


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """All that does not differ between tasks."""

    store_url: str
    labels: LabelledRows
    coverages: tuple[Coverage, ...]
    """With the concepts that can be measured."""
    unmeasured: tuple[Concept, ...]
    """Those that the split does not let be measured: they have rows without scores."""
    split: str
    """"groups" or "official"."""
    penalties: tuple[float, ...]
    controls: int
    seed: int
    committed: Mapping[str, str]
    """Digest of the committed rows of each collection that is read, by prefix."""
    keep_factors: bool = False
    """Whether factors are kept for later concepts; decides no number."""

    def collection(self, prefix: str) -> Collection:
        """The collection below a prefix, opened once per process."""
        return opened(self.store_url, prefix, self.committed[prefix])

    def labels_hash(self, concept: str) -> str:
        """Stands for the labels of a concept, whatever else the query gave."""
        whole = next(one for one in self.labels.concepts if one.name == concept)
        return self.labels.hash_of(whole)

    def specification(self, source: Features, loss: Loss) -> dict[str, Any]:
        """All that decides the probes of one source and loss."""
        return {
            "run": self.labels.run_id,
            "labels": self.labels.labels_hash,
            "prefix": source.prefix,
            "array": source.array,
            "layer": source.layer,
            **({} if source.head is None else {"head": source.head}),
            "loss": loss,
            **plugin_of(loss),
            "cells": [cells_digest(coverage) for coverage in self.coverages],
            "strengths": list(self.penalties),  # ids of stored probes are made of this word
            "controls": self.controls,
            "seed": self.seed,
            "committed": self.committed[source.prefix],
            "code": _methods_of(loss),
        }


def _methods_of(loss: Loss) -> str:
    """Stands for all that decides the numbers of a probe of this loss."""
    version = ridge.VERSION if loss == "mse" else version_of(loss)
    return methods_id("probes", method=version, scores=probe_scores.VERSION)


@lru_cache(maxsize=16)
def cells_digest(coverage: Coverage) -> str:
    """Stands for the clips of a coverage and how they are cut into cells."""
    return digest_of_cells(coverage.clip_ids, coverage.partition)


def digest_of_cells(clip_ids: Iterable[str], partition: Partition) -> str:
    """Stands for clips and how they are cut into cells."""
    return digest_of_parts([iter(clip_ids), iter(partition.cells.tolist()), iter(list(partition.tested))])


def coverages(labels: LabelledRows, partition: Partition) -> tuple[Coverage, ...]:
    """Concepts gathered by the rows that they label."""
    gathered: dict[bytes, list[Concept]] = {}
    for concept in labels.concepts:
        gathered.setdefault(concept.labelled.tobytes(), []).append(concept)
    return tuple(_coverage(labels, partition, concepts) for concepts in gathered.values())


def _coverage(labels: LabelledRows, partition: Partition, concepts: Sequence[Concept]) -> Coverage:
    rows = np.flatnonzero(concepts[0].labelled)
    return Coverage(
        rows,
        tuple(labels.clip_ids[row] for row in rows),
        np.unique(labels.group_codes[rows], return_inverse=True)[1],
        Partition(partition.cells[rows], partition.count, partition.tested),
        tuple(concept.subset(rows) for concept in concepts),
    )
