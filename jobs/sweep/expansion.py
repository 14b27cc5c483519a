"""Expand a sweep against its run: labels, settings, audio prompts; nothing is fitted or written."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.effects.settings import Pair, Setting
from jobs.generate.specification import GenerationSpec
from jobs.sweep.audio_prompts import PromptSound, read_audio_prompts
from jobs.sweep.configuration import SteeredConcept, SweepConfiguration
from jobs.sweep.grid import expand, read_pairs
from jobs.sweep.labels import ConceptLabels, resolve_concepts
from pipelines.models.musicgen import describe_model
from store.arrays.collection import Collection
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.results.parts import digest_of

REDUCTION = "mean"
"""Directions are those of activations averaged over time: one vector for every frame."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpandedSweep:
    """A sweep before anything is fitted, found or made for it."""

    configuration: SweepConfiguration
    run_id: str
    dataset: str
    """Of the run."""
    model: Mapping[str, Any]
    """As the run's document describes it."""
    model_name: str
    """As `load_musicgen` takes it."""
    labels: Mapping[str, ConceptLabels]
    """By concept, of those steered and those only measured."""
    settings: tuple[Setting, ...]
    sounds: Mapping[str, PromptSound]
    """Audio prompts by the names that the file gives them."""
    base: GenerationSpec
    """What all generations have in common."""

    @property
    def sweep_id(self) -> str:
        """Stands for the file and the run it was applied to."""
        return digest_of([asdict(self.configuration), self.run_id])

    @property
    def pairs(self) -> dict[Pair, list[Setting]]:
        """Settings by the pair that they steer."""
        found: dict[Pair, list[Setting]] = {}
        for setting in self.settings:
            found.setdefault(setting.pair, []).append(setting)
        return found

    def concept(self, pair: Pair) -> SteeredConcept:
        """What the file says of a pair's concept."""
        return next(one for one in self.configuration.concepts if one.name == pair.concept)


def expand_sweep(
    store: Store,
    configuration: SweepConfiguration,
    run: Collection,
    *,
    model: str = "",
    dtype: str = "float32",
    roots: Sequence[str] = (),
) -> ExpandedSweep:
    """Resolve a sweep.

    Args:
        store: where runs, labels and recordings are.
        configuration: what the sweep's file says.
        run: the run whose directions steer its model.
        model: where that model is, if its name does not tell.
        dtype: of the language model.
        roots: where datasets have their audio, as NAME=PATH; for audio prompts that are clips.

    Raises:
        UndertoneError: a concept, class, site or layer is not there.
    """
    described = run.document["model"]
    model_name = _model_name(described, model)
    labels = resolve_concepts(store, run, configuration)
    settings = tuple(_settings(configuration, run, labels))
    return ExpandedSweep(
        configuration=configuration,
        run_id=run.prefix.removeprefix("runs/"),
        dataset=run.document["dataset"]["name"],
        model=described,
        model_name=model_name,
        labels=labels,
        settings=settings,
        sounds=_sounds(store, configuration, settings, model_name, roots),
        base=_base_spec(configuration, described, dtype),
    )


def _settings(
    configuration: SweepConfiguration, run: Collection, labels: Mapping[str, ConceptLabels]
) -> list[Setting]:
    """Every combination of the grid, for every pair of every concept."""
    layers = {site: run.layers(f"{site}.{REDUCTION}") for site in _sites(run)}
    return [
        setting
        for one in configuration.concepts
        for setting in expand(
            configuration.grid, read_pairs(one.name, one.pairs, labels[one.name].classes), layers
        )
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


def _base_spec(configuration: SweepConfiguration, model: Mapping[str, Any], dtype: str) -> GenerationSpec:
    return GenerationSpec(
        model=model["name"],
        model_fingerprint=model["fingerprint"],
        codec_fingerprint=model["codec_fingerprint"],
        seconds=configuration.seconds,
        dtype=dtype,
        **asdict(configuration.sampling),
    )
