"""Which setting of a pair is chosen: the largest transfer that somebody hears, within a limit of damage.

Transfer alone is bought by damage: a strong edit makes a drone that a scorer takes for the target. So a
setting may be chosen where its sounds are not much farther from recordings than those of random directions of
the same strength are, and where they still move.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.errors import InvalidInput

Row = dict[str, Any]

CHOOSERS = ("clap", "features", "judge", "probe")
"""The first of these that can hear the concept chooses the setting of each pair."""
DRONE = 0.6
"""Sounds whose mel spectrograms vary over time less than so much of what those of their random control and of
their unsteered twins do stand still. Of 24 settings of styles on pocket's card, two had 0.59 and the others
0.76 or more; random directions had 0.73 of their twins' variation at the least."""
UNHEARD = "no CLAP has heard its sounds and recordings of its concept"
TOO_FEW = "too few of its sounds, or of its controls', were heard for a distance to recordings"
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
    """What a setting does to its sounds in one part of the cells."""

    distance: float | None
    """To recordings; None where no CLAP has heard both."""
    limit: float | None
    drone: bool | None
    """None where nobody has described the sounds."""
    was_heard: bool = False
    """Whether a CLAP has heard sounds and recordings, be they enough for a distance or not."""

    def allowed(self, limits: Limits) -> bool:
        """Whether the setting may be chosen; what nobody has measured hinders nothing, see `unlimited`."""
        too_far = self.distance is not None and self.limit is not None and self.distance > self.limit
        return not too_far and (limits.drones or not self.drone)

    def unlimited(self, limits: Limits) -> str | None:
        """Why a limit could not be applied to the setting; None where all were."""
        reasons = []
        if limits.damage_limit and self.limit is None:
            reasons.append(TOO_FEW if self.was_heard else UNHEARD)
        if not limits.drones and self.drone is None:
            reasons.append(UNDESCRIBED)
        return "; ".join(reasons) or None


def with_damage(rows: Iterable[Row], limits: Limits) -> list[Row]:
    """Each row with damage, damage_limit, without_limit and drone of its setting in its part."""
    listed = list(rows)
    found = _damages(listed, limits)
    unknown = Damage(None, None, None)
    return [row | _columns(found.get((row["setting_id"], row["part"]), unknown), limits) for row in listed]


def limit_notes(rows: Iterable[Row]) -> list[str]:
    """A phrase for each reason why limits were not applied where settings are chosen."""
    choosing = {row["setting_id"]: row["without_limit"] for row in rows if row["part"] == "choose"}
    reasons = Counter(reason for reason in choosing.values() if reason)
    return [f"not applied to {count} of {len(choosing)} settings: {why}" for why, count in reasons.items()]


def with_choice(rows: Sequence[Row], limits: Limits) -> list[Row]:
    """Marks the setting that the first scorer that can tell chooses, if any, and names that scorer."""
    allowed = {place: one.allowed(limits) for place, one in _damages(rows, limits).items()}
    for scorer in CHOOSERS:
        transfers = [
            row
            for row in rows
            if (row["part"], row["scorer"], row["metric"]) == ("choose", scorer, "transfer")
            and row["value"] is not None
        ]
        if transfers:
            able = [row for row in transfers if allowed.get((row["setting_id"], "choose"), True)]
            best = _best(able)
            return [row | {"chosen": row["setting_id"] == best, "chosen_by": scorer} for row in rows]
    return list(rows)


def _damages(rows: Iterable[Row], limits: Limits) -> dict[tuple[str, str], Damage]:
    """By setting and part."""
    distances: dict[tuple[str, str], Row] = {}
    movements: dict[tuple[str, str], Row] = {}
    for row in rows:
        place = row["setting_id"], row["part"]
        if row["metric"] == "kad_clips":
            distances[place] = row
        elif row["metric"] == "level" and row["measured_class"] == "mel_variation_db":
            movements[place] = row
    return {
        place: Damage(
            *_distance(distances.get(place, {}), limits.damage_limit),
            _stands_still(movements.get(place, {})),
            place in distances,
        )
        for place in distances.keys() | movements.keys()
    }


def _distance(row: Mapping[str, Any], factor: float) -> tuple[float | None, float | None]:
    controls = [row[name] for name in ("random", "unsteered") if row.get(name) is not None]
    if row.get("value") is None or not controls or factor == 0:
        return row.get("value"), None
    return row["value"], factor * max(NEAR, *controls)


def _stands_still(row: Mapping[str, Any]) -> bool | None:
    controls = [row[name] for name in ("random", "unsteered") if row.get(name) is not None]
    if row.get("value") is None or not controls:
        return None
    return bool(row["value"] < DRONE * min(controls))


def _columns(damage: Damage, limits: Limits) -> Row:
    return {
        "damage": damage.distance,
        "damage_limit": damage.limit,
        "without_limit": damage.unlimited(limits),
        "drone": damage.drone,
    }


def _best(transfers: Sequence[Row]) -> str | None:
    """The setting with the largest transfer, above 0 and above that of its random directions."""
    able = [row for row in transfers if row["value"] > max(0.0, row["random"] or 0.0)]
    return max(able, key=lambda row: row["value"])["setting_id"] if able else None
