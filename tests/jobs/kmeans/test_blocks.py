"""What blocks give adds up to what all rows would give at once."""

import numpy as np
import pytest

from analysis.clustering.kmeans import TOLERANCE
from analysis.clustering.scaling import fit_scaling
from jobs.fitting.layers import LayerArray
from jobs.kmeans.blocks import Block, LayerPoints, pass_over
from store.opening import Store
from store.results.parts import committed_digest


def test_the_tolerance_is_of_the_variance_also_where_few_rows_gave_the_scaling(planted_store: Store) -> None:
    """Rows that a sample has not quite centred still have a mean, which is no variance."""
    run = planted_store.run("toy")
    rows, clip_ids = run.read_layer("resid.mean", 2)
    numbers, _ = run.index().select(clip_ids)
    source = LayerPoints(planted_store.url, "toy", committed_digest(run), LayerArray("resid.mean", 2))
    scaling = fit_scaling("none", rows[:2])
    blocks = [Block(place, first, numbers[first : first + 40]) for place, first in enumerate((0, 40, 80))]
    first, second, third = (
        pass_over(source, scaling, [scaling(rows[:2])], True, block).measured for block in blocks
    )
    assert first and second and third  # noqa: PT018
    spread = first.plus(second).plus(third).spread()
    scaled = scaling(rows).astype(np.float64)
    assert (scaled.mean(axis=0) ** 2).sum() > 0.1 * scaled.var(axis=0).sum()
    assert spread.tolerance == pytest.approx(TOLERANCE * scaled.var(axis=0).mean(), rel=1e-6)
    assert spread.squares == pytest.approx((scaled**2).sum(), rel=1e-6)
