"""Plan the trials of a sweep: every generation in its place, named by the hash of what it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from analysis.effects.settings import NONE, Pair, Role, Setting
from analysis.effects.trials import Condition, Trial, conditions_of
from jobs.generate.edits import monitor_of
from jobs.generate.specification import EditSpec, GenerationSpec
from jobs.sweep.configuration import source_text, target_text
from jobs.sweep.directions import SweepDirections
from jobs.sweep.expansion import ExpandedSweep
from jobs.sweep.grid import setting_id_of
from pipelines.steering.edits import SteeredRows, manner_from
from pipelines.steering.schedules import parse_schedule
from store.catalog.asking import Catalog
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.results.fits import VectorRow
from store.results.parts import digest_of, write_results
from store.results.sweeps import STRENGTHS, StrengthRow
from store.results.table import now


@dataclass(frozen=True, slots=True)
class WantedStrengths:
    """Edits whose strengths are to be found on an unsteered generation."""

    unsteered: GenerationSpec
    edits: tuple[EditSpec, ...]
    """Their strengths mean nothing."""
    cap_text: str | None
    """Caps the strengths by what this prompt alone would change."""

    @property
    def strength_id(self) -> str:
        """Identifier of all that decides the strengths: equal ids have equal strengths."""
        edits = [{**edit.document(), "alpha": None} for edit in self.edits]
        return digest_of([self.unsteered.generation_id, edits, self.cap_text])


@dataclass(frozen=True, slots=True)
class FoundStrengths:
    """One strength per edit, and the factor of the cap."""

    alphas: tuple[float, ...]
    cap: float | None


def read_strengths(store: Store) -> dict[str, tuple[float, ...]]:
    """Stored strengths by strength_id."""
    catalog = Catalog.of(store)
    if not catalog.has(STRENGTHS.kind):
        return {}
    query = "SELECT strength_id, arg_min(alphas, created_at) AS alphas FROM strengths GROUP BY ALL"
    return {row["strength_id"]: tuple(row["alphas"]) for row in catalog.rows(query)}


def write_strengths(store: Store, found: Sequence[tuple[WantedStrengths, FoundStrengths]]) -> str:
    """Write the strengths of some generations as one part; returns its name."""
    ids = sorted(wanted.strength_id for wanted, _ in found)
    table = STRENGTHS.of(_strength_row(*each) for each in found)
    return write_results(store, STRENGTHS.kind, {"kind": STRENGTHS.kind, "strengths": ids}, table)


def _strength_row(wanted: WantedStrengths, found: FoundStrengths) -> StrengthRow:
    return StrengthRow(
        strength_id=wanted.strength_id,
        unsteered_id=wanted.unsteered.generation_id,
        vector_ids=[edit.vector_id for edit in wanted.edits],
        layers=[edit.layer for edit in wanted.edits],
        alphas=found.alphas,
        cap_text=wanted.cap_text,
        cap=found.cap,
        created_at=now(),
    )


UNKNOWN = 1.0
"""In a draft: stands for strengths that nobody has found yet."""

Strengths = Mapping[str, tuple[float, ...]]
"""Automatic strengths that were found, one for each edit, by strength_id."""


@dataclass(frozen=True, slots=True, eq=False)
class SweepPlan:
    """A sweep with all its trials."""

    expanded: ExpandedSweep
    directions: SweepDirections
    trials: tuple[Trial, ...]
    specs: Mapping[str, GenerationSpec]
    """What is to be generated, by generation_id, each once; neighbours can share a batch."""

    @property
    def plan_id(self) -> str:
        """Stands for its generations: other directions, strengths or types of numbers make another plan."""
        return digest_of([self.expanded.sweep_id, [one.generation_id for one in self.trials]])


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What trials are made of."""

    expanded: ExpandedSweep
    directions: SweepDirections
    draft: bool
    """Whether directions and strengths may be missing; what needs them has an id of its own then."""

    def vector(
        self, condition: Condition, role: Role, setting: Setting, target: str, layer: int
    ) -> VectorRow | None:
        """The direction of an edit; None where a draft lacks it."""
        try:
            return self.directions.of(role, setting, target, layer, condition.control)
        except NotFound:
            if self.draft:
                return None
            raise


def wanted_strengths(
    expanded: ExpandedSweep, directions: SweepDirections, *, draft: bool = False
) -> tuple[WantedStrengths, ...]:
    """The automatic strengths that trials need, each once.

    Args:
        expanded: the sweep.
        directions: of its settings.
        draft: whether some of them may be missing.

    Raises:
        InvalidInput: a setting cannot have automatic strengths.
        NotFound: a direction is not there.
    """
    given = _Given(expanded, directions, draft)
    wanted = (
        _wanted(given, condition, setting)
        for pair, settings in expanded.pairs.items()
        for condition in conditions(expanded, pair)
        for setting in settings
        if setting.automatic
    )
    return tuple({one.strength_id: one for one in wanted}.values())


def plan_trials(
    expanded: ExpandedSweep, directions: SweepDirections, strengths: Strengths, *, draft: bool = False
) -> SweepPlan:
    """Every generation of every setting, with twins and controls.

    Args:
        expanded: the sweep.
        directions: of its settings.
        strengths: those that `wanted_strengths` names.
        draft: whether directions and strengths may be missing; trials that need them have ids of their own.

    Raises:
        NotFound: a direction is not there.
    """
    given = _Given(expanded, directions, draft)
    made = [
        (Trial(condition, role, setting, spec.generation_id), spec)
        for pair, settings in expanded.pairs.items()
        for condition in conditions(expanded, pair)
        for role, setting, spec in _of_condition(given, condition, settings, strengths)
    ]
    ordered = sorted(made, key=lambda one: (len(one[1].text.split()), one[1].text, one[0].generation_id))
    specs = {trial.generation_id: spec for trial, spec in ordered}
    return SweepPlan(expanded, directions, tuple(trial for trial, _ in made), specs)


def conditions(expanded: ExpandedSweep, pair: Pair) -> Iterator[Condition]:
    """Every prompt of a pair with every random state."""
    concept = expanded.concept(pair)
    prompts = [(text, audio) for text in concept.texts for audio in concept.audio_of(pair.source)]
    return conditions_of(pair, prompts, expanded.configuration.random_states)


def count_random_directions(expanded: ExpandedSweep) -> dict[str, int]:
    """How many random directions a place needs, by concept, so that every condition has its control."""
    counts = {one.name: 0 for one in expanded.configuration.concepts}
    if expanded.configuration.controls.random:
        for pair in expanded.pairs:
            numbers = (1 + condition.control for condition in conditions(expanded, pair))
            counts[pair.concept] = max(counts[pair.concept], *numbers)
    return counts


def _of_condition(
    given: _Given, condition: Condition, settings: Sequence[Setting], strengths: Strengths
) -> Iterator[tuple[Role, Setting | None, GenerationSpec]]:
    """The unsteered twin, the prompt-only control where texts can ask for the target, and every setting."""
    controls = given.expanded.configuration.controls
    unsteered = _unsteered(given, condition)
    yield "unsteered", None, unsteered
    if controls.prompt and given.expanded.concept(condition.pair).asks:
        yield "prompt", None, replace(unsteered, text=target_text(condition.pair, condition.template))
    roles: list[Role] = ["steered"]
    roles += ["random"] if controls.random else []
    roles += ["text"] if controls.text else []
    for setting in settings:
        alphas = _alphas(given, condition, setting, strengths)
        for role in roles:
            edits = _edits(given, condition, role, setting, alphas)
            yield role, setting, replace(unsteered, edits=edits, rows=cast("SteeredRows", setting.rows))


def _unsteered(given: _Given, condition: Condition) -> GenerationSpec:
    text = source_text(condition.pair, condition.template)
    spec = replace(given.expanded.base, text=text, random_state=condition.random_state)
    if not condition.audio:
        return spec
    sound = given.expanded.sounds[condition.audio]
    if sound.melody is not None:
        spec = replace(spec, melody_sha256=sound.melody.sha256)
    return replace(spec, audio_prompt=sound.prompt, seconds=spec.seconds + sound.prompt.seconds)


def _alphas(given: _Given, condition: Condition, setting: Setting, strengths: Strengths) -> tuple[float, ...]:
    """One per target and layer."""
    count = len(setting.pair.targets) * len(setting.layers)
    if not isinstance(setting.alpha, str):
        return (setting.alpha,) * count
    wanted = _wanted(given, condition, setting)
    return (
        strengths.get(wanted.strength_id, (UNKNOWN,) * count)
        if given.draft
        else strengths[wanted.strength_id]
    )


def _wanted(given: _Given, condition: Condition, setting: Setting) -> WantedStrengths:
    """What decides the automatic strengths of a trial."""
    pair = setting.pair
    if len(pair.targets) > 1:
        raise InvalidInput(
            f"Automatic strengths are for one target, and {pair.source}:{pair.target} has several. Give "
            "numbers, or another sweep for this pair."
        )
    edits = _edits(given, condition, "steered", setting, (0.0,) * len(setting.layers))
    cap = target_text(pair, condition.template) if given.expanded.configuration.cap_auto else None
    return WantedStrengths(_unsteered(given, condition), edits, cap)


def _edits(
    given: _Given, condition: Condition, role: Role, setting: Setting, alphas: Sequence[float]
) -> tuple[EditSpec, ...]:
    """One edit for each target and layer; several targets share the strength."""
    places = [(target, layer) for target in setting.pair.targets for layer in setting.layers]
    return tuple(
        _edit(given, condition, role, setting, target, layer, alpha)
        for (target, layer), alpha in zip(places, alphas, strict=True)
    )


def _edit(
    given: _Given,
    condition: Condition,
    role: Role,
    setting: Setting,
    target: str,
    layer: int,
    alpha: float,
) -> EditSpec:
    """Each direction is watched by its own statistics, random ones too."""
    vector = given.vector(condition, role, setting, target, layer)
    watched = None if setting.monitor == NONE else vector
    manner = manner_from(
        setting,
        layer=layer,
        schedule=parse_schedule(setting.schedule),
        weight=1 / len(setting.pair.targets),
        away=alpha < 0,
        monitor=None if watched is None else monitor_of(setting.monitor, watched),
    )
    unknown = _draft_id(condition, role, setting, target, layer)
    return EditSpec(**manner, vector_id=unknown if vector is None else vector.vector_id, alpha=alpha)


def _draft_id(condition: Condition, role: Role, setting: Setting, target: str, layer: int) -> str:
    """Stands for a direction that is not fitted yet."""
    control = condition.control if role == "random" else None
    alone = ["text"] if role == "text" else []
    return digest_of([setting_id_of(setting), target, layer, control, *alone])
