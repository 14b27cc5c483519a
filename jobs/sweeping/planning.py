"""From a sweep's file and a store to every generation it needs, each named by the hash of what it is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from jobs.fitting.labels import resolve_labels
from jobs.generation.specification import GenerationSpec
from jobs.results import digest_of
from jobs.sweeping.audio_prompts import PromptSound, read_audio_prompts
from jobs.sweeping.configuration import SweepConfiguration
from jobs.sweeping.directions import (
    REDUCTION,
    FitOptions,
    SweepDirections,
    find_directions,
    fit_directions_of,
)
from jobs.sweeping.members import Ingredients, Member, count_random_directions, members_of
from jobs.sweeping.settings import Setting, expand, read_pairs
from jobs.sweeping.strengths import WantedStrengths, read_strengths
from jobs.sweeping.text_control import text_directions
from pipelines.musicgen import describe_model
from store.collection import Collection
from store.errors import InvalidInput, NotFound
from store.opening import Store

REFERENCE_CLIPS = 256
"""Clips of a concept that sounds are compared with: enough for a distance, few enough to listen to."""


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A resolved sweep."""

    configuration: SweepConfiguration
    run_id: str
    model: Mapping[str, Any]
    """As the run's document describes it."""
    labels: Mapping[str, str]
    """Label query by concept, of those steered and those only measured."""
    direction_labels: Mapping[str, str]
    """By concept, the query whose clips directions are fitted on: all that have labels, or half of them."""
    reference: Mapping[str, Mapping[str, str]]
    """By concept, clips of the dataset that sounds are compared with, each with its group."""
    reference_labels: Mapping[str, Mapping[str, str]]
    """By concept, the classes of these clips."""
    classes: Mapping[str, tuple[str, ...]]
    settings: tuple[Setting, ...]
    members: tuple[Member, ...]
    directions: SweepDirections
    model_name: str
    """As `load_musicgen` takes it."""
    sounds: Mapping[str, PromptSound]
    """Audio prompts by the names that the file gives them."""
    wanted: tuple[WantedStrengths, ...]
    """Automatic strengths that are to be found before the members that need them are what they will be."""

    dataset: str
    """Of the run."""

    @property
    def sweep_id(self) -> str:
        """Stands for the file and the run it was applied to."""
        return digest_of([asdict(self.configuration), self.run_id])

    @property
    def plan_id(self) -> str:
        """Stands for its generations: other directions, strengths or types of numbers make another plan."""
        return digest_of([self.sweep_id, [one.generation_id for one in self.members]])

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
    roots: Sequence[str] = (),
    fit: FitOptions | None,
) -> SweepPlan:
    """Expand a sweep.

    Args:
        store: where runs and directions are.
        configuration: what the sweep's file says.
        run: the run whose directions steer its model.
        model: where that model is, if its name does not tell.
        dtype: of the language model.
        roots: where datasets have their audio, as NAME=PATH; for audio prompts that are clips.
        fit: where to fit directions that are missing; None fits none, and generations that need them have
            ids of their own in the plan.

    Raises:
        UndertoneError: a concept, class, site or layer is not there.
    """
    model_name = _model_name(run.document["model"], model)
    run_id = run.prefix.removeprefix("runs/")
    labels = _label_queries(configuration, run)
    classes, known = _classes(store, run, labels)
    direction_labels = _direction_labels(configuration, labels)
    settings = _settings(configuration, run, classes)
    if fit is not None:
        for concept in configuration.concepts:
            own = [one for one in settings if one.pair.concept == concept.name]
            randoms = count_random_directions(configuration, concept, {one.pair for one in own})
            fit_directions_of(store, run_id, direction_labels[concept.name], own, randoms=randoms, fit=fit)
    directions = find_directions(store, run, direction_labels)
    if template := configuration.controls.text:
        text = text_directions(store, run, template, direction_labels, settings, fit=fit)
        directions = replace(directions, text=text)
    base = _base_spec(configuration, run.document["model"], dtype)
    sounds = _sounds(store, configuration, settings, model_name, roots)
    strengths = read_strengths(store) if any(one.automatic for one in settings) else {}
    given = Ingredients(configuration, base, directions, sounds, strengths, fitted=fit is not None)
    members, wanted = members_of(settings, given)
    return SweepPlan(
        configuration,
        run_id,
        run.document["model"],
        labels,
        direction_labels,
        {name: {clip: group for clip, (group, _) in clips.items()} for name, clips in known.items()},
        {name: {clip: label for clip, (_, label) in clips.items()} for name, clips in known.items()},
        classes,
        tuple(settings),
        members,
        directions,
        model_name,
        sounds,
        wanted,
        run.document["dataset"]["name"],
    )


def _direction_labels(configuration: SweepConfiguration, labels: Mapping[str, str]) -> dict[str, str]:
    """Label queries of the clips that directions are made of: all, or half of the groups."""
    half = configuration.direction_clips == "half"
    return {name: _half(query) if half else query for name, query in labels.items()}


def _settings(
    configuration: SweepConfiguration, run: Collection, classes: Mapping[str, Sequence[str]]
) -> list[Setting]:
    """Every combination of the grid, for every pair of every concept."""
    layers = {site: run.layers(f"{site}.{REDUCTION}") for site in _sites(run)}
    return [
        setting
        for concept in configuration.concepts
        for setting in expand(configuration.grid, read_pairs(concept, classes[concept.name]), layers)
    ]


def _sounds(
    store: Store,
    configuration: SweepConfiguration,
    settings: Sequence[Setting],
    model_name: str,
    roots: Sequence[str],
) -> dict[str, PromptSound]:
    """The audio prompts of the sources that are steered."""
    concepts = {one.name: one for one in configuration.concepts}
    pairs = dict.fromkeys(setting.pair for setting in settings)
    names = [name for pair in pairs for name in concepts[pair.concept].audio_of(pair.source) if name]
    if not names:
        return {}
    rate = describe_model(model_name).sample_rate
    return read_audio_prompts(
        store, names, seconds=configuration.audio_seconds, sample_rate=rate, roots=roots
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
            f"{store.url} has {len(runs)} runs ({', '.join(runs) or 'extract one first'}): say --run, an id, "
            "a tag or latest, whose directions and model the sweep is to use."
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


def _half(labels: str) -> str:
    """The labels of half of the groups, by a hash of their names."""
    return (
        f"SELECT l.* FROM ({labels.rstrip().rstrip(';')}) AS l JOIN clips USING (clip_id) "  # noqa: S608
        "WHERE md5(clips.group_id) < '8'"
    )


def _classes(
    store: Store, run: Collection, labels: Mapping[str, str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, tuple[str, str]]]]:
    """Classes of each concept, and a sample of the clips that have one, with their groups and classes."""
    classes, reference = {}, {}
    for name, query in labels.items():
        rows = resolve_labels(store, run, query)
        found = {concept.name: concept for concept in rows.concepts}
        if name not in found or found[name].kind != "class":
            raise InvalidInput(
                f"The labels of {name!r} must be a column of that name with classes, not numbers; the query "
                f"gives {', '.join(found)}. Make classes with CASE WHEN … THEN … ELSE … END AS {name}."
            )
        classes[name] = found[name].classes
        columns = zip(rows.clip_ids, rows.groups, found[name].values, found[name].labelled, strict=True)
        labelled = {
            clip: (str(group), classes[name][int(code)]) for clip, group, code, known in columns if known
        }
        chosen = sorted(labelled, key=lambda clip: sha256(clip.encode()).digest())[:REFERENCE_CLIPS]
        reference[name] = {clip: labelled[clip] for clip in chosen}
    return classes, reference


def _base_spec(configuration: SweepConfiguration, model: Mapping[str, Any], dtype: str) -> GenerationSpec:
    return GenerationSpec(
        model=model["name"],
        model_fingerprint=model["fingerprint"],
        codec_fingerprint=model["codec_fingerprint"],
        seconds=configuration.seconds,
        dtype=dtype,
        **asdict(configuration.sampling),
    )
