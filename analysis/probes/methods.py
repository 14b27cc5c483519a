"""Ways to probe classes: from labelled rows to out-of-fold probabilities, the built-in ones and plug-ins'.

The loss mse (ridge) is apart from them: it also takes numbers, and works from moments that fit in memory
where the rows do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.linear.guesses import Guesses
from analysis.linear.moments import Floats
from analysis.linear.nested_logistic import NestedLogistic, nested_logistic
from analysis.linear.row_blocks import RowBlocks
from analysis.splits import Partition
from store.errors import BrokenPlugin
from store.extensions import PROBES


class Predict(Protocol):
    """Out-of-fold probabilities of several labellings of the same rows, on L layers at once.

    Args:
        features: N rows of each layer, in memory or in blocks, (L,).
        codes: of classes, (Q, N), -1 without a label: the true labelling, then shuffled ones.
        classes: C.
        partition: cells of the rows; a tested cell is predicted by a fit to the other cells alone.
        penalties: to choose from, inside the training cells.
    """

    def __call__(
        self,
        features: Sequence[RowBlocks],
        codes: NDArray[np.integer[Any]],
        classes: int,
        partition: Partition,
        penalties: Sequence[float],
    ) -> NestedLogistic: ...


@dataclass(frozen=True, slots=True)
class ProbeMethod:
    """A way to probe classes: what an entry point of undertone.probes names."""

    predict: Predict
    version: int = 1
    """Of its numbers: raise it when they change, and stored probes of the method are fitted anew."""


class RowProbe(Protocol):
    """A classifier as a function of rows.

    It learns from `rows` (n, D), float64, with their classes `codes` (n,), from 0 to `classes` - 1, of which
    two or more are there; `held_out` (m, D) is what it predicts. Returned are probabilities, or any finite
    scores of which the largest names the class, (m, classes). The same rows give the same scores.
    """

    def __call__(
        self, rows: Floats, codes: NDArray[np.integer[Any]], classes: int, held_out: Floats
    ) -> Floats: ...


def on_rows(function: RowProbe) -> ProbeMethod:
    """A method from a classifier: it is fitted without each tested cell, to true and to shuffled labels."""

    def predict(
        features: Sequence[RowBlocks],
        codes: NDArray[np.integer[Any]],
        classes: int,
        partition: Partition,
        penalties: Sequence[float],  # noqa: ARG001 (its name is the protocol's)
    ) -> NestedLogistic:
        whole = [rows.whole() for rows in features]
        found = tuple(Guesses.empty(len(codes), codes.shape[1], classes) for _ in features)
        every = slice(0, codes.shape[1])
        for labelling, own in enumerate(codes):
            for cell in partition.tested:
                held_out = (partition.cells == cell) & (own >= 0)
                learned = (partition.cells != cell) & (own >= 0)
                if held_out.any() and len(np.unique(own[learned])) > 1:
                    for layer, rows in enumerate(whole):
                        one, other = (rows[chosen].astype(np.float64) for chosen in (learned, held_out))
                        said = np.asarray(function(one, own[learned], classes, other))
                        _check(said, (int(held_out.sum()), classes))
                        found[layer].put_some(labelling, every, held_out, said)
        chosen = np.full((len(features), len(codes), len(partition.tested)), np.nan)  # no penalty to choose
        return NestedLogistic(found, chosen, 0)

    return ProbeMethod(predict)


def plugin_of(loss: str) -> dict[str, str]:
    """What an id says of the origin of a probe: nothing of those that are built in."""
    return {} if loss in PROBES.reserved else PROBES.recorded(loss)


def version_of(loss: str) -> int:
    """Version of the numbers of a probe of classes: it is raised when they change."""
    return PROBES.load(loss, ProbeMethod).version


def _check(said: Floats, expected: tuple[int, int]) -> None:
    if said.shape != expected or not np.isfinite(said).all():
        raise BrokenPlugin(
            f"A probe gave scores of shape {said.shape}, or some that are not finite; it should give "
            f"{expected[0]} rows of {expected[1]} classes."
        )


LOGISTIC = ProbeMethod(partial(nested_logistic, one_vs_rest=False))
LOGISTIC_OVR = ProbeMethod(partial(nested_logistic, one_vs_rest=True))
