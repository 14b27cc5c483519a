"""Out-of-fold predictions of probes of classes, for the layers of one array in one batch."""

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.concepts import Loss
from analysis.probes.methods import ProbeMethod
from analysis.probes.targets import labellings
from jobs.probe.plan import ProbePlan, Source
from jobs.probe.ridge import Predicted
from jobs.probe.rows import Rows
from store.extensions import PROBES


def predict_by_method(
    plan: ProbePlan, sources: Sequence[Source], loss: Loss
) -> Iterator[tuple[Source, Predicted, int]]:
    """Fit every concept with classes on all sources; yields how many fits did not converge, too."""
    method = PROBES.load(loss, ProbeMethod)
    collection = plan.collection(sources[0].prefix)
    whole = np.stack([Rows(collection, source, plan.labels.clip_ids).whole() for source in sources])
    for coverage in plan.coverages:
        for concept in (concept for concept in coverage.concepts if concept.kind == "class"):
            codes = labellings(concept, coverage.groups, controls=plan.controls, seed=plan.seed)
            rows = whole[:, coverage.rows]
            with PROBES.called(loss):
                fitted = method.predict(rows, codes, len(concept.classes), coverage.partition, plan.strengths)
            for place, source in enumerate(sources):
                strength = float(np.median(fitted.strengths[place, 0]))
                predicted = Predicted(concept, coverage, codes, fitted.probabilities[place], strength)
                yield source, predicted, fitted.unconverged
