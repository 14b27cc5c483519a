"""Interference: what steering one concept does to the others, per unit of strength.

X_ij = ∂ score_j / ∂ α_i, the slope of the change of score j against the strength of direction i. A concept is
moved by half the sum of |slope| over its classes, and the index is how much the others are moved, over how
much the steered ones are: 0 where directions leave each other alone.

A sum of sizes is never 0: noise has a size, too. So signs are taken from one split of the sounds and slopes
from the other: what is noise has the wrong sign as often as the right one, and adds nothing on average.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.effects.paired_intervals import (
    UNKNOWN,
    Contributions,
    Estimate,
    Mask,
    crossed_interval,
    crossed_spread,
    interval_of,
    why_no_interval,
    witnesses,
)
from analysis.effects.scores import ScoreKey, Scores
from analysis.effects.settings import ANYWHERE, Role, Setting
from analysis.effects.trials import Design

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """How much the concepts are moved when one of them is steered, along one pair of its classes."""

    steered: str
    by_concept: Mapping[str, Contributions]
    """Of the conditions (P, S) of that pair."""
    units: Sequence[str]
    """Of its prompts, (P,)."""

    def others(self, concepts: Sequence[str]) -> Floats:
        """How much all but the steered one of these are moved, (P, S)."""
        found = [self.by_concept[one].values for one in concepts if one != self.steered]
        return np.asarray(np.sum(found, axis=0))

    def own(self) -> Floats:
        """How much the steered one is moved, (P, S)."""
        return self.by_concept[self.steered].values


def dose_slopes(alphas: Floats, changes: Floats) -> Contributions:
    """Slope of changes against strength in every condition, through the origin: no steering, no change.

    Args:
        alphas: (A,).
        changes: of the score against the unsteered twin, (A, P, S); NaN where it is unknown.
    """
    squares = float(alphas @ alphas)
    if squares == 0:
        return Contributions(np.full(changes.shape[1:], np.nan))
    return Contributions(np.einsum("a,aps->ps", alphas, changes) / squares)


def moved_by(slopes: Sequence[Contributions], choosing: Mask) -> Contributions:
    """Half the sum of |slope| over the classes of a concept: signs from some conditions, sizes from others.

    Args:
        slopes: of each class, in conditions (P, S).
        choosing: the conditions that signs are taken from, (P, S); others are NaN where a class is unknown.
    """
    values = np.stack([one.values for one in slopes])
    known = np.isfinite(values).all(axis=0)
    if not (known & choosing).any():
        return Contributions(np.full(choosing.shape, np.nan))
    signs = np.sign(values[:, known & choosing].mean(axis=1))
    return Contributions(np.where(known & ~choosing, np.einsum("c,cps->ps", signs, values) / 2, np.nan))


def interference_index(
    moved: Sequence[Moved], concepts: Sequence[str], *, steered: Sequence[Moved] | None = None
) -> Estimate:
    """How much the other concepts are moved, over how much the steered are, with its interval.

    Every steered concept counts alike, whatever its pairs; pairs are taken for independent.

    Args:
        moved: of each pair that is steered.
        concepts: those that are both steered and measured.
        steered: the same pairs, steered along what moves their own concepts; by default `moved` itself. For
            a control: what random directions do to the others, over what steering does.
    """
    pairs = [one.steered for one in moved]
    shares = [1 / pairs.count(one.steered) if one.steered in concepts else 0.0 for one in moved]
    others = [share * one.others(concepts) for one, share in zip(moved, shares, strict=True) if share]
    own = [share * one.own() for one, share in zip(steered or moved, shares, strict=True) if share]
    units = [one.units for one in moved if one.steered in concepts]
    if not others or any(np.isnan(values).all() for values in (*others, *own)):
        return UNKNOWN
    top, bottom = (float(sum(np.nanmean(values) for values in side)) for side in (others, own))
    if bottom <= 0:
        return UNKNOWN
    index = top / bottom
    errors = [(one - index * two) / bottom for one, two in zip(others, own, strict=True)]
    spreads = [crossed_spread(values, units=each) for values, each in zip(errors, units, strict=True)]
    return interval_of(index, spreads)


@dataclass(frozen=True, slots=True)
class CrossEffect:
    """How fast a class, or a concept as a whole, changes with the strength of a direction."""

    setting: Setting
    """Without its strength (alpha is 0); its pair is `ANYWHERE` where it is the index of interference."""
    alphas: tuple[float, ...]
    """Strengths that the slope is over."""
    scorer: str
    slope: Estimate
    measured_concept: str | None = None
    measured_class: str | None = None
    """None: half the sum of |slope| over all classes."""
    random: Estimate = UNKNOWN
    """The same with random directions; of the index, over what steering moves."""
    without_interval: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """The settings of a pair that differ in strength alone."""

    design: Design
    setting: Setting
    """Any of them, without its strength."""
    alphas: tuple[float, ...]
    slopes: Mapping[ScoreKey, Contributions]
    random: Mapping[ScoreKey, Contributions]
    """The same with random directions; empty: there are none."""

    @property
    def scorers(self) -> list[str]:
        """Who measured."""
        return sorted({scorer for scorer, *_ in self.slopes})

    @property
    def way(self) -> Hashable:
        """What families of several pairs have in common where they steer alike."""
        one = self.setting
        return one.method, one.site, one.layers, one.kind, one.scaling, one.course, self.alphas

    def moved(self, scorer: str, role: Role) -> Moved:
        """How much every concept is moved, as a scorer measures it."""
        slopes = self.slopes if role == "steered" else self.random
        concepts = sorted({key[1] for key in slopes if key[0] == scorer})
        choosing = self.design.splits == "selection"
        by_concept = {
            concept: moved_by(
                [found for key, found in slopes.items() if key[:2] == (scorer, concept)], choosing
            )
            for concept in concepts
        }
        return Moved(self.design.pair.concept, by_concept, self.design.witnesses("all"))


def cross_effects(designs: Iterable[Design], scores: Scores) -> list[CrossEffect]:
    """Slopes of every class, of every concept, and the index, for each way to steer."""
    families = [one for design in designs for one in families_of(design, scores)]
    slopes = [row for family in families for row in class_slopes(family)]
    totals = [row for family in families for row in concept_slopes(family)]
    return [*slopes, *totals, *indices(families)]


def families_of(design: Design, scores: Scores) -> Iterator[Family]:
    """The settings of a pair by what they share beside their strength, with the slope of every class."""
    keys = sorted(key for key in scores.numbers if key[3] == "probability")
    together: dict[Setting, dict[float, Setting]] = {}
    for setting in design.settings:
        if isinstance(setting.alpha, str):  # has no strength that an effect could be divided by
            continue
        together.setdefault(replace(setting, alpha=0.0), {})[setting.alpha] = setting
    for family, members in together.items():
        steered, random = (
            {key: found for key in keys if (found := _slopes(design, members, role, scores, key)) is not None}
            for role in _ROLES
        )
        yield Family(design, family, tuple(members), steered, random)


def class_slopes(family: Family) -> Iterator[CrossEffect]:
    """How fast every class changes."""
    for key, slopes in family.slopes.items():
        yield _cross_effect(family, key[0], key[1], key[2], slopes, family.random.get(key))


def concept_slopes(family: Family) -> Iterator[CrossEffect]:
    """What happens to every concept that is measured, as a whole."""
    for scorer in family.scorers:
        moved, random = (family.moved(scorer, role) for role in _ROLES)
        for concept, slopes in moved.by_concept.items():
            yield _cross_effect(family, scorer, concept, None, slopes, random.by_concept.get(concept))


def indices(families: Sequence[Family]) -> Iterator[CrossEffect]:
    """The index of interference among the steered concepts, for each way to steer and scorer."""
    together: dict[tuple[str, Hashable], list[Family]] = {}
    for family in families:
        for scorer in family.scorers:
            together.setdefault((scorer, family.way), []).append(family)
    for (scorer, _), members in together.items():
        first = members[0]
        steered, random = ([family.moved(scorer, role) for family in members] for role in _ROLES)
        concepts = sorted({one.steered for one in steered} & set(steered[0].by_concept))
        if len(concepts) < 2:
            continue
        yield CrossEffect(
            replace(first.setting, pair=ANYWHERE),
            first.alphas,
            scorer,
            interference_index(steered, concepts),
            random=interference_index(random, concepts, steered=steered) if first.random else UNKNOWN,
        )


_ROLES: tuple[Role, Role] = ("steered", "random")


def _slopes(
    design: Design, settings: Mapping[float, Setting], role: Role, scores: Scores, key: ScoreKey
) -> Contributions | None:
    twins = scores.of(key, design.ids["unsteered", None])
    ids = [design.of(role, setting, "all") for setting in settings.values()]
    changes = [scores.of(key, each) - twins for each in ids if each is not None]
    if len(changes) < len(settings):
        return None
    return dose_slopes(np.array(list(settings)), np.stack(changes))


def _cross_effect(
    family: Family,
    scorer: str,
    concept: str,
    name: str | None,
    slopes: Contributions,
    control: Contributions | None,
) -> CrossEffect:
    named = family.design.witnesses("all")
    return CrossEffect(
        family.setting,
        family.alphas,
        scorer,
        crossed_interval(slopes, units=named),
        concept,
        name,
        UNKNOWN if control is None else crossed_interval(control, units=named),
        why_no_interval(*witnesses(~np.isnan(slopes.values), named)),
    )
