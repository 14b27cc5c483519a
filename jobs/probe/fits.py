"""One task of `undertone probe`: fits every concept on one feature matrix, and returns rows of `probes`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from analysis.concepts import Concept, Loss
from analysis.probes.scores import class_result, number_result
from jobs.fitting.threads import one_thread
from jobs.probe.plan import Features, ProbePlan
from jobs.probe.predictions import Predicted, predict_by_method, predict_by_ridge
from jobs.probe.scores import class_rows, confusion_rows, number_row, unmeasured_row
from store.opening import open_store
from store.results.fits import ConfusionRow, ProbeRow
from store.results.parts import digest_of
from store.results.table import now


@dataclass(frozen=True, slots=True)
class ProbeTask:
    """Sources of one array, to be probed with one loss."""

    sources: tuple[Features, ...]
    loss: Loss


@dataclass(frozen=True, slots=True)
class FittedSource:
    """The probes of one source."""

    source: Features
    loss: Loss
    probes: tuple[ProbeRow, ...]
    confusions: tuple[ConfusionRow, ...]
    unconverged: int = 0
    """Fits that stopped before their gradient was small."""


def fit_task(plan: ProbePlan, task: ProbeTask) -> list[FittedSource]:
    """Fit and score everything that a task asks for, on one thread."""
    with one_thread():
        return _fit_task(plan, task)


def _fit_task(plan: ProbePlan, task: ProbeTask) -> list[FittedSource]:
    store = open_store(plan.store_url)
    if task.loss == "mse":
        found: Iterable[tuple[Features, Predicted, int]] = (
            (source, predicted, 0)
            for source in task.sources
            for predicted in predict_by_ridge(plan, store, source)
        )
    else:
        found = predict_by_method(plan, task.sources, task.loss)
    gathered: dict[Features, list[tuple[list[ProbeRow], list[ConfusionRow], int]]] = {
        source: [] for source in task.sources
    }
    for source, predicted, unconverged in found:
        gathered[source].append((*_rows(plan, source, task.loss, predicted), unconverged))
    for source, parts in gathered.items():
        parts.append((_unmeasured(plan, source, task.loss), [], 0))
    return [_joined(source, task.loss, parts) for source, parts in gathered.items()]


def _joined(
    source: Features, loss: Loss, parts: list[tuple[list[ProbeRow], list[ConfusionRow], int]]
) -> FittedSource:
    probes = tuple(row for rows, _, _ in parts for row in rows)
    confusions = tuple(row for _, rows, _ in parts for row in rows)
    return FittedSource(source, loss, probes, confusions, sum(count for _, _, count in parts))


def _rows(
    plan: ProbePlan, source: Features, loss: Loss, predicted: Predicted
) -> tuple[list[ProbeRow], list[ConfusionRow]]:
    """Rows of `probes` and of `confusions` for one concept."""
    concept, coverage = predicted.concept, predicted.coverage
    probe_id = _probe_id(plan, source, loss, concept)
    fit = replace(
        _fit(plan, source, loss, concept),
        penalty=None if math.isnan(predicted.penalty) else predicted.penalty,
        folds=len(coverage.partition.tested),
        controls=plan.controls,
    )
    if concept.kind == "class":
        found = class_result(
            concept, coverage.groups, coverage.partition, predicted.labels, predicted.guesses
        )
        return class_rows(fit, concept, found), list(confusion_rows(probe_id, concept, found.scores))
    numbers = number_result(coverage.groups, coverage.partition, predicted.labels, predicted.guesses.said)
    return [number_row(fit, numbers)], []


def _unmeasured(plan: ProbePlan, source: Features, loss: Loss) -> list[ProbeRow]:
    """Rows of the concepts that the split does not let be measured: they say so, and nothing else."""
    return [
        unmeasured_row(_fit(plan, source, loss, concept), concept)
        for concept in plan.unmeasured
        if loss == "mse" or concept.kind == "class"
    ]


def _probe_id(plan: ProbePlan, source: Features, loss: Loss, concept: Concept) -> str:
    return digest_of(plan.specification(source, loss) | {"concept": concept.name})


def _fit(plan: ProbePlan, source: Features, loss: Loss, concept: Concept) -> ProbeRow:
    """What all rows of one fit have in common, whatever came of it."""
    return ProbeRow(
        probe_id=_probe_id(plan, source, loss, concept),
        run_id=plan.labels.run_id,
        site=source.site,
        reduction=source.reduction,
        layer=source.layer,
        head=source.head,
        concept=concept.name,
        loss=loss,
        labels_hash=plan.labels_hash(concept.name),
        split=plan.split,
        created_at=now(),
    )
