"""From a sweep's file and a store to every generation it needs, each named by the hash of what it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from jobs.fitting.labels import resolve_labels
from jobs.generation.specification import EditSpec, GenerationSpec
from jobs.results import digest_of
from jobs.sweeping.configuration import SteeredConcept, SweepConfiguration
from jobs.sweeping.directions import (
    REDUCTION,
    FitOptions,
    SweepDirections,
    find_directions,
    fit_directions_of,
)
from jobs.sweeping.settings import Pair, Role, Setting, expand, read_pairs
from pipelines.musicgen import describe_model
from store.collection import Collection
from store.errors import InvalidInput, NotFound
from store.opening import Store

Half = Literal["choose", "report"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One prompt and one random state: what a steered generation and its twin and controls have in common."""

    pair: Pair
    template: str
    random_state: int
    number: int
    """Of the random state: which random direction controls it."""
    half: Half
    """Settings are chosen on one half of the cells and reported on the other."""


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
class SweepPlan:
    """A resolved sweep."""

    configuration: SweepConfiguration
    run_id: str
    model: Mapping[str, Any]
    """As the run's document describes it."""
    labels: Mapping[str, str]
    """Label query by concept, of those steered and those only measured."""
    classes: Mapping[str, tuple[str, ...]]
    settings: tuple[Setting, ...]
    members: tuple[Member, ...]
    directions: SweepDirections
    model_name: str
    """As `load_musicgen` takes it."""

    @property
    def sweep_id(self) -> str:
        """Stands for the file and the run it was applied to."""
        return digest_of([asdict(self.configuration), self.run_id])

    def generations(self) -> dict[str, GenerationSpec]:
        """What is to be generated, each once, ordered so that neighbours can share a batch."""
        every = {one.generation_id: one.spec for one in self.members}
        return dict(
            sorted(every.items(), key=lambda item: (len(item[1].text.split()), item[1].text, item[0]))
        )


def plan_sweep(
    store: Store,
    configuration: SweepConfiguration,
    run: Collection,
    *,
    model: str = "",
    dtype: str = "float32",
    fit: FitOptions | None,
) -> SweepPlan:
    """Expand a sweep.

    Args:
        store: where runs and directions are.
        configuration: what the sweep's file says.
        run: the run whose directions steer its model.
        model: where that model is, if its name does not tell.
        dtype: of the language model.
        fit: where to fit directions that are missing; None fits none, and generations that need them have
            ids of their own in the plan.

    Raises:
        UndertoneError: a concept, class, site or layer is not there.
    """
    model_name = _model_name(run.document["model"], model)
    run_id = run.prefix.removeprefix("runs/")
    labels = _label_queries(configuration, run)
    classes = _classes(store, run, labels)
    layers = {site: run.layers(f"{site}.{REDUCTION}") for site in _sites(run)}
    settings = [
        setting
        for concept in configuration.concepts
        for setting in expand(configuration.grid, read_pairs(concept, classes[concept.name]), layers)
    ]
    randoms = len(configuration.random_states) if configuration.controls.random else 0
    if fit is not None:
        for concept in configuration.concepts:
            own = [one for one in settings if one.pair.concept == concept.name]
            fit_directions_of(store, run_id, labels[concept.name], own, randoms=randoms, fit=fit)
    directions = find_directions(store, run_id, labels)
    base = _base_spec(configuration, run.document["model"], dtype)
    members = tuple(_members(configuration, settings, directions, base, fitted=fit is not None))
    return SweepPlan(
        configuration,
        run_id,
        run.document["model"],
        labels,
        classes,
        tuple(settings),
        members,
        directions,
        model_name,
    )


def only_run(store: Store, wanted: str) -> Collection:
    """The run that was named, or the only one there is.

    Raises:
        InvalidInput: there are several.
        NotFound: there is no such run.
    """
    runs = store.runs()
    if not wanted and len(runs) != 1:
        raise InvalidInput(
            f"{store.url} has {len(runs)} runs ({', '.join(runs) or 'extract one first'}): say --run, whose "
            "directions and model the sweep is to use."
        )
    return store.run(wanted or runs[0])


def _model_name(described: Mapping[str, Any], given: str) -> str:
    """Name or folder of the run's model; raises `InvalidInput` where another model is there."""
    revision = described["revision"]
    name = given or (f"{described['name']}@{revision}" if revision else described["name"])
    try:
        info = describe_model(name)
    except NotFound as error:
        raise NotFound(f"{error} The run was made with {name!r}: say --model with its folder.") from error
    if info.fingerprint != described["fingerprint"]:
        raise InvalidInput(
            f"{name!r} is not the model that the run was made with ({info.fingerprint[:12]} instead of "
            f"{described['fingerprint'][:12]}), and directions mean nothing in another one. Extract again, "
            "or say --model with the folder of the old one."
        )
    return str(name)


def _sites(run: Collection) -> list[str]:
    return [name.split(".")[0] for name in run.arrays if name.endswith(f".{REDUCTION}")]


def _label_queries(configuration: SweepConfiguration, run: Collection) -> dict[str, str]:
    dataset = run.document["dataset"]["name"]
    queries = {one.name: one.labels or _label_query(one.name, dataset) for one in configuration.concepts}
    return queries | {
        name: _label_query(name, dataset) for name in configuration.measure if name not in queries
    }


def _label_query(concept: str, dataset: str) -> str:
    column, name = concept.replace('"', '""'), dataset.replace("'", "''")
    return f'SELECT clip_id, "{column}" FROM clips WHERE dataset = \'{name}\' AND "{column}" IS NOT NULL'  # noqa: S608 (quoted)


def _classes(store: Store, run: Collection, labels: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    classes = {}
    for name, query in labels.items():
        found = {concept.name: concept for concept in resolve_labels(store, run, query).concepts}
        if name not in found or found[name].kind != "class":
            raise InvalidInput(
                f"The labels of {name!r} must be a column of that name with classes, not numbers; the query "
                f"gives {', '.join(found)}. Make classes with CASE WHEN … THEN … ELSE … END AS {name}."
            )
        classes[name] = found[name].classes
    return classes


def _base_spec(configuration: SweepConfiguration, model: Mapping[str, Any], dtype: str) -> GenerationSpec:
    return GenerationSpec(
        model=model["name"],
        model_fingerprint=model["fingerprint"],
        codec_fingerprint=model["codec_fingerprint"],
        seconds=configuration.seconds,
        dtype=dtype,
        **asdict(configuration.sampling),
    )


def _members(
    configuration: SweepConfiguration,
    settings: Sequence[Setting],
    directions: SweepDirections,
    base: GenerationSpec,
    *,
    fitted: bool,
) -> Iterator[Member]:
    by_pair: dict[Pair, list[Setting]] = {}
    for setting in settings:
        by_pair.setdefault(setting.pair, []).append(setting)
    concepts = {one.name: one for one in configuration.concepts}
    roles: tuple[Role, ...] = ("steered", "random") if configuration.controls.random else ("steered",)
    for pair, own in by_pair.items():
        for cell in _cells(configuration, concepts[pair.concept], pair):
            unsteered = replace(base, text=pair.source_text(cell.template), random_state=cell.random_state)
            yield _member(cell, "unsteered", None, unsteered)
            if configuration.controls.prompt:
                asked = replace(unsteered, text=pair.target_text(cell.template))
                yield _member(cell, "prompt", None, asked)
            for setting in own:
                for role in roles:
                    edits = _edits(setting, cell, role, directions, fitted=fitted)
                    yield _member(cell, role, setting, replace(unsteered, edits=edits, rows=setting.rows))


def _member(cell: Cell, role: Role, setting: Setting | None, spec: GenerationSpec) -> Member:
    return Member(cell, role, setting, spec, spec.generation_id)


def _cells(configuration: SweepConfiguration, concept: SteeredConcept, pair: Pair) -> Iterator[Cell]:
    """Every prompt with every random state; prompts alternate between the halves, in order of a hash."""
    states = configuration.random_states
    templates = sorted(concept.texts, key=lambda text: sha256(text.encode()).digest())
    alone = len(templates) == 1
    for place, template in enumerate(templates):
        for number, state in enumerate(states):
            half: Half = "choose" if (number if alone else place) % 2 == 0 else "report"
            yield Cell(pair, template, state, number, half)


def _edits(
    setting: Setting, cell: Cell, role: Role, directions: SweepDirections, *, fitted: bool
) -> tuple[EditSpec, ...]:
    """One edit for each target and layer; several targets share the strength."""
    return tuple(
        EditSpec(
            vector_id=_vector_id(setting, cell, role, target, layer, directions, fitted=fitted),
            site=setting.site,
            layer=layer,
            alpha=setting.alpha,
            kind=setting.kind,
            scaling=setting.scaling,
            schedule=setting.schedule,
            weight=1 / len(setting.pair.targets),
            away=setting.alpha < 0,
        )
        for target in setting.pair.targets
        for layer in setting.layers
    )


def _vector_id(
    setting: Setting,
    cell: Cell,
    role: Role,
    target: str,
    layer: int,
    directions: SweepDirections,
    *,
    fitted: bool,
) -> str:
    try:
        if role == "random":
            return directions.control(setting, target, layer, cell.number).vector_id
        return directions.steered(setting, target, layer).vector_id
    except NotFound:
        if fitted:
            raise
        control = cell.number if role == "random" else None
        return digest_of([setting.setting_id, target, layer, control])
