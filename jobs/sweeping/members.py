"""Every generation of a sweep in its place: cells of prompts and random states, with twins and controls."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

from jobs.generation.edit_options import monitor_of
from jobs.generation.specification import EditSpec, GenerationSpec
from jobs.results import digest_of
from jobs.steering_vectors.stored import StoredVector
from jobs.sweeping.audio_prompts import PromptSound
from jobs.sweeping.configuration import SteeredConcept, SweepConfiguration
from jobs.sweeping.directions import SweepDirections
from jobs.sweeping.grid import NONE
from jobs.sweeping.settings import Pair, Role, Setting
from jobs.sweeping.strengths import WantedStrengths
from pipelines.edits import Monitor
from store.errors import InvalidInput, NotFound

Half = Literal["choose", "report"]
RANDOM_DIRECTIONS = 16
"""Each cell has one of its own, while these suffice: random directions differ much in how far they move."""
UNKNOWN = 1.0
"""Stands for strengths that nobody has found yet."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One prompt and one random state: what a steered generation and its twin and controls have in common."""

    pair: Pair
    template: str
    audio: str
    """Audio prompt, as the sweep's file names it; "": none."""
    random_state: int
    control: int
    """Which random direction controls it."""
    half: Half
    """Settings are chosen on one half of the cells and reported on the other."""

    @property
    def prompt(self) -> tuple[str, str]:
        """Text and audio."""
        return self.template, self.audio


@dataclass(frozen=True, slots=True)
class Member:
    """One generation in its place in the sweep; several members may share a generation."""

    cell: Cell
    role: Role
    setting: Setting | None
    """None for what all settings of a pair share: the unsteered twin and the prompt-only edit."""
    spec: GenerationSpec
    generation_id: str


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What members are made of."""

    configuration: SweepConfiguration
    base: GenerationSpec
    """What all generations have in common."""
    directions: SweepDirections
    sounds: Mapping[str, PromptSound]
    """Audio prompts by name."""
    strengths: Mapping[str, tuple[float, ...]]
    """Automatic strengths that were found, by strength_id."""
    fitted: bool
    """Whether all directions are there; else generations that lack one have ids of their own."""


def members_of(
    settings: Sequence[Setting], given: Ingredients
) -> tuple[tuple[Member, ...], tuple[WantedStrengths, ...]]:
    """Every generation of every setting, and the strengths that are still to be found for them.

    As long as some are wanted, the members that need them have ids of their own.

    Raises:
        NotFound: all directions should be there, and one is not.
    """
    wanted: dict[str, WantedStrengths] = {}
    by_pair: dict[Pair, list[Setting]] = {}
    for setting in settings:
        by_pair.setdefault(setting.pair, []).append(setting)
    concepts = {one.name: one for one in given.configuration.concepts}
    members = [
        member
        for pair, own in by_pair.items()
        for cell in _cells(given.configuration, concepts[pair.concept], pair)
        for member in _members_of_cell(cell, own, given, wanted, asks=concepts[pair.concept].asks)
    ]
    return tuple(members), tuple(wanted.values())


def units_of(prompts: Sequence[tuple[str, str]]) -> list[str]:
    """What makes prompts independent witnesses: their recording where there are several, else their text.

    Music continues its recording more than its text, so that texts of one recording say much the same.
    """
    side = 1 if len({audio for _, audio in prompts}) > 1 else 0
    return [prompt[side] for prompt in prompts]


def _cells(configuration: SweepConfiguration, concept: SteeredConcept, pair: Pair) -> Iterator[Cell]:
    """Every prompt with every random state; units alternate between the halves, in order of a hash."""
    states = configuration.random_states
    prompts = [(text, audio) for text in concept.texts for audio in concept.audio_of(pair.source)]
    units = units_of(prompts)
    ordered = sorted(set(units), key=lambda unit: sha256(unit.encode()).digest())
    alone = len(ordered) == 1
    placed = sorted((ordered.index(unit), prompt) for unit, prompt in zip(units, prompts, strict=True))
    for row, (place, (template, audio)) in enumerate(placed):
        for number, state in enumerate(states):
            half: Half = "choose" if (number if alone else place) % 2 == 0 else "report"
            control = (row * len(states) + number) % RANDOM_DIRECTIONS
            yield Cell(pair, template, audio, state, control, half)


def count_random_directions(
    configuration: SweepConfiguration, concept: SteeredConcept, pairs: Iterable[Pair]
) -> int:
    """How many random directions a place needs, so that every cell of these pairs has its control."""
    if not configuration.controls.random:
        return 0
    cells = (cell for pair in pairs for cell in _cells(configuration, concept, pair))
    return max((1 + cell.control for cell in cells), default=0)


def _members_of_cell(
    cell: Cell,
    settings: Sequence[Setting],
    given: Ingredients,
    wanted: dict[str, WantedStrengths],
    *,
    asks: bool,
) -> Iterator[Member]:
    """The unsteered twin, the prompt-only edit where texts can ask for the target, and every setting."""
    controls = given.configuration.controls
    unsteered = _unsteered(cell, given)
    yield _member(cell, "unsteered", None, unsteered)
    if controls.prompt and asks:
        asked = replace(unsteered, text=cell.pair.target_text(cell.template))
        yield _member(cell, "prompt", None, asked)
    roles: list[Role] = ["steered"]
    roles += ["random"] if controls.random else []
    roles += ["text"] if controls.text else []
    for setting in settings:
        strengths = _strengths(cell, setting, unsteered, given, wanted)
        for role in roles:
            edits = _edits(setting, cell, role, given, strengths)
            yield _member(cell, role, setting, replace(unsteered, edits=edits, rows=setting.rows))


def _member(cell: Cell, role: Role, setting: Setting | None, spec: GenerationSpec) -> Member:
    return Member(cell, role, setting, spec, spec.generation_id)


def _unsteered(cell: Cell, given: Ingredients) -> GenerationSpec:
    spec = replace(given.base, text=cell.pair.source_text(cell.template), random_state=cell.random_state)
    if not cell.audio:
        return spec
    prompt = given.sounds[cell.audio].prompt
    return replace(spec, audio_prompt=prompt, seconds=spec.seconds + prompt.seconds)


def _strengths(
    cell: Cell,
    setting: Setting,
    unsteered: GenerationSpec,
    given: Ingredients,
    wanted: dict[str, WantedStrengths],
) -> tuple[float, ...]:
    """One per target and layer; what is not known yet is noted among the wanted."""
    count = len(setting.pair.targets) * len(setting.layers)
    if not isinstance(setting.alpha, str):
        return (setting.alpha,) * count
    if len(setting.pair.targets) > 1:
        raise InvalidInput(
            f"Automatic strengths are for one target, and {setting.pair.source}:{setting.pair.target} has "
            "several. Give numbers, or another sweep for this pair."
        )
    edits = _edits(setting, cell, "steered", given, (0.0,) * count)
    cap_text = cell.pair.target_text(cell.template) if given.configuration.cap_auto else None
    one = WantedStrengths(unsteered, edits, cap_text)
    if one.strength_id in given.strengths:
        return given.strengths[one.strength_id]
    wanted[one.strength_id] = one
    return (UNKNOWN,) * count


def _edits(
    setting: Setting, cell: Cell, role: Role, given: Ingredients, strengths: Sequence[float]
) -> tuple[EditSpec, ...]:
    """One edit for each target and layer; several targets share the strength."""
    places = [(target, layer) for target in setting.pair.targets for layer in setting.layers]
    return tuple(
        EditSpec(
            vector_id=_vector_id(setting, cell, role, target, layer, given),
            site=setting.site,
            layer=layer,
            alpha=alpha,
            kind=setting.kind,
            scaling=setting.scaling,
            schedule=setting.schedule,
            weight=1 / len(setting.pair.targets),
            away=alpha < 0,
            monitor=_monitor(setting, cell, role, target, layer, given),
        )
        for (target, layer), alpha in zip(places, strengths, strict=True)
    )


def _vector_id(setting: Setting, cell: Cell, role: Role, target: str, layer: int, given: Ingredients) -> str:
    vector = _vector(setting, cell, role, target, layer, given)
    if vector is not None:
        return vector.vector_id
    control = cell.control if role == "random" else None
    alone = ["text"] if role == "text" else []
    return digest_of([setting.setting_id, target, layer, control, *alone])


def _monitor(
    setting: Setting, cell: Cell, role: Role, target: str, layer: int, given: Ingredients
) -> Monitor | None:
    """Each direction is watched by its own statistics, random ones too."""
    vector = None if setting.monitor == NONE else _vector(setting, cell, role, target, layer, given)
    return None if vector is None else monitor_of(setting.monitor, vector)


def _vector(
    setting: Setting, cell: Cell, role: Role, target: str, layer: int, given: Ingredients
) -> StoredVector | None:
    """None where it is still to be fitted."""
    try:
        if role == "random":
            return given.directions.control(setting, target, layer, cell.control)
        if role == "text":
            return given.directions.text_alone(setting, target, layer)
        return given.directions.steered(setting, target, layer)
    except NotFound:
        if given.fitted:
            raise
        return None
