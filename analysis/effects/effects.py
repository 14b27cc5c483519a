"""Effects of steering: every metric of every setting with its interval, its controls, and which is chosen."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.effects.choice import DEFAULT_LIMITS, Choice, Damage, Limits, Place, choose, damages_of
from analysis.effects.metrics import METRICS, Metric, metrics_of
from analysis.effects.paired_intervals import UNKNOWN, Estimate, Mask, crossed_interval, witnesses
from analysis.effects.pooled import PooledDamage, pooled_damage
from analysis.effects.records import Effect
from analysis.effects.scores import Scores
from analysis.effects.settings import Role
from analysis.effects.trials import SPLITS, Design, Ids, SplitOrAll

OF_CLASSES = frozenset(METRICS) - {"similarity", "fad", "kad", "kad_clips", "level"}
"""Metrics that are what a scorer says of classes, or of physical descriptors."""
CONTROLS: tuple[Role, ...] = ("random", "text")
"""Directions that every setting stands beside."""


@dataclass(frozen=True, slots=True)
class PairEffects:
    """What steering one pair does by each of its settings."""

    effects: tuple[Effect, ...]
    damages: Mapping[Place, Damage]
    choice: Choice | None
    """None: no scorer could choose."""


def effects_of(
    design: Design, scores: Scores, choosers: Sequence[str], limits: Limits = DEFAULT_LIMITS
) -> PairEffects:
    """Every metric of every setting of a pair, and which setting the first of the choosers chooses."""
    metrics = metrics_of(design.pair, scores)
    effects = tuple(
        one for split in SPLITS for metric in metrics for one in _of_metric(metric, design, split)
    )
    damages = damages_of(effects, limits)
    return PairEffects(effects, damages, choose(effects, damages, limits, choosers))


def pooled_effects(designs: Sequence[Design], scores: Scores) -> list[Effect]:
    """Damage by every way to steer, pooled over pairs."""
    return [_pooled(damage) for damage in pooled_damage(designs, scores)]


def interval_notes(effects: Sequence[Effect]) -> list[str]:
    """Sentences about effects that have no interval, a sentence for each reason."""
    reasons = Counter(one.without_interval for one in effects)
    return [
        f"{count} of {len(effects)} effects have no interval: {reason} says nothing of others. Give a "
        "concept more texts, and the sweep more random_states: each half of the prompts needs two."
        for reason, count in reasons.items()
        if reason not in (None, "no sound")
    ]


def _of_metric(metric: Metric, design: Design, split: SplitOrAll) -> Iterator[Effect]:
    """A metric of every setting over a split of the conditions."""
    twins = design.of("unsteered", None, split)
    if twins is None:
        return
    named = design.witnesses(split)
    asked = design.of("prompt", None, split)
    prompt = UNKNOWN if asked is None else metric.estimate(asked, twins, witnesses=named)
    for setting in design.settings:
        steered = design.of("steered", setting, split)
        assert steered is not None
        found = {role: design.of(role, setting, split) for role in CONTROLS}
        controls = {role: ids for role, ids in found.items() if ids is not None}
        # All over the same conditions: those where the sound, its controls and its twin are all measured.
        known = metric.known(steered, twins) & metric.known(twins, twins)
        for ids in controls.values():
            known &= metric.known(ids, twins)
        prompts, states = witnesses(known, named)
        yield Effect(
            setting=setting,
            split=split,
            scorer=metric.scorer,
            metric=metric.name,
            value=metric.estimate(steered, twins, known, named),
            unsteered=metric.estimate(twins, twins, known).value,
            conditions=int(known.sum()),
            missing=int((~known).sum()),
            prompts=prompts,
            random_states=states,
            measured_concept=metric.measured_concept,
            measured_class=metric.measured_class,
            controls={
                "prompt": prompt,
                **{role: metric.estimate(ids, twins, known, named) for role, ids in controls.items()},
            },
            over={role: _over(metric, steered, ids, twins, known, named) for role, ids in controls.items()},
        )


def _over(
    metric: Metric, steered: Ids, control: Ids, twins: Ids, known: Mask, named: Sequence[str]
) -> Estimate:
    """The score of the steered minus that of a control, condition by condition."""
    one, other = (metric.contributions(ids, twins, known) for ids in (steered, control))
    return crossed_interval(one - other, units=named)


def _pooled(damage: PooledDamage) -> Effect:
    return Effect(
        setting=damage.setting,
        split="all",
        scorer="clap",
        metric="fad",
        value=damage.steered,
        unsteered=damage.distance.floor,
        conditions=damage.sounds,
        missing=None,
        prompts=damage.prompts,
        random_states=damage.states,
        controls={"random": damage.random},
    )
