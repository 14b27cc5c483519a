"""Random directions as a control: the score that a direction must exceed.

Chance is not enough to beat. Activations have few strong axes, and where one of them separates the classes,
every direction leans on it: a random one then tells them apart as well.
"""

import numpy as np

from analysis.linear.contrast_moments import Masks
from analysis.linear.row_space import Floats, RowSpace

DIRECTIONS = 200
QUANTILE = 0.95
SEED = 0


def random_scores(space: RowSpace, targets: Masks) -> Floats:
    """ROC-AUC that 95 of 100 random directions stay within, whichever way they point, (M,).

    Nothing is fitted, so that all rows can be projected. NaN where a class has no row.

    Args:
        space: rows in the coordinates of their space.
        targets: which rows are positive, (N, M).
    """
    from scipy.stats import rankdata

    directions = np.random.default_rng(SEED).standard_normal((DIRECTIONS, len(space.mean)))
    ranks = rankdata(space.reduced(directions) @ space.coordinates.T, axis=1)
    positives = targets.sum(axis=0)
    pairs = positives * (len(targets) - positives)
    above = ranks @ targets.astype(np.float64) - positives * (positives + 1) / 2
    scores = np.divide(above, pairs, out=np.full(above.shape, np.nan), where=pairs > 0)
    return np.asarray(np.quantile(np.maximum(scores, 1 - scores), QUANTILE, axis=0))
