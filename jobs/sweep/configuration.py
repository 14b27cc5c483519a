"""Read a sweep's TOML file as records of concepts, prompts, grid and controls, checked whole."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from analysis.effects.choice import Limits
from analysis.effects.settings import AUTO, Pair, Strength
from jobs.sweep.grid import Grid, refuse_more_than, refuse_twice
from jobs.user_files import read_toml
from pipelines.generation import MOST_SECONDS
from pipelines.scorers.clap import TEMPLATE
from store.errors import InvalidInput, NotFound

SHIPPED = Path(__file__).with_name("sweeps")
CLASS = "{class}"
MOST_GENERATIONS = 10_000_000
MOST_LAYER = 1_000_000
MOST_RANDOM_STATE = 2**63 - 1
DIRECTION_CLIPS = ("all", "half")
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class SteeredConcept:
    """One `[[concepts]]` of a sweep: what is steered from which class to which."""

    name: str
    """Label column, as in the view `clips`."""
    pairs: tuple[str, ...] = ("all",)
    """"SOURCE:TARGET", or "SOURCE:TARGET+TARGET" to steer to two at once; "all" is every ordered pair."""
    texts: tuple[str, ...] = (CLASS + " music",)
    """Prompts, with {class} where the class goes: filled with the source for the sounds that are steered, and
    with the target for the control that asks in words. Without {class} there is no such control."""
    labels: str = ""
    """Query that gives clip_id and this label; by default the column of that name in the run's dataset."""
    audio: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Recordings to continue, for each source class: paths, or "clip:ID" of clips in the store."""

    def audio_of(self, source: str) -> tuple[str, ...]:
        """Audio prompts for a source; "" stands for none."""
        return dict(self.audio).get(source, ("",))

    @property
    def asks(self) -> bool:
        """Whether its texts can ask for the target in words: they name the class, or say nothing at all."""
        return _names_class(self.texts[0])

    def __post_init__(self) -> None:
        if not self.pairs or not self.texts:
            raise InvalidInput(f"Concept {self.name!r} needs at least one pair and one text.")
        where = f"[[concepts]] {self.name}"
        refuse_twice(f"{where} pairs", self.pairs)
        refuse_twice(f"{where} texts", self.texts)
        for source, recordings in self.audio:
            refuse_twice(f"{where} audio of {source!r}", recordings)
        for text in self.texts:
            if _names_class(text) != self.asks:
                raise InvalidInput(
                    f"{where} texts: {self.texts[0]!r} and {text!r} do not go together, one without {CLASS}: "
                    "only the other can ask for the target in words, the control. Write two sweeps."
                )


@dataclass(frozen=True, slots=True)
class SamplingValues:
    """`[sampling]`: how tokens are chosen; the defaults are audiocraft's."""

    guidance: float = 3.0
    """Coefficient of classifier-free guidance; 1 is none."""
    temperature: float = 1.0
    """What scores of tokens are divided by; 0 takes the likeliest token."""
    top_k: int = 250
    """Only so many of the likeliest tokens may be drawn; 0 is no limit."""
    top_p: float = 0.0
    """Instead of top_k: only the likeliest tokens that together have this probability are drawn; 0: off."""


@dataclass(frozen=True, slots=True)
class Controls:
    """`[controls]`: what every setting is compared with, beside its unsteered twin."""

    random: bool = True
    """Random directions of the same length, site, layer and strength; another one for each random state."""
    prompt: bool = True
    """The target's prompt, unsteered."""
    text: str = ""
    """Directions of the text alone: between runs of the same clips that were extracted with this text, each
    class in turn in its braces. "" is none."""

    def __post_init__(self) -> None:
        if self.text and CLASS not in self.text:
            raise InvalidInput(
                f"[controls] text = {self.text!r} names no class: write {CLASS} into it, as in "
                f'text = "{CLASS} music", and extract the clips with the text of each class.'
            )


@dataclass(frozen=True, slots=True)
class SweepConfiguration:
    """A sweep as its file says it."""

    name: str
    concepts: tuple[SteeredConcept, ...]
    question: str = ""
    """What the sweep asks; it opens its section of the report."""
    seconds: float = 4.0
    """Length of each generation, beyond its audio prompt."""
    audio_seconds: float = 2.0
    """Length of the audio prompts, for concepts that have some."""
    melody: str = ""
    """Recording whose melody all generations follow, for models that take one; "" is none."""
    melody_column: str = ""
    """Label that names, below the root of its dataset, the melody of each "clip:ID" that sounds continue."""
    direction_clips: str = "all"
    """Which clips directions are fitted on: "all", or those of "half" of the groups, chosen by a hash. Then a
    probe that is fitted on the other half can score what steering did."""
    cap_auto: bool = False
    """Whether automatic strengths stop where the target's prompt alone would bring the last layer."""
    random_states: tuple[int, ...] = (0, 1, 2, 3)
    """Seeds of the sampling noise: every prompt is generated once with each."""
    grid: Grid = field(default_factory=Grid)
    sampling: SamplingValues = field(default_factory=SamplingValues)
    controls: Controls = field(default_factory=Controls)
    choice: Limits = field(default_factory=Limits)
    clap_template: str = TEMPLATE
    """What the name of a class is put into, at {}, before CLAP compares it with a sound."""
    measure: tuple[str, ...] = ()
    """Label columns whose classes are scored too, beside the steered ones: what else does steering change?"""

    def __post_init__(self) -> None:
        if not self.concepts:
            raise InvalidInput('A sweep needs a concept: [[concepts]] with name = "style", for example.')
        if not self.random_states:
            raise InvalidInput("random_states is empty: give at least one, or leave the line out.")
        if not all(0 <= state <= MOST_RANDOM_STATE for state in self.random_states):
            raise InvalidInput("random_states must be whole numbers from 0 to 2**63 - 1.")
        self._refuse_endless()
        refuse_twice("random_states", self.random_states)
        refuse_twice("measure", self.measure)
        refuse_twice("[[concepts]]", [one.name for one in self.concepts])
        for one in self.concepts:
            if self.cap_auto and AUTO in self.grid.alphas and not one.asks:
                raise InvalidInput(
                    f"cap_auto: the cap is what a text that asks for the target would change, and "
                    f"{one.texts[0]!r} asks for no class. Write {CLASS} into the texts of {one.name!r}, or "
                    "cap_auto = false."
                )
        if "{}" not in self.clap_template:
            raise InvalidInput(f"clap_template {self.clap_template!r} must hold {{}}, where the class goes.")
        if self.direction_clips not in DIRECTION_CLIPS:
            raise InvalidInput(
                f"direction_clips = {self.direction_clips!r}: choose {' or '.join(DIRECTION_CLIPS)}."
            )
        for name in ("seconds", "audio_seconds"):
            if not 0 < getattr(self, name) <= MOST_SECONDS:
                raise InvalidInput(
                    f"{name} = {getattr(self, name)}: a sound must have a length, at most {MOST_SECONDS:g} s."
                )

    def _refuse_endless(self) -> None:
        """By arithmetic, before anything of it is made; "all" counts as one here, and is counted later."""
        sounds = sum(len(one.pairs) * len(one.texts) for one in self.concepts) * len(self.random_states)
        refuse_more_than(MOST_GENERATIONS, self.grid.combinations * sounds, "generations")


def source_text(pair: Pair, template: str) -> str:
    """The prompt of the source, which is steered."""
    return template.replace(CLASS, pair.source)


def target_text(pair: Pair, template: str) -> str:
    """The prompt that asks for the target in words; without one for the source, the plainest."""
    return (template or f"{CLASS} music").replace(CLASS, " and ".join(pair.targets))


def _names_class(text: str) -> bool:
    """Whether a text has another form for the target; the empty one, beside a recording, has the plainest."""
    return not text or CLASS in text


def shipped_sweeps() -> dict[str, Path]:
    """The sweeps that come with Undertone, by name."""
    return {path.stem.replace("_", "-"): path for path in sorted(SHIPPED.glob("*.toml"))}


def find_sweep(name: str) -> Path:
    """The file of a sweep: a path, or the name of one that comes with Undertone; raises `NotFound`."""
    path = Path(name).expanduser()
    if path.is_file():
        return path
    shipped = shipped_sweeps()
    if name in shipped:
        return shipped[name]
    near = get_close_matches(name, shipped, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NotFound(
        f"There is no file {name!r}, and no sweep of that name comes with Undertone; these do: "
        f"{', '.join(shipped)}.{hint}"
    )


def read_sweep(path: Path) -> SweepConfiguration:
    """Read and check a sweep.

    Raises:
        InvalidInput: no TOML, an unknown key, or a value that is not legal; the message names it.
    """
    return parse_sweep({"name": path.stem.replace("_", "-")} | read_toml(path))


def parse_sweep(document: Mapping[str, Any]) -> SweepConfiguration:
    """A sweep from the content of its file; raises `InvalidInput`."""
    values = dict(document)
    concepts = values.pop("concepts", [])
    if not isinstance(concepts, list) or not all(isinstance(one, dict) for one in concepts):
        raise InvalidInput("Concepts are written as [[concepts]], with two brackets.")
    values["concepts"] = tuple(
        _record(SteeredConcept, _audio_as_pairs(one), "[[concepts]]") for one in concepts
    )
    for name, kind in (
        ("grid", Grid),
        ("sampling", SamplingValues),
        ("controls", Controls),
        ("choice", Limits),
    ):
        if name in values:
            values[name] = _record(kind, _layers_as_lists(values[name]), f"[{name}]")
    configuration = _record(SweepConfiguration, values, "the sweep")
    if "sampling" in values:
        from pipelines.generation.sampling import Sampling

        Sampling(**asdict(configuration.sampling))  # raises where a value is not legal
    return configuration


def _layers_as_lists(table: Mapping[str, Any]) -> dict[str, Any]:
    """`layers = "all"`, or numbers and lists of numbers, all as tuples."""
    if not isinstance(table, Mapping):
        raise InvalidInput(f"{table!r} should be a table of settings.")
    values = dict(table)
    layers = values.pop("layers", "all")
    if layers == "all":
        return values
    try:
        listed = [one if isinstance(one, list) else [one] for one in layers]
    except TypeError as error:
        raise _no_layers(layers) from error
    if not all(_is(layer, int) and 0 <= layer <= MOST_LAYER for one in listed for layer in one):
        raise _no_layers(layers)
    return values | {"layers": tuple(map(tuple, listed))}


def _no_layers(layers: Any) -> InvalidInput:
    return InvalidInput(
        f'layers = {str(layers)[:80]}: write "all", or whole numbers and lists, as in [0, 3, [2, 3]].'
    )


def _audio_as_pairs(concept: Mapping[str, Any]) -> dict[str, Any]:
    """`audio = { rock = ["song.wav", "clip:ID"] }` as pairs, which can be hashed."""
    values = dict(concept)
    if "audio" not in values:
        return values
    table = values["audio"]
    if not isinstance(table, Mapping):
        raise InvalidInput('audio: write a table of lists, as in audio = { rock = ["song.wav", "clip:ID"] }.')
    pairs = [(name, [paths] if isinstance(paths, str) else paths) for name, paths in table.items()]
    if not all(isinstance(paths, list) and all(_is(one, str) for one in paths) for _, paths in pairs):
        raise InvalidInput("audio: paths and clip:ID are texts; look at a shipped sweep (--show).")
    return values | {"audio": tuple((name, tuple(paths)) for name, paths in pairs if paths)}


def _record(kind: type[Record], values: Mapping[str, Any], where: str) -> Record:
    known: dict[str, Any] = {one.name: one.type for one in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - set(known)):
        raise InvalidInput(f"{where} has no {unknown[0]!r}; it knows {', '.join(known)}.")
    try:
        return kind(**{name: _typed(name, value, known[name], where) for name, value in values.items()})
    except TypeError as error:
        missing = [name for name in ("name", "concepts") if name in known and name not in values]
        raise InvalidInput(f"{where} lacks {', '.join(missing) or error}.") from error


def _typed(name: str, value: Any, wanted: Any, where: str) -> Any:
    """The value as the field's type: lists become tuples, whole numbers may stand for others."""
    if name == "alphas":
        return _strengths(value, where)
    if wanted in _LISTS:
        element = _LISTS[wanted]
        listed = [value] if isinstance(value, element) else value
        if isinstance(listed, Sequence) and all(_is(one, element) for one in listed):
            return tuple(element(one) for one in listed)
    elif wanted is float and _is(value, float):
        return float(value)
    elif wanted not in (str, int, bool, float) or (isinstance(value, wanted) and _is(value, wanted)):
        return value
    raise InvalidInput(
        f"{where} {name} = {str(value)[:80]!r} has the wrong type; look at a shipped sweep (--show)."
    )


def _strengths(value: Any, where: str) -> tuple[Strength, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    if unknown := [one for one in listed if one != AUTO and not _is(one, float)]:
        raise InvalidInput(f'{where} alphas: {str(unknown[0])[:80]!r} is neither a number nor "{AUTO}".')
    return tuple(one if one == AUTO else float(one) for one in listed)


def _is(value: Any, kind: type) -> bool:
    """Whether a TOML value may stand for the kind; true and false are no numbers."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and _is_within(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _is_within(value: Any) -> bool:
    """Whether a float can hold it: whole numbers in TOML have no end."""
    return isinstance(value, float) or abs(value) <= sys.float_info.max


_LISTS: dict[Any, type] = {tuple[str, ...]: str, tuple[int, ...]: int, tuple[float, ...]: float}
