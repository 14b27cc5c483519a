"""Damage pooled over pairs: the Fréchet audio distance, which needs more sounds than one setting has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.audio_distances import FrechetDistance, frechet_distance
from jobs.sweeping.designs import Design
from jobs.sweeping.scores import Scores
from jobs.sweeping.settings import Pair, Role, Setting

Floats = NDArray[np.floating[Any]]

ANYWHERE = Pair("", "", ())
"""Stands for all pairs together."""


@dataclass(frozen=True, slots=True)
class PooledDamage:
    """FAD of one way to steer, all pairs together."""

    setting: Setting
    """Its pair is `ANYWHERE`."""
    sounds: int
    """Different steered ones."""
    steered: FrechetDistance
    random: FrechetDistance | None


def pooled_damage(designs: Sequence[Design], scores: Scores) -> Iterator[PooledDamage]:
    """FAD against the unsteered twins of every way to steer that has enough sounds for one."""
    together: dict[Setting, list[tuple[Design, Setting]]] = {}
    for design in designs:
        for setting in design.settings:
            together.setdefault(replace(setting, pair=ANYWHERE), []).append((design, setting))
    for setting, members in together.items():
        twins = _embeddings(members, "unsteered", scores)
        steered = _embeddings(members, "steered", scores)
        if twins is None or steered is None:
            continue
        damage = frechet_distance(steered, twins)
        control = _embeddings(members, "random", scores)
        if damage is not None:
            random = None if control is None else frechet_distance(control, twins)
            yield PooledDamage(setting, len(steered), damage, random)


def _embeddings(members: Sequence[tuple[Design, Setting]], role: Role, scores: Scores) -> Floats | None:
    """Of all cells of all pairs, each generation once, (n, E), without those that nobody has listened to.

    Pairs of one source share their unsteered twins: counted twice, they would look like more sounds.
    """
    found = [design.of(role, setting, "all") for design, setting in members]
    ids = list(dict.fromkeys(one for block in found if block is not None for one in block.ravel()))
    rows = scores.embedded(np.array(ids, dtype=object)) if ids else None
    return None if rows is None else np.asarray(rows[np.isfinite(rows).all(axis=1)])
