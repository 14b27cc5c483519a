"""Nearest vectors beside sorting all distances in float64."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.neighbours import (
    BLOCK_ROWS,
    METRICS,
    Metric,
    Numbers,
    make_cells,
    nearest,
    nearest_in_cells,
    recall,
)

COUNT, WIDTH = BLOCK_ROWS + 700, 16


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float32]:
    """In clouds, far from zero; the last three are one and the same, and one is zero."""
    random = np.random.default_rng(0)
    clouds = 3 * random.standard_normal((20, WIDTH)) + 5
    found = (clouds[random.integers(0, 20, COUNT)] + random.standard_normal((COUNT, WIDTH))).astype(
        np.float32
    )
    found[-3:] = found[-1]
    found[11] = 0
    return found


def distances(rows: NDArray[np.float32], query: NDArray[np.float32], metric: Metric) -> NDArray[np.float64]:
    wide, one = rows.astype(np.float64), query.astype(np.float64)
    if metric == "euclidean":
        return np.asarray(np.sqrt(((wide - one) ** 2).sum(axis=1)))
    lengths = np.sqrt((wide**2).sum(axis=1))
    return np.asarray(1 - (wide @ one) / np.where(lengths > 0, lengths, np.inf) / np.sqrt((one**2).sum()))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("number", [7, COUNT - 2])
def test_they_are_the_first_of_all_when_sorted_and_the_own_row_does_not_count(
    rows: NDArray[np.float32], metric: Metric, number: int
) -> None:
    found = nearest(rows.__getitem__, rows[number], 25, metric, COUNT, but=number)
    every = distances(rows, rows[number], metric)
    order = [one for one in np.lexsort((np.arange(COUNT), every)).tolist() if one != number][:25]
    np.testing.assert_allclose(found.distances, every[order], atol=1e-12)
    assert set(found.numbers.tolist()) == set(order)


def test_no_more_come_than_there_are(rows: NDArray[np.float32]) -> None:
    found = nearest(rows.__getitem__, rows[0], 25, "cosine", np.array([0, 5, 9]), but=0)
    assert sorted(found.numbers.tolist()) == [5, 9]


def test_blocks_are_bounded(rows: NDArray[np.float32]) -> None:
    asked: list[int] = []

    def read(numbers: Numbers) -> NDArray[np.float32]:
        asked.append(len(numbers))
        return rows[numbers]

    nearest(read, rows[0], 5, "cosine", COUNT)
    assert asked == [BLOCK_ROWS, COUNT - BLOCK_ROWS]


@pytest.mark.parametrize("metric", METRICS)
def test_an_index_holds_every_vector_once_and_finds_all_with_all_of_its_cells(
    rows: NDArray[np.float32], metric: Metric
) -> None:
    steps: list[int] = []
    cells = make_cells(
        rows.__getitem__, COUNT, metric, cells=12, seed=0, advance=lambda done, _: steps.append(done)
    )
    assert sorted(np.concatenate(cells.members).tolist()) == list(range(COUNT))
    assert steps[-1] == COUNT
    exact = nearest(rows.__getitem__, rows[7], 10, metric, COUNT, but=7)
    assert recall(nearest_in_cells(rows.__getitem__, rows[7], 10, cells, nprobe=12, but=7), exact) == 1
    few = [
        recall(
            nearest_in_cells(rows.__getitem__, rows[one], 10, cells, nprobe=3, but=one),
            nearest(rows.__getitem__, rows[one], 10, metric, COUNT, but=one),
        )
        for one in range(0, COUNT, 400)
    ]
    assert 0.6 < np.mean(few) <= 1


def near_copies(random: np.random.Generator, noise: float) -> NDArray[np.float64]:
    clips = np.repeat(random.standard_normal((40, 64)), 200, axis=0)
    return clips + noise * random.standard_normal(clips.shape)


def massive_dimensions(random: np.random.Generator) -> NDArray[np.float64]:
    found = random.standard_normal((8000, 64))
    found[:, 3] -= 10_000
    found[:, 40] += 3000
    return found


KINDS: dict[str, Callable[[np.random.Generator], NDArray[np.float64]]] = {
    "unit normal": lambda random: random.standard_normal((8000, 64)),
    "near copies": lambda random: near_copies(random, 3e-4),
    "massive dimensions": massive_dimensions,
    "far from zero": lambda random: near_copies(random, 1e-1) + 500,
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_vectors_that_float32_cannot_tell_apart_are_ordered_as_in_float64(kind: str, metric: Metric) -> None:
    many = KINDS[kind](np.random.default_rng(1)).astype(np.float32)
    for number in (0, 2500, 7999):
        found = nearest(many.__getitem__, many[number], 10, metric, len(many), but=number)
        every = distances(many, many[number], metric)
        every[number] = np.inf
        np.testing.assert_allclose(found.distances, np.sort(every)[:10], rtol=1e-7, atol=1e-14)
        np.testing.assert_allclose(every[found.numbers], found.distances, rtol=1e-7, atol=1e-14)


@pytest.mark.parametrize("metric", METRICS)
def test_of_equal_distances_those_with_the_smallest_numbers_come_in_order(metric: Metric) -> None:
    same = np.ones((BLOCK_ROWS + 50, 3), np.float32)
    found = nearest(same.__getitem__, np.array([1, 2, 3]), 4, metric, len(same), but=1)
    assert found.numbers.tolist() == [0, 2, 3, 4]


def test_cells_of_vectors_far_from_zero_are_those_of_the_same_vectors_about_zero() -> None:
    random = np.random.default_rng(2)
    clouds = np.repeat(3 * random.standard_normal((10, 8)), 30, axis=0)
    near = (clouds + random.standard_normal(clouds.shape) / 10).astype(np.float32)

    def members(rows: NDArray[np.float32]) -> set[tuple[int, ...]]:
        made = make_cells(rows.__getitem__, len(rows), "euclidean", cells=10, seed=0, advance=lambda *_: None)
        return {tuple(cell.tolist()) for cell in made.members}

    assert members(near + np.float32(20_000)) == members(near)
