"""Out-of-fold predictions on stored rows: of ridge from kept moments, of others for a batch of layers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept, Loss
from analysis.linear.guesses import Guesses
from analysis.linear.ridge import DualRidge, Factors, RidgeProblem
from analysis.linear.row_blocks import HeldRows, RowBlocks, solves_by_rows
from analysis.probes.methods import ProbeMethod
from analysis.probes.out_of_fold import (
    moments_by_cell,
    problem_of_moments,
    ridge_predictions,
)
from analysis.probes.targets import Targets, labellings, ridge_targets
from jobs.fitting.rows import Rows
from jobs.probe.kept import (
    KeptMoments,
    factors_key,
    keep_factors,
    keep_moments,
    moments_key,
    read_factors,
    read_moments,
)
from jobs.probe.plan import Coverage, Features, ProbePlan
from store.errors import NotFound
from store.extensions import PROBES
from store.opening import Store


@dataclass(frozen=True, slots=True)
class Predicted:
    """What probes of one concept said of rows that they were not fitted on."""

    concept: Concept
    coverage: Coverage
    labels: NDArray[Any]
    """What was learned: true labels, then shuffled ones, (1 + controls, n)."""
    guesses: Guesses
    penalty: float
    """The median of what was chosen for the true labels."""


def predict_by_ridge(plan: ProbePlan, store: Store, source: Features) -> Iterator[Predicted]:
    """Fit every concept on a source, and predict what was held out."""
    every = None
    if not source.over_time:
        every = Rows.of_clips(
            plan.collection(source.prefix),
            source.array,
            source.layer,
            plan.labels.clip_ids,
            head=source.head,
        )
    for coverage in plan.coverages:
        targets = _targets(coverage, plan.controls, plan.seed)
        key = factors_key(moments_key(plan, coverage, source))
        factors = read_factors(store.objects, key) if len(plan.penalties) > 1 else {}
        known = len(factors)
        rows, problem = _problem(plan, store, source, coverage, targets, every, factors)
        found = ridge_predictions(problem, rows, targets, coverage.partition, plan.penalties)
        if len(factors) > known:
            keep_factors(store.objects, key, factors)
        for number, concept in enumerate(coverage.concepts):
            guesses, penalty = found.of_concept(number)
            yield Predicted(concept, coverage, targets.labellings[number], guesses, penalty)


@lru_cache(maxsize=16)
def _targets(coverage: Coverage, controls: int, seed: int) -> Targets:
    """Made once for all layers: a coverage is equal to itself alone."""
    return ridge_targets(coverage.concepts, coverage.groups, controls=controls, seed=seed)


def _problem(
    plan: ProbePlan,
    store: Store,
    source: Features,
    coverage: Coverage,
    targets: Targets,
    every: Rows | None,
    factors: Factors,
) -> tuple[RowBlocks, RidgeProblem]:
    """What to solve for a coverage, and its rows relative to what the problem was built from."""
    if every is None:
        kept = _moments_over_time(plan, store, source, coverage)
        assert kept.means is not None
        rows: RowBlocks = HeldRows(kept.means + kept.moments.shift)
    else:
        chosen = every.subset(coverage.rows)
        if solves_by_rows(chosen):
            return chosen, DualRidge(chosen.whole(), targets.columns(), coverage.partition.cells)
        rows, kept = chosen, _moments(plan, store, source, coverage, chosen)
    wanted = factors or (plan.keep_factors and len(plan.penalties) > 1)
    problem = problem_of_moments(
        rows,
        kept.moments,
        targets.columns,
        coverage.partition,
        times=kept.times,
        factors=factors if wanted else None,
    )
    return rows, problem


def _moments(plan: ProbePlan, store: Store, source: Features, coverage: Coverage, rows: Rows) -> KeptMoments:
    """Kept moments, or new ones, which are kept."""
    key = moments_key(plan, coverage, source)
    kept = read_moments(store.objects, key)
    if kept is None:
        kept = KeptMoments(moments_by_cell(rows, coverage.partition))
        keep_moments(store.objects, key, kept)
    return kept


def _moments_over_time(plan: ProbePlan, store: Store, source: Features, coverage: Coverage) -> KeptMoments:
    key = moments_key(plan, coverage, source)
    kept = read_moments(store.objects, key)
    if kept is None:
        raise NotFound(f"{store.url}/{key} is gone: run the command again.")
    return kept


def predict_by_method(
    plan: ProbePlan, sources: Sequence[Features], loss: Loss
) -> Iterator[tuple[Features, Predicted, int]]:
    """Fit every concept with classes on all sources; yields how many fits did not converge, too."""
    method = PROBES.load(loss, ProbeMethod)
    collection = plan.collection(sources[0].prefix)
    every = [
        Rows.of_clips(collection, source.array, source.layer, plan.labels.clip_ids, head=source.head)
        for source in sources
    ]
    for coverage in plan.coverages:
        rows = [one.subset(coverage.rows) for one in every]
        for concept in (concept for concept in coverage.concepts if concept.kind == "class"):
            codes = labellings(concept, coverage.groups, controls=plan.controls, seed=plan.seed)
            with PROBES.called(loss):
                fitted = method.predict(rows, codes, len(concept.classes), coverage.partition, plan.penalties)
            for place, source in enumerate(sources):
                penalty = float(np.median(fitted.penalties[place, 0]))
                predicted = Predicted(concept, coverage, codes, fitted.guesses[place], penalty)
                yield source, predicted, fitted.unconverged
