"""The built-in methods of directions (diffmean, mse, logistic, leace …), each fitted fold by fold."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from analysis.directions.fits import DirectionMethod, Fit, Problem, fit_of, units
from analysis.directions.logistic import LOGISTIC_PENALTIES, logistic_paths
from analysis.directions.methods import (
    PENALTIES,
    discriminants,
    eraser_readers,
    ledoit_wolf_penalty,
    mean_variance,
    reading_vector,
    ridge_path,
    ridge_path_without_axes,
)
from analysis.directions.penalties import LeftOut, choose_penalties, left_out_pairs
from analysis.linear.contrast_moments import all_sums, class_moments
from analysis.linear.moments import Floats

PRODUCTS_BYTES = 400_000_000
"""Of second moments of classes that are held at once; more of them take another pass over the rows."""
PRODUCT_ROWS = 256
"""Rows that are waited for before they are multiplied: products of few are slow."""


def _mean_differences(problem: Problem, _penalty: float | None) -> Fit:
    return fit_of(problem, [training.differences for training in problem.trainings])


def _erased_differences(problem: Problem, _penalty: float | None) -> Fit:
    """LEACE's direction is the mean difference: of two classes the covariance with the label is along it.

    Its own is what it reads to erase, with Ledoit and Wolf's covariance, as few rows have no inverse.
    """
    everything = len(problem.trainings) - 1
    readers = eraser_readers(problem.trainings[-1], _shrinkage(problem, everything))
    return replace(_mean_differences(problem, None), readers=problem.space.embedded(readers))


def _shrinkage(problem: Problem, place: int) -> float:
    return ledoit_wolf_penalty(problem.trainings[place], len(problem.space.mean))


def _mass_means(problem: Problem, _penalty: float | None) -> Fit:
    shrinkages = [_shrinkage(problem, place) for place in range(len(problem.trainings))]
    weights = [discriminants(*pair) for pair in zip(problem.trainings, shrinkages, strict=True)]
    penalty = shrinkages[-1] / mean_variance(problem.trainings[-1].eigenvalues)
    return fit_of(problem, weights, np.full(problem.targets.shape[1], penalty))


def _reading_vectors(problem: Problem, _penalty: float | None) -> Fit:
    contrasts, axes = problem.targets.shape[1], problem.space.axes
    weights = np.zeros((len(problem.trainings), contrasts, axes))
    step = max(1, PRODUCTS_BYTES // (8 * axes**2 * len(problem.sums)))
    for first in range(0, contrasts, step):
        chosen = range(first, min(first + step, contrasts))
        for contrast, products in zip(chosen, _products_of_positives(problem, chosen), strict=True):
            everything = products.sum(axis=0)
            for place, training in enumerate(problem.trainings):
                own = everything - products[place] if place < len(products) else everything
                weights[place, contrast] = reading_vector(training, contrast, own)
    return fit_of(problem, list(weights))


def _products_of_positives(problem: Problem, contrasts: Sequence[int]) -> list[Floats]:
    """Sum of x xᵀ over the positive rows of each fold, (F, r, r) for each contrast; a pass over the rows."""
    folds, axes = len(problem.sums), problem.space.axes
    found = [np.zeros((folds, axes, axes)) for _ in contrasts]
    waiting: dict[tuple[int, int], list[Floats]] = {}
    for rows, block in problem.space.blocks():
        for place, contrast in enumerate(contrasts):
            positive = problem.targets[rows, contrast]
            for fold in range(folds):
                held = waiting.setdefault((place, fold), [])
                held.append(block[positive & (problem.folds[rows] == fold)])
                if sum(map(len, held)) >= PRODUCT_ROWS:
                    _add_products(found[place][fold], waiting.pop((place, fold)))
    for (place, fold), held in waiting.items():
        _add_products(found[place][fold], held)
    return found


def _add_products(total: Floats, parts: Sequence[Floats]) -> None:
    rows = np.concatenate(parts)
    total += rows.T @ rows


def _random_vectors(problem: Problem, _penalty: float | None) -> Fit:
    """A unit vector in D per contrast, the same for the same seed and whatever the rows are."""
    width = len(problem.space.mean)
    draws = [np.random.default_rng(seed).standard_normal(width) for seed in problem.seeds]
    vectors = units(np.stack(draws))
    seen = problem.space.reduced(vectors)
    return Fit(vectors, np.stack([seen] * (len(problem.trainings) - 1)))


def _ridge(problem: Problem, penalty: float | None) -> Fit:
    penalties: Floats = PENALTIES if penalty is None else np.array([penalty])
    paths = {
        out: ridge_path(training, penalties)
        for out, training in zip(_held_out(problem), problem.trainings, strict=True)
    }
    for pair in left_out_pairs(problem.folds) if penalty is None else ():
        kept = [sums for fold, sums in enumerate(problem.sums) if fold not in pair]
        paths[pair] = ridge_path_without_axes(class_moments(all_sums(kept)), penalties)
    return _best_of(problem, paths, penalties)


def _logistic(problem: Problem, penalty: float | None) -> Fit:
    everything = problem.trainings[-1]
    unit = mean_variance(everything.eigenvalues) / everything.rows
    penalties: Floats = LOGISTIC_PENALTIES if penalty is None else np.array([penalty])
    left_out = [*_held_out(problem), *(left_out_pairs(problem.folds) if penalty is None else ())]
    paths = logistic_paths(problem, left_out, unit, penalties)
    return _best_of(problem, dict(zip(left_out, paths, strict=True)), penalties)


def _best_of(problem: Problem, paths: Mapping[LeftOut, Floats], penalties: Floats) -> Fit:
    """The penalty whose directions do best on held-out folds, chosen anew for each fold that is projected."""
    held_out = _held_out(problem)
    choices = choose_penalties(problem.sums, paths, held_out)
    contrasts = np.arange(problem.targets.shape[1])
    weights = [paths[out][choice, contrasts] for out, choice in zip(held_out, choices, strict=True)]
    return fit_of(problem, weights, penalties[choices[-1]])


def _held_out(problem: Problem) -> list[LeftOut]:
    """Each fold, then none: as `problem.trainings`."""
    return [*(frozenset({fold}) for fold in range(len(problem.sums))), frozenset()]


MSE = DirectionMethod(_ridge, has_penalty=True)
LOGISTIC = DirectionMethod(_logistic, has_penalty=True, version=2)
DIFFMEAN = DirectionMethod(_mean_differences)
MASS_MEAN = DirectionMethod(_mass_means)
PCA = DirectionMethod(_reading_vectors)
LEACE = DirectionMethod(_erased_differences)
RANDOM = DirectionMethod(_random_vectors)
