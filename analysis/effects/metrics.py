"""Metrics of steering, each a function of generations and their unsteered twins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.effects.audio_distances import ReferenceSet, paired_kernel_distance, reference_distance
from analysis.effects.paired_intervals import (
    ANY_NUMBER,
    Bounds,
    Contributions,
    Estimate,
    Mask,
    Score,
    crossed_interval,
    linearised,
)
from analysis.effects.scores import ScoreKey, Scores
from analysis.effects.settings import Pair
from analysis.effects.trials import Ids

Floats = NDArray[np.floating[Any]]


def transfer_score(means: Floats) -> Floats:
    """ΔP(target): mean P(target | steered) minus mean P(target | twin), from the means (2, …) of the two."""
    return np.asarray(means[0] - means[1])


def retention_score(means: Floats) -> Floats:
    """P(source | steered) / P(source | twin), as a ratio of the means (2, …)."""
    return np.asarray(means[0] / means[1])


def fusion_of(first: Floats, second: Floats) -> Floats:
    """Harmonic mean of two probabilities after both were divided by their sum: 0.5 for both alike, 0 for one.

    NaN where both are 0.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = first / (first + second)
    return np.asarray(2 * share * (1 - share))


def balance_of(first: Floats, second: Floats) -> Floats:
    """(p₁ + p₂) · (1 − |p₁ − p₂|): fusion that also asks for both to be probable at all; 1 at the most."""
    return np.asarray((first + second) * (1 - np.abs(first - second)))


def mean_score(means: Floats) -> Floats:
    """The mean (1, …) itself."""
    return np.asarray(means[0])


Statistics = Callable[[Ids, Ids], Floats]
"""Generations and their twins → the numbers (m, P, S) that a score needs the means of."""

MOVEMENT = ("spectral_flux_db", "mel_variation_db", "spectral_flatness")
"""Descriptors that stand beside every transfer as they are, and not as a change alone."""
SHARE: Bounds = (0.0, 1.0)
DIFFERENCE: Bounds = (-1.0, 1.0)
COSINES: Bounds = (-2.0, 2.0)
"""What a difference of two cosines can be."""
AT_LEAST_0: Bounds = (0.0, np.inf)

METRICS = (
    "target_probability",
    "source_probability",
    "transfer",
    "retention",
    "fusion",
    "balance",
    "alignment",
    "change",
    "level",
    "similarity",
    "fad",
    "kad",
    "kad_clips",
)
"""What each is stands in the comment of the column `metric` of the view `effects`."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number per setting."""

    scorer: str
    name: str
    known: Callable[[Ids, Ids], Mask]
    """Which conditions can be measured, from generations and twins (P, S)."""
    contributions: Callable[[Ids, Ids, Mask], Contributions]
    """What those of a mask add to the number."""
    bounds: Bounds
    """What the number can be."""
    measured_concept: str | None = None
    measured_class: str | None = None

    def estimate(
        self, ids: Ids, twins: Ids, known: Mask | None = None, witnesses: Sequence[str] | None = None
    ) -> Estimate:
        """The number with its interval, over these conditions or all that can be measured."""
        mask = self.known(ids, twins) if known is None else known
        return crossed_interval(self.contributions(ids, twins, mask), units=witnesses, bounds=self.bounds)


def metrics_of(pair: Pair, scores: Scores) -> list[Metric]:
    """Every metric of a pair that the scores allow."""
    scorers = sorted({scorer for scorer, _, _, measure in scores.numbers if measure == "probability"})
    found = [metric for scorer in scorers for metric in _of_probabilities(pair, scorer, scores)]
    found += [metric for scorer in scorers for metric in _changes(scorer, scores)]
    found += _alignments(pair, scores)
    found += [
        _mean_metric(
            "descriptors", "change", partial(_described, scores, key), ANY_NUMBER, measured_class=key[3]
        )
        for key in sorted(scores.numbers)
        if key[0] == "descriptors"
    ]
    found += [
        _mean_metric("descriptors", "level", partial(_level, scores, key), ANY_NUMBER, measured_class=key[3])
        for key in sorted(scores.numbers)
        if key[0] == "descriptors" and key[3] in MOVEMENT
    ]
    measures = sorted({measure for found in scores.similarities.values() for measure in found})
    found += [
        _mean_metric(measure, "similarity", partial(_similar, scores, measure), DIFFERENCE)
        for measure in measures
    ]
    return found if scores.embeddings is None else found + _of_embeddings(pair, scores)


def _of_embeddings(pair: Pair, scores: Scores) -> list[Metric]:
    embedded = partial(_both_embedded, scores)
    found = [
        _mean_metric("clap", "similarity", partial(_embedded_cosine, scores), DIFFERENCE),
        Metric("clap", "kad", embedded, partial(_kernel_distance, scores), ANY_NUMBER),
    ]
    if pair.concept in scores.references:
        distance = partial(_distance_to_clips, scores, scores.references[pair.concept])
        found.append(Metric("clap", "kad_clips", embedded, distance, ANY_NUMBER))
    return found


def _of_probabilities(pair: Pair, scorer: str, scores: Scores) -> list[Metric]:
    source = (scorer, pair.concept, pair.source, "probability")
    targets = tuple((scorer, pair.concept, target, "probability") for target in pair.targets)
    if any(key not in scores.numbers for key in (source, *targets)):
        return []
    first, second = (source, targets[0]) if len(targets) == 1 else (targets[0], targets[1])
    target, kept = partial(_beside_twin, scores, targets), partial(_beside_twin, scores, (source,))
    return [
        _mean_metric(scorer, "target_probability", partial(_summed, scores, targets), SHARE),
        _mean_metric(scorer, "source_probability", partial(_summed, scores, (source,)), SHARE),
        _metric(scorer, "transfer", target, transfer_score, DIFFERENCE),
        _metric(scorer, "retention", kept, retention_score, AT_LEAST_0),
        _mean_metric(scorer, "fusion", partial(_mixed, scores, fusion_of, first, second), SHARE),
        _mean_metric(scorer, "balance", partial(_mixed, scores, balance_of, first, second), SHARE),
    ]


def _changes(scorer: str, scores: Scores) -> list[Metric]:
    """Of every class of every concept: what else steering changes."""
    return [
        _mean_metric(
            scorer,
            "change",
            partial(_changed, scores, (key,)),
            DIFFERENCE,
            measured_concept=key[1],
            measured_class=key[2],
        )
        for key in sorted(scores.numbers)
        if key[0] == scorer and key[3] == "probability"
    ]


def _alignments(pair: Pair, scores: Scores) -> list[Metric]:
    keys = tuple(("clap", pair.concept, target, "cosine") for target in pair.targets)
    if any(key not in scores.numbers for key in keys):
        return []
    return [_mean_metric("clap", "alignment", partial(_changed, scores, keys), COSINES)]


def _metric(
    scorer: str, name: str, statistics: Statistics, score: Score, bounds: Bounds, **measured: str
) -> Metric:
    def known(ids: Ids, twins: Ids) -> Mask:
        return np.asarray(np.isfinite(statistics(ids, twins)).all(axis=0))

    def contributions(ids: Ids, twins: Ids, mask: Mask) -> Contributions:
        return linearised(statistics(ids, twins), score, mask)

    return Metric(scorer, name, known, contributions, bounds, **measured)


def _mean_metric(scorer: str, name: str, values: Statistics, bounds: Bounds, **measured: str) -> Metric:
    return _metric(scorer, name, values, mean_score, bounds, **measured)


def _sum(scores: Scores, keys: Sequence[tuple[str, str, str, str]], ids: Ids) -> Floats:
    return np.asarray(np.sum([scores.of(key, ids) for key in keys], axis=0))


def _summed(scores: Scores, keys: Sequence[Any], ids: Ids, _: Ids) -> Floats:
    return _sum(scores, keys, ids)[np.newaxis]


def _beside_twin(scores: Scores, keys: Sequence[Any], ids: Ids, twins: Ids) -> Floats:
    return np.stack([_sum(scores, keys, ids), _sum(scores, keys, twins)])


def _changed(scores: Scores, keys: Sequence[Any], ids: Ids, twins: Ids) -> Floats:
    return (_sum(scores, keys, ids) - _sum(scores, keys, twins))[np.newaxis]


def _level(scores: Scores, key: ScoreKey, ids: Ids, _: Ids) -> Floats:
    return scores.of(key, ids)[np.newaxis]


def _described(scores: Scores, key: ScoreKey, ids: Ids, twins: Ids) -> Floats:
    """How far a descriptor has moved; pitch classes the short way round the circle."""
    moved = _changed(scores, (key,), ids, twins)
    return (moved + 6) % 12 - 6 if key[3] == "pitch_class" else moved


def _mixed(
    scores: Scores, mix: Callable[[Floats, Floats], Floats], first: Any, second: Any, ids: Ids, _: Ids
) -> Floats:
    return mix(scores.of(first, ids), scores.of(second, ids))[np.newaxis]


def _similar(scores: Scores, measure: str, ids: Ids, twins: Ids) -> Floats:
    return scores.similar(measure, ids, twins)[np.newaxis]


def _embedded(scores: Scores, ids: Ids) -> Floats:
    found = scores.embedded(ids)
    assert found is not None
    return found


def _embedded_cosine(scores: Scores, ids: Ids, twins: Ids) -> Floats:
    products = _embedded(scores, ids) * _embedded(scores, twins)
    return np.asarray(products.sum(axis=-1))[np.newaxis]


def _both_embedded(scores: Scores, ids: Ids, twins: Ids) -> Mask:
    both = _embedded(scores, ids) + _embedded(scores, twins)
    return np.asarray(np.isfinite(both).all(axis=-1))


def _kernel_distance(scores: Scores, ids: Ids, twins: Ids, known: Mask) -> Contributions:
    sounds, others = _embedded(scores, ids)[known], _embedded(scores, twins)[known]
    return _placed(paired_kernel_distance(sounds, others), known)


def _distance_to_clips(
    scores: Scores, reference: ReferenceSet, ids: Ids, _: Ids, known: Mask
) -> Contributions:
    found = reference_distance(_embedded(scores, ids)[known], reference)
    return _placed(None, known) if found is None else _placed(found[0], known, found[1])


def _placed(found: Floats | None, known: Mask, reference: Floats | None = None) -> Contributions:
    """Contributions of the known conditions (n,) in their places."""
    values = np.full(known.shape, np.nan)
    if found is not None:
        values[known] = found
    return Contributions(values, reference)
