"""Choice of a direction's penalty on held-out rows, nested for every outer fold.

Nested cross-validation: the penalty of the direction that a fold is projected on comes from fits that saw
neither that fold nor the one they were scored on. Otherwise its rows would have a say in how they are told
apart.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from analysis.linear.contrast_moments import Folds, Masks, Sums
from analysis.linear.moments import Floats

LeftOut = frozenset[int]
"""Folds that a fit has not seen; empty for the fit of all rows."""


def left_out_pairs(folds: Folds) -> list[LeftOut]:
    """Two folds at a time, where a third one is left to fit."""
    present = np.unique(folds).tolist()
    return [frozenset(pair) for pair in combinations(present, 2)] if len(present) > 2 else []


def choose_penalties(
    sums: Sequence[Sums], paths: Mapping[LeftOut, Floats], held_out: Sequence[LeftOut]
) -> list[NDArray[np.intp]]:
    """Place of the penalty of each contrast, (M,), for each set of folds that is held out of the choice.

    With two folds nothing is left to choose on once one is held out: then the strongest penalty is taken.

    Args:
        sums: of each fold's rows.
        paths: weights (S, M, r), penalties ascending, by the folds that they were fitted without.
        held_out: one fold each, or none for the direction of all rows.
    """
    return [_choice(sums, paths, out) for out in held_out]


def _choice(sums: Sequence[Sums], paths: Mapping[LeftOut, Floats], held_out: LeftOut) -> NDArray[np.intp]:
    penalties, contrasts, _ = paths[held_out].shape
    scores = [np.full((penalties, contrasts), np.nan)]
    for fold, scored in enumerate(sums):
        left_out = held_out | {fold}
        if fold in held_out or left_out not in paths or not scored.rows:
            continue
        kept = [own for place, own in enumerate(sums) if place not in left_out]
        positives, rows = sum(own.positives for own in kept), sum(own.rows for own in kept)
        has_both = np.asarray((positives > 0) & (positives < rows))
        scores.append(_correlations(scored, paths[left_out], has_both))
    return _strongest_good(np.stack(scores))


def _correlations(scored: Sums, weights: Floats, usable: Masks) -> Floats:
    """Of projections with labels, (S, M), from the sums of the rows that are scored.

    The length of a direction does not matter; NaN where not usable.
    """
    mean = scored.total / scored.rows
    scatter = scored.products - scored.rows * np.outer(mean, mean)
    shares = scored.positives / scored.rows
    of_labels = np.sqrt(scored.rows * shares * (1 - shares))
    spread = np.einsum("smr,smr->sm", weights @ scatter, weights)
    products = np.einsum("smr,mr->sm", weights, scored.positive_total - np.outer(scored.positives, mean))
    lengths = np.sqrt(np.maximum(spread, 0.0)) * of_labels
    known = (lengths > 0) & usable
    return np.asarray(np.divide(products, lengths, out=np.full(lengths.shape, np.nan), where=known))


def _strongest_good(scores: Floats) -> NDArray[np.intp]:
    """Place of the strongest penalty within one standard error of the best, (M,), from scores (F, S, M).

    The rule of Breiman et al. (1984): where folds cannot tell penalties apart, the simpler model. Weak
    penalties predict as well as strong ones and steer worse.
    """
    counts = np.maximum((~np.isnan(scores)).sum(axis=0), 1)
    mean = np.nansum(scores, axis=0) / counts
    error = np.sqrt(np.nansum((scores - mean) ** 2, axis=0) / np.maximum(counts - 1, 1) / counts)
    best = mean.argmax(axis=0)
    contrasts = np.arange(scores.shape[2])
    good = mean >= (mean - error)[best, contrasts]
    return np.asarray(len(mean) - 1 - good[::-1].argmax(axis=0))
