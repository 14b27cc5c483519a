"""One task of `undertone probe`: fits every concept on one feature matrix, and returns rows of `probes`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.concepts import Concept, Loss
from analysis.probes.scores import class_result, number_result
from jobs.fitting.threads import one_thread
from jobs.probe.plan import ProbePlan, Source
from jobs.probe.predictions import Predicted, predict_by_method, predict_by_ridge
from jobs.probe.scores import Row, class_rows, confusion_rows, number_row, unmeasured_row
from store.opening import open_store
from store.results.parts import digest_of
from store.results.table import now


@dataclass(frozen=True, slots=True)
class ProbeTask:
    """Sources of one array, to be probed with one loss."""

    sources: tuple[Source, ...]
    loss: Loss


@dataclass(frozen=True, slots=True)
class FittedSource:
    """The probes of one source."""

    source: Source
    loss: Loss
    probes: tuple[Row, ...]
    confusions: tuple[Row, ...]
    unconverged: int = 0
    """Fits that stopped before their gradient was small."""


def fit_task(plan: ProbePlan, task: ProbeTask) -> list[FittedSource]:
    """Fit and score everything that a task asks for, on one thread."""
    with one_thread():
        return _fit_task(plan, task)


def _fit_task(plan: ProbePlan, task: ProbeTask) -> list[FittedSource]:
    store = open_store(plan.store_url)
    if task.loss == "mse":
        found: Iterable[tuple[Source, Predicted, int]] = (
            (source, predicted, 0)
            for source in task.sources
            for predicted in predict_by_ridge(plan, store, source)
        )
    else:
        found = predict_by_method(plan, task.sources, task.loss)
    gathered: dict[Source, list[tuple[list[Row], list[Row], int]]] = {source: [] for source in task.sources}
    for source, predicted, unconverged in found:
        gathered[source].append((*_rows(plan, source, task.loss, predicted), unconverged))
    for source, parts in gathered.items():
        parts.append((_unmeasured(plan, source, task.loss), [], 0))
    return [_joined(source, task.loss, parts) for source, parts in gathered.items()]


def _joined(source: Source, loss: Loss, parts: list[tuple[list[Row], list[Row], int]]) -> FittedSource:
    probes = tuple(row for rows, _, _ in parts for row in rows)
    confusions = tuple(row for _, rows, _ in parts for row in rows)
    return FittedSource(source, loss, probes, confusions, sum(count for _, _, count in parts))


def _rows(plan: ProbePlan, source: Source, loss: Loss, predicted: Predicted) -> tuple[list[Row], list[Row]]:
    """Rows of `probes` and of `confusions` for one concept."""
    concept, coverage = predicted.concept, predicted.coverage
    if concept.kind == "class":
        found = class_result(
            concept, coverage.groups, coverage.partition, predicted.labels, predicted.guesses
        )
        scored = class_rows(concept, found)
        confusions = list(confusion_rows(concept, found.scores))
    else:
        numbers = number_result(coverage.groups, coverage.partition, predicted.labels, predicted.guesses.said)
        scored = [number_row(concept, numbers)]
        confusions = []
    common = _common(plan, source, loss, concept) | {
        "penalty": None if math.isnan(predicted.penalty) else predicted.penalty,
        "folds": len(coverage.partition.tested),
        "controls": plan.controls,
    }
    return [common | row for row in scored], [{"probe_id": common["probe_id"]} | row for row in confusions]


def _unmeasured(plan: ProbePlan, source: Source, loss: Loss) -> list[Row]:
    """Rows of the concepts that the split does not let be measured: they say so, and nothing else."""
    return [
        _common(plan, source, loss, concept) | unmeasured_row(concept)
        for concept in plan.unmeasured
        if loss == "mse" or concept.kind == "class"
    ]


def _common(plan: ProbePlan, source: Source, loss: Loss, concept: Concept) -> Row:
    return {
        "probe_id": digest_of(plan.specification(source, loss) | {"concept": concept.name}),
        "run_id": plan.labels.run_id,
        "site": source.site,
        "reduction": source.reduction,
        "layer": source.layer,
        "concept": concept.name,
        "loss": loss,
        "labels_hash": plan.labels_hash(concept.name),
        "split": plan.split,
        "created_at": now(),
    }
