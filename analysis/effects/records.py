"""Effect: one metric of one setting over a split of its conditions, beside the same of its controls."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.effects.paired_intervals import UNKNOWN, Estimate, why_no_interval
from analysis.effects.settings import Role, Setting
from analysis.effects.trials import SplitOrAll


@dataclass(frozen=True, slots=True)
class Effect:
    """A number with its interval, and what it is compared with, all over the same conditions."""

    setting: Setting
    """Its pair is `ANYWHERE` where pairs are pooled."""
    split: SplitOrAll
    scorer: str
    metric: str
    value: Estimate
    """Of the steered generations."""
    unsteered: float
    """Of their unsteered twins."""
    conditions: int
    """Measured, as are their twins and random controls."""
    missing: int | None
    """Those of the split that are not; None where that is not counted."""
    prompts: int
    """Independent ones among them."""
    random_states: int
    measured_concept: str | None = None
    measured_class: str | None = None
    controls: Mapping[Role, Estimate] = field(default_factory=dict)
    """By role of the control, those that there are."""
    over: Mapping[Role, Estimate] = field(default_factory=dict)
    """By role of the control, the value minus that of the control, condition by condition."""

    def control(self, role: Role) -> Estimate:
        """The same of a control; unknown where there is none."""
        return self.controls.get(role, UNKNOWN)

    @property
    def without_interval(self) -> str | None:
        """Why nothing has an interval: one prompt, one random state, …; None: it has."""
        return why_no_interval(self.prompts, self.random_states)
