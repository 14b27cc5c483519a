"""Out-of-fold predictions of ridge probes of each concept on one source: a pass for moments, one to score."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.moments import BlockSum, Floats, moments_of
from analysis.ridge import (
    DualRidge,
    Factors,
    PrimalRidge,
    RidgeProblem,
    TargetMoments,
    added_targets,
    target_moments,
)
from analysis.strengths import nested_ridge
from jobs.fitting.labels import Concept
from jobs.probing.kept_factors import factors_key, keep_factors, read_factors
from jobs.probing.kept_moments import KeptMoments, keep_moments, moments_key, read_moments
from jobs.probing.plan import Coverage, ProbePlan, Source
from jobs.probing.rows import MeanRows, Rows
from jobs.probing.targets import Targets, ridge_targets
from store.errors import NotFound
from store.opening import Store


@dataclass(frozen=True, slots=True)
class Predicted:
    """What probes of one concept said of rows that they were not fitted on."""

    concept: Concept
    coverage: Coverage
    labels: NDArray[Any]
    """What was learned: true labels, then shuffled ones, (1 + controls, n)."""
    predictions: Floats
    """(1 + controls, n, C), C = 1 for numbers; NaN where a row was not tested."""
    strength: float
    """The median of what was chosen for the true labels."""


def predict_by_ridge(plan: ProbePlan, store: Store, source: Source) -> Iterator[Predicted]:
    """Fit every concept on a source, and predict what was held out."""
    every = None
    if not source.over_time:
        every = Rows(plan.collection(source.prefix), source, plan.labels.clip_ids)
    for coverage in plan.coverages:
        targets = ridge_targets(coverage, controls=plan.controls, seed=plan.seed)
        key = factors_key(moments_key(plan, coverage, source))
        factors = read_factors(store.objects, key) if len(plan.strengths) > 1 else {}
        known = len(factors)
        rows, problem = _problem(plan, store, source, coverage, targets, every, factors)
        nested = nested_ridge(problem, coverage.partition, targets.sharing, plan.strengths)
        if len(factors) > known:
            keep_factors(store.objects, key, factors)
        cells = coverage.partition.cells
        predictions = np.concatenate([nested.predict(block, cells[place]) for place, block in rows.blocks()])
        for number, concept in enumerate(coverage.concepts):
            strength = float(np.median(targets.of_concept(number, nested.strengths)[0]))
            guesses = targets.of_concept(number, predictions)
            yield Predicted(concept, coverage, targets.labellings[number], guesses, strength)


def _problem(
    plan: ProbePlan,
    store: Store,
    source: Source,
    coverage: Coverage,
    targets: Targets,
    every: Rows | None,
    factors: Factors,
) -> tuple[Rows, RidgeProblem]:
    """What to solve for a coverage, and its rows relative to what the problem was built from."""
    cells, count = coverage.partition.cells, coverage.partition.count
    if every is None:
        kept = _moments_over_time(plan, store, source, coverage)
        assert kept.means is not None
        rows: Rows = MeanRows(kept.means + kept.moments.shift)
    else:
        rows = every.subset(coverage.rows)
        if len(rows) <= rows.width:
            return rows, DualRidge(rows.whole(), targets.columns, cells)
        kept = _moments(plan, store, source, coverage, rows)
    moments = kept.moments
    total: TargetMoments | None = None
    for place, block in rows.blocks():
        part = target_moments(
            block, targets.columns[place], cells[place], count, moments.shift, times=kept.times
        )
        total = part if total is None else added_targets(total, part)
    assert total is not None
    wanted = factors or (plan.keep_factors and len(plan.strengths) > 1)
    return rows, PrimalRidge(moments, total, factors=factors if wanted else None)


def _moments(plan: ProbePlan, store: Store, source: Source, coverage: Coverage, rows: Rows) -> KeptMoments:
    """Kept moments, or new ones, which are kept."""
    key = moments_key(plan, coverage, source)
    kept = read_moments(store.objects, key)
    if kept is not None:
        return kept
    total = BlockSum()
    shift: Floats | None = None
    for number, (place, block) in enumerate(rows.blocks()):
        shift = block.mean(axis=0, dtype=np.float64) if shift is None else shift
        cells = coverage.partition.cells[place]
        total.add(number, moments_of(block, cells, coverage.partition.count, shift))
    assert total.total is not None
    kept = KeptMoments(total.total)
    keep_moments(store.objects, key, kept)
    return kept


def _moments_over_time(plan: ProbePlan, store: Store, source: Source, coverage: Coverage) -> KeptMoments:
    key = moments_key(plan, coverage, source)
    kept = read_moments(store.objects, key)
    if kept is None:
        raise NotFound(f"{store.url}/{key} is gone: run the command again.")
    return kept
