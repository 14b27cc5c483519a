"""Choose the setting of a pair: the largest transfer that a scorer measures, within a limit of damage.

Transfer alone is bought by damage: a strong edit makes a drone that a scorer takes for the target. So a
setting may be chosen where its sounds are not much farther from recordings than those of random directions of
the same strength are, and where they still move.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.effects.records import Effect
from analysis.effects.settings import Setting
from analysis.effects.trials import SplitOrAll
from store.errors import InvalidInput

Place = tuple[Setting, SplitOrAll]

DRONE = 0.6
"""Sounds whose mel spectrograms vary over time less than so much of what those of their random control and of
their unsteered twins do stand still. Of 24 settings of styles on pocket's card, two had 0.59 and the others
0.76 or more; random directions had 0.73 of their twins' variation at the least."""
UNEMBEDDED = "no CLAP has embedded its sounds and recordings of its concept"
TOO_FEW = "too few of its sounds, or of its controls', have embeddings for a distance to recordings"
UNDESCRIBED = "nobody has described its sounds, so it may be a drone"
NEAR = 1.0
"""Kernel distance to recordings that chance alone gives to some tens of sounds: a limit is not below it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`[choice]`: what a chosen setting may cost."""

    damage_limit: float = 2.0
    """Its kernel distance to recordings over that of its random control, or of its unsteered twins where that
    is larger; 0 is no limit."""
    drones: bool = False
    """Whether a setting whose sounds stand still may be chosen."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.damage_limit) and self.damage_limit >= 0):
            raise InvalidInput(f"[choice] damage_limit = {self.damage_limit}: how many times? 0 is no limit.")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Damage:
    """What a setting does to its sounds in one split of the conditions."""

    distance: float | None
    """To recordings; None where no CLAP has embedded both."""
    limit: float | None
    drone: bool | None
    """None where nobody has described the sounds."""
    was_embedded: bool = False
    """Whether a CLAP has embedded sounds and recordings, be they enough for a distance or not."""

    def allowed(self, limits: Limits) -> bool:
        """Whether the setting may be chosen; what nobody has measured hinders nothing, see `unlimited`."""
        too_far = self.distance is not None and self.limit is not None and self.distance > self.limit
        return not too_far and (limits.drones or not self.drone)

    def unlimited(self, limits: Limits) -> str | None:
        """Why a limit could not be applied to the setting; None where all were."""
        reasons = []
        if limits.damage_limit and self.limit is None:
            reasons.append(TOO_FEW if self.was_embedded else UNEMBEDDED)
        if not limits.drones and self.drone is None:
            reasons.append(UNDESCRIBED)
        return "; ".join(reasons) or None


@dataclass(frozen=True, slots=True)
class Choice:
    """The setting of a pair that is chosen, and the scorer that chose."""

    scorer: str
    setting: Setting | None
    """None: no setting does more than nothing and than random directions, within the limits."""


def damages_of(effects: Iterable[Effect], limits: Limits) -> dict[Place, Damage]:
    """What every setting costs in every split, as far as it was measured."""
    found: dict[Place, dict[str, Effect]] = {}
    for effect in effects:
        own = found.setdefault((effect.setting, effect.split), {})
        if effect.metric == "kad_clips":
            own["distance"] = effect
        elif effect.metric == "level" and effect.measured_class == "mel_variation_db":
            own["movement"] = effect
    return {place: _damage(own.get("distance"), own.get("movement"), limits) for place, own in found.items()}


def choose(
    effects: Sequence[Effect], damages: Mapping[Place, Damage], limits: Limits, choosers: Sequence[str]
) -> Choice | None:
    """The setting that the first scorer that can tell chooses, on the selection split; None: nobody can.

    Args:
        effects: of a pair, by every scorer.
        damages: what its settings cost.
        limits: what a chosen setting may cost.
        choosers: scorers that may choose, in the order in which they are asked.
    """
    for scorer in choosers:
        transfers = [
            one
            for one in effects
            if (one.split, one.scorer, one.metric) == ("selection", scorer, "transfer")
            and math.isfinite(one.value.value)
        ]
        if transfers:
            able = [one for one in transfers if damages[one.setting, "selection"].allowed(limits)]
            return Choice(scorer, _best(able))
    return None


def limit_notes(damages: Mapping[Place, Damage], limits: Limits) -> list[str]:
    """A phrase for each reason why limits were not applied where settings are chosen."""
    choosing = [damage.unlimited(limits) for (_, split), damage in damages.items() if split == "selection"]
    reasons = Counter(reason for reason in choosing if reason)
    return [f"not applied to {count} of {len(choosing)} settings: {why}" for why, count in reasons.items()]


def _damage(distance: Effect | None, movement: Effect | None, limits: Limits) -> Damage:
    value = None if distance is None else _number(distance.value.value)
    still = None if movement is None else _stands_still(movement)
    return Damage(value, _limit(distance, limits.damage_limit), still, distance is not None)


def _limit(distance: Effect | None, factor: float) -> float | None:
    if distance is None or not math.isfinite(distance.value.value) or factor == 0:
        return None
    compared = _controls(distance)
    return factor * max(NEAR, *compared) if compared else None


def _stands_still(movement: Effect) -> bool | None:
    compared = _controls(movement)
    if not math.isfinite(movement.value.value) or not compared:
        return None
    return movement.value.value < DRONE * min(compared)


def _controls(effect: Effect) -> list[float]:
    """What random directions and unsteered twins have, as far as it is known."""
    return [one for one in (effect.control("random").value, effect.unsteered) if math.isfinite(one)]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _best(transfers: Sequence[Effect]) -> Setting | None:
    """The setting with the largest transfer, above 0 and above that of its random directions."""
    able = [
        one for one in transfers if one.value.value > max(0.0, _number(one.control("random").value) or 0.0)
    ]
    return max(able, key=lambda one: one.value.value).setting if able else None
