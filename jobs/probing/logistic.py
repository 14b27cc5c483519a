"""Out-of-fold predictions of logistic probes, for the layers of one array in one batch."""

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.nested_logistic import nested_logistic
from analysis.probe_targets import labellings
from jobs.probing.plan import ProbePlan, Source
from jobs.probing.ridge import Predicted
from jobs.probing.rows import Rows


def predict_by_logistic(
    plan: ProbePlan, sources: Sequence[Source], *, one_vs_rest: bool
) -> Iterator[tuple[Source, Predicted, int]]:
    """Fit every concept with classes on all sources; yields how many fits did not converge, too."""
    collection = plan.collection(sources[0].prefix)
    whole = np.stack([Rows(collection, source, plan.labels.clip_ids).whole() for source in sources])
    for coverage in plan.coverages:
        for concept in (concept for concept in coverage.concepts if concept.kind == "class"):
            codes = labellings(concept, coverage.groups, controls=plan.controls, seed=plan.seed)
            fitted = nested_logistic(
                whole[:, coverage.rows],
                codes,
                len(concept.classes),
                coverage.partition,
                plan.strengths,
                one_vs_rest=one_vs_rest,
            )
            for place, source in enumerate(sources):
                strength = float(np.median(fitted.strengths[place, 0]))
                predicted = Predicted(concept, coverage, codes, fitted.probabilities[place], strength)
                yield source, predicted, fitted.unconverged
