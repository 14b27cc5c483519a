"""Damage pooled over pairs: the Fréchet audio distance, which needs more sounds than one setting has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.effects.audio_distances import FrechetDistance, frechet_distance
from analysis.effects.frechet_intervals import CrossedSounds, frechet_interval
from analysis.effects.paired_intervals import UNKNOWN, Estimate
from analysis.effects.scores import Scores
from analysis.effects.settings import ANYWHERE, Role, Setting
from analysis.effects.trials import Design

ROLES: tuple[Role, ...] = ("unsteered", "steered", "random")


@dataclass(frozen=True, slots=True)
class PooledDamage:
    """FAD of one way to steer, all pairs together."""

    setting: Setting
    """Its pair is `ANYWHERE`."""
    sounds: int
    """Different steered ones."""
    prompts: int
    """Independent ones among them."""
    states: int
    """Different random states among them."""
    distance: FrechetDistance
    """Of the steered, and its floor."""
    steered: Estimate
    random: Estimate
    """Of random directions; unknown where there are none."""


def pooled_damage(designs: Sequence[Design], scores: Scores) -> Iterator[PooledDamage]:
    """FAD against the unsteered twins of every way to steer that has enough sounds for one."""
    together: dict[Setting, list[tuple[Design, Setting]]] = {}
    for design in designs:
        for setting in design.settings:
            together.setdefault(replace(setting, pair=ANYWHERE), []).append((design, setting))
    for setting, own in together.items():
        twins, steered, control = (_sounds(own, role, scores) for role in ROLES)
        if twins is None or steered is None:
            continue
        distance = frechet_distance(steered.embeddings, twins.embeddings)
        if distance is not None:
            yield PooledDamage(
                setting,
                sounds=len(steered.embeddings),
                prompts=len(np.unique(steered.prompts)),
                states=len(np.unique(steered.states)),
                distance=distance,
                steered=frechet_interval(distance, steered, twins),
                random=_estimate(control, twins),
            )


def _estimate(sounds: CrossedSounds | None, twins: CrossedSounds) -> Estimate:
    found = None if sounds is None else frechet_distance(sounds.embeddings, twins.embeddings)
    return UNKNOWN if sounds is None or found is None else frechet_interval(found, sounds, twins)


def _sounds(own: Sequence[tuple[Design, Setting]], role: Role, scores: Scores) -> CrossedSounds | None:
    """Sounds of all trials of all pairs, each generation once, without those that nobody has listened to.

    Pairs of one source share their unsteered twins: counted twice, they would look like more sounds.
    """
    trials = {one: groups for design, setting in own for one, *groups in _trials(design, role, setting)}
    rows = scores.embedded(np.array(list(trials), dtype=object)) if trials else None
    if rows is None:
        return None
    known = np.isfinite(rows).all(axis=1)
    prompts, states = (np.array(side)[known] for side in zip(*trials.values(), strict=True))
    return CrossedSounds(np.asarray(rows[known]), prompts, states)


def _trials(design: Design, role: Role, setting: Setting) -> Iterator[tuple[str, str, int]]:
    """Generation, independent prompt and random state of each trial."""
    ids = design.of(role, setting, "all")
    if ids is None:
        return
    for witness, row in zip(design.witnesses("all"), ids, strict=True):
        yield from ((one, witness, state) for one, state in zip(row, design.states, strict=True))
