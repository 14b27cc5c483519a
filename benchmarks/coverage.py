"""Coverage of the 95 % intervals of held-out scores, and their width, beside a bootstrap.

The truth is the mean, over samples of groups, of what the fitted models score on groups that nobody has seen.
"hits": clips are right or wrong by a beta-binomial law, and nothing is fitted. "probe", "numbers" and
"direction": Gaussian activations of songs, fitted with five folds of songs; what the fits score is exact.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from analysis.directions.separation import separation
from analysis.group_intervals import interval_of, r2_belief, share_belief
from analysis.metrics import r2_of_sums, r2_statistics

Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats]

FOLDS = 5
TRAINING = 1 + FOLDS / (FOLDS - 1)
RESAMPLES = 300
BY_CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class Songs:
    """A world of songs: how many are labelled, how many clips each has, and how plain the label is."""

    songs: int
    clips: int
    width: int
    plainness: float
    """Distance of a class from the middle, in deviations of a clip."""
    alike: float
    """Share of the variance that the clips of a song have in common."""
    penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """What simulations of one setting gave."""

    name: str
    truth: float
    held: float
    """Share of the intervals that hold the truth."""
    width: float
    bootstrap_held: float
    bootstrap_width: float


WORLDS = (
    Songs(10, 4, 32, 1.0, 0.5),
    Songs(10, 10, 32, 0.2, 0.8),
    Songs(20, 1, 64, 0.5, 0.0),
    Songs(20, 4, 64, 0.8, 0.5),
    Songs(20, 4, 64, 3.0, 0.5),
    Songs(40, 4, 64, 0.6, 0.5),
    Songs(40, 4, 128, 0.3, 0.5),
    Songs(40, 4, 16, 2.4, 0.5, 0.1),
    Songs(80, 4, 128, 0.5, 0.5),
    Songs(80, 4, 128, 0.0, 0.5),
    Songs(160, 1, 128, 0.5, 0.0),
    Songs(160, 1, 128, 3.0, 0.0, 0.1),
    Songs(160, 4, 128, 1.2, 0.5, 0.1),
    Songs(160, 4, 16, 1.0, 0.5, 0.1),
    Songs(160, 4, 16, 2.3, 0.5, 0.1),
)


def hits(groups: int, clips: int | str, accuracy: float, alike: float, draws: int, seed: int) -> Interval:
    """Right clips and clips of each group, (G, draws) and (G, 1); "mixed" groups have 1 to 10."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 11, groups) if clips == "mixed" else np.full(groups, int(clips))
    own = np.full((groups, draws), accuracy)
    if alike > 0 and 0 < accuracy < 1:
        weight = 1 / alike - 1
        own = random.beta(accuracy * weight, (1 - accuracy) * weight, (groups, draws))
    return random.binomial(sizes[:, None], own).astype(np.float64), sizes[:, None].astype(np.float64)


def of_hits(draws: int) -> Iterator[Found]:
    """Coverage without fitting: groups of every size, accuracies up to the ceiling."""
    sizes: tuple[int | str, ...] = (1, 3, 10, "mixed")
    law = product((10, 20, 40, 80, 160), sizes, (0.3, 0.5, 0.7, 0.9, 0.99, 1.0), (0.0, 0.2, 0.5, 0.8))
    for seed, (groups, clips, accuracy, alike) in enumerate(law):
        if alike and (clips == 1 or accuracy == 1):
            continue
        right, counted = hits(groups, clips, accuracy, alike, draws, seed)
        rows = np.stack([right, np.broadcast_to(counted, right.shape)], axis=1)
        found = interval_of([share_belief(np.arange(groups), rows, training=TRAINING)])
        name = f"hits {groups} × {clips}, accuracy {accuracy}, alike {alike}"
        yield _found(name, np.full(draws, accuracy), found, _bootstrap(rows, lambda sums: sums[0] / sums[1]))


def of_fits(draws: int) -> Iterator[Found]:
    """Coverage with fitting: probes of classes and of numbers, and directions."""
    for seed, world in enumerate(WORLDS):
        said = f"{world.songs} × {world.clips}, width {world.width}, plainness {world.plainness}"
        yield _of_probe(f"probe {said}", world, draws, seed)
        yield _of_numbers(f"numbers {said}", world, draws, seed)
        yield _of_direction(f"direction {said}", world, draws, seed)


def _of_probe(name: str, world: Songs, draws: int, seed: int) -> Found:
    random = np.random.default_rng(seed)
    rows, truths = [], []
    for _ in range(draws):
        labels = np.where(random.permutation(world.songs) % 2, 1.0, -1.0)
        scores, weights = _cross_validated(world, labels, random)
        right = scores * labels[:, None] > 0
        rows.append(np.stack([right.sum(axis=1), np.full(world.songs, world.clips)], axis=1))
        truths.append(np.mean([_accuracy(weight, offset, world) for weight, offset in weights]))
    stacked = np.stack(rows, axis=-1).astype(np.float64)
    found = interval_of([share_belief(np.arange(world.songs), stacked, training=TRAINING)])
    return _found(name, np.array(truths), found, _bootstrap(stacked, lambda sums: sums[0] / sums[1]))


def _of_numbers(name: str, world: Songs, draws: int, seed: int) -> Found:
    random = np.random.default_rng(seed)
    totals, truths, ends = [], [], []
    for _ in range(draws):
        values = random.standard_normal(world.songs)
        scores, weights = _cross_validated(world, values, random)
        every = np.repeat(values, world.clips)
        statistics = r2_statistics(every, scores.ravel())
        songs = np.repeat(np.arange(world.songs), world.clips)
        ends.append(interval_of([r2_belief(songs, statistics, training=TRAINING)]))
        totals.append(statistics.reshape(world.songs, world.clips, 4).sum(axis=1))
        truths.append(np.mean([_explained(weight, offset, world) for weight, offset in weights]))
    low, high = (np.array(side) for side in zip(*ends, strict=True))
    return _found(name, np.array(truths), (low, high), _bootstrap(np.stack(totals, axis=-1), r2_of_sums))


def _of_direction(name: str, world: Songs, draws: int, seed: int) -> Found:
    random = np.random.default_rng(seed)
    songs = np.repeat(np.arange(world.songs), world.clips)
    truths, ends = [], []
    for _ in range(draws):
        labels = np.where(random.permutation(world.songs) % 2, 1.0, -1.0)
        scores, weights = _cross_validated(world, labels, random, mean_difference=True)
        positive = np.repeat(labels > 0, world.clips)
        found = separation(scores.ravel(), positive, groups=songs, training=TRAINING)
        assert found is not None
        ends.append((found.score_low, found.score_high))
        truths.append(np.mean([_auc(weight, world) for weight, _ in weights]))
    low, high = (np.array(side) for side in zip(*ends, strict=True))
    nothing = np.full(len(low), np.nan)
    return _found(name, np.array(truths), (low, high), (nothing, nothing))


def _cross_validated(
    world: Songs, labels: Floats, random: np.random.Generator, *, mean_difference: bool = False
) -> tuple[Floats, list[tuple[Floats, float]]]:
    """Held-out scores (songs, clips), and the weights and offset of every fold's fit."""
    common = random.standard_normal((world.songs, 1, world.width)) * np.sqrt(world.alike)
    own = random.standard_normal((world.songs, world.clips, world.width)) * np.sqrt(1 - world.alike)
    rows = common + own
    rows[:, :, 0] += world.plainness * labels[:, None]
    folds = random.permutation(world.songs) % FOLDS
    scores, fits = np.zeros((world.songs, world.clips)), []
    for fold in range(FOLDS):
        kept = folds != fold
        features, values = rows[kept].reshape(-1, world.width), np.repeat(labels[kept], world.clips)
        middle = features.mean(axis=0)
        centred = features - middle
        weight = centred.T @ (values - values.mean()) / len(values)
        if not mean_difference:
            damped = centred.T @ centred / len(values) + world.penalty * np.eye(world.width)
            weight = np.linalg.solve(damped, weight)
        else:
            weight /= np.linalg.norm(weight)
        offset = 0.0 if mean_difference else float(values.mean() - middle @ weight)
        scores[~kept] = rows[~kept] @ weight + offset
        fits.append((weight, offset))
    return scores, fits


def _accuracy(weight: Floats, offset: float, world: Songs) -> float:
    from scipy.stats import norm

    reach, length = world.plainness * weight[0], np.linalg.norm(weight)
    return float(norm.cdf((reach + offset) / length) + norm.cdf((reach - offset) / length)) / 2


def _explained(weight: Floats, offset: float, world: Songs) -> float:
    missed = (1 - world.plainness * weight[0]) ** 2 + weight @ weight + offset**2
    return float(1 - missed)


def _auc(weight: Floats, world: Songs) -> float:
    from scipy.stats import norm

    return float(norm.cdf(2 * world.plainness * weight[0] / np.linalg.norm(weight) / np.sqrt(2)))


def _bootstrap(rows: Floats, score: Callable[[Floats], Floats]) -> Interval:
    """Percentile interval of statistics by group (G, m, draws): what stood here before."""
    groups = len(rows)
    drawn = np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
    sums = np.tensordot(drawn.astype(np.float64), rows, axes=1)
    low, high = np.nanquantile(score(np.moveaxis(sums, 1, 0)), [0.025, 0.975], axis=0)
    return low, high


def _found(name: str, truths: Floats, interval: Interval, bootstrap: Interval) -> Found:
    truth = float(truths.mean())
    held, before = (float(np.mean((low <= truth) & (truth <= high))) for low, high in (interval, bootstrap))
    before = before if np.isfinite(bootstrap[0]).any() else np.nan
    widths = [float(np.median(high - low)) for low, high in (interval, bootstrap)]
    return Found(name, truth, held, widths[0], before, widths[1])


def main() -> None:
    """Print a line per setting, and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    print(f"{'setting':<62} truth   held  width  bootstrap: held  width")
    for kind in (of_hits, of_fits):
        every = []
        for one in kind(draws):
            every.append(one)
            print(
                f"{one.name:<62} {one.truth:5.3f}  {one.held:5.3f}  {one.width:5.3f}"
                f"            {one.bootstrap_held:5.3f}  {one.bootstrap_width:5.3f}",
                flush=True,
            )
        least = min(every, key=lambda one: one.held)
        print(f"least: {least.held:.3f} ({least.name}); mean {np.mean([one.held for one in every]):.3f}")


if __name__ == "__main__":
    main()
