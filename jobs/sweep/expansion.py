"""Expand a sweep against its run: labels, settings, audio prompts; nothing is fitted or written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.effects.settings import Pair, Setting
from jobs.dataset.roots import resolve_root
from jobs.extract.texts import with_melodies
from jobs.generate.inputs import read_melody, read_prompt
from jobs.generate.specification import AudioPrompt, GenerationSpec
from jobs.sweep.configuration import SteeredConcept, SweepConfiguration
from jobs.sweep.grid import expand, read_pairs
from jobs.sweep.labels import ConceptLabels, resolve_concepts
from pipelines.audio.clips import decode_whole
from pipelines.audio.files import Root
from pipelines.audio.recordings import Recordings, checksum
from pipelines.models.backends import with_backend
from pipelines.models.named import describe_model
from store import Dataset
from store.arrays.collection import Collection
from store.arrays.plan import MELODY
from store.catalog.asking import Catalog
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.records import ModelInfo, PlannedClip
from store.results.parts import digest_of

CLIP = "clip:"
"""Before the id, or the beginning of the id, of a clip; everything else is the path of a file."""


@dataclass(frozen=True, slots=True, eq=False)
class Melody:
    """A melody to follow."""

    sha256: str
    """Of its file."""
    samples: NDArray[np.float32]
    """(samples,) at the model's rate."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptSound:
    """What identifies an audio prompt in a generation, and its samples."""

    prompt: AudioPrompt
    samples: NDArray[np.float32]
    """(samples,) or (samples, channels), as the model hears them, at its rate."""
    melody: Melody | None = None
    """That sounds follow which continue it."""


def read_audio_prompts(
    store: Store,
    names: Iterable[str],
    *,
    seconds: float,
    info: ModelInfo,
    roots: Sequence[str],
    melody_column: str = "",
) -> dict[str, PromptSound]:
    """Audio prompts by the names that a sweep's file gives them.

    Args:
        store: where the clips are listed.
        names: "clip:ID", or the path of a recording.
        seconds: length of each, from its beginning.
        info: of the model, which says how they are heard.
        roots: where datasets have their audio, as NAME=PATH.
        melody_column: label that names a melody for each clip.

    Raises:
        NotFound: there is no such clip or file.
        AudioError: a recording is damaged or ends before.
    """
    found = {}
    for name in dict.fromkeys(names):
        if name.startswith(CLIP):
            found[name] = _of_clip(store, name.removeprefix(CLIP), seconds, info, roots, melody_column)
        else:
            path = Path(name).expanduser()
            rate, channels = info.sample_rate, info.channels
            prompt, samples = read_prompt(
                path, start_seconds=0.0, seconds=seconds, sample_rate=rate, channels=channels
            )
            found[name] = PromptSound(prompt, samples)
    return found


def _of_clip(
    store: Store, beginning: str, seconds: float, info: ModelInfo, roots: Sequence[str], melody_column: str
) -> PromptSound:
    clip = _find_clip(store, beginning)
    if clip["duration_seconds"] < seconds:
        raise InvalidInput(
            f"Clip {clip['clip_id']} lasts {clip['duration_seconds']:g} s, and audio_seconds = {seconds:g} "
            "is more: write a shorter one."
        )
    planned = PlannedClip(
        clip["clip_id"], clip["uri"], clip["start_seconds"], seconds, sha256=clip["sha256"] or ""
    )
    dataset = store.dataset(clip["dataset"])
    root = resolve_root(store, dataset, roots)
    samples = Recordings(root, sample_rate=info.sample_rate, channels=info.channels).decode(planned)
    melody = _melody_of(dataset, clip["clip_id"], melody_column, root, info) if melody_column else None
    return PromptSound(AudioPrompt(seconds, 0.0, clip["clip_id"], clip["sha256"]), samples, melody)


def _melody_of(dataset: Dataset, clip_id: str, column: str, root: Root, info: ModelInfo) -> Melody | None:
    """The melody that a label of a clip names; None where it is empty."""
    table = dataset.table()
    planned = with_melodies(table.select(["clip_id"]), dataset, column, option="melody_column")
    (uri,) = planned.filter(pc.equal(planned["clip_id"], clip_id))[MELODY].to_pylist()
    if not uri:
        return None
    with root.open(uri) as file:
        digest = checksum(file)
    return Melody(digest, decode_whole(root, uri, sample_rate=info.sample_rate))


def _find_clip(store: Store, beginning: str) -> Mapping[str, Any]:
    if not beginning.replace("-", "").replace("_", "").isalnum():
        raise InvalidInput(f"{CLIP}{beginning} is no id of a clip; see clip_id in the view clips.")
    query = (
        "SELECT DISTINCT clip_id, dataset, uri, start_seconds, duration_seconds, sha256 FROM clips "
        "WHERE starts_with(clip_id, $beginning) LIMIT 2"
    )
    rows = Catalog.of(store).rows(query, beginning=beginning)
    if not rows:
        raise NotFound(f"The store has no clip whose id begins with {beginning!r}; see the view clips.")
    if len(rows) > 1:
        raise InvalidInput(f"Several clips have ids that begin with {beginning!r}: write more of it.")
    return rows[0]


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
    """As `load_named_model` takes it."""
    labels: Mapping[str, ConceptLabels]
    """By concept, of those steered and those only measured."""
    settings: tuple[Setting, ...]
    sounds: Mapping[str, PromptSound]
    """Audio prompts by the names that the file gives them."""
    base: GenerationSpec
    """What all generations have in common."""
    melody: NDArray[np.float32] | None = None
    """Samples (samples,) at the model's rate of the melody that they follow."""

    @property
    def sweep_id(self) -> str:
        """Stands for the file and the run it was applied to."""
        said = asdict(self.configuration)
        for name in ("melody", "melody_column"):  # ids of sweeps without one are made without it
            if not said[name]:
                del said[name]
        return digest_of([said, self.run_id])

    @property
    def melodies(self) -> dict[str, NDArray[np.float32]]:
        """Samples (samples,) of every melody that is followed, by the hash of its file."""
        own = {one.melody.sha256: one.melody.samples for one in self.sounds.values() if one.melody}
        of_all = self.base.melody_sha256
        return own if of_all is None or self.melody is None else {**own, of_all: self.melody}

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
    backend: str | None = None,
    dtype: str = "float32",
    roots: Sequence[str] = (),
) -> ExpandedSweep:
    """Resolve a sweep.

    Args:
        store: where runs, labels and recordings are.
        configuration: what the sweep's file says.
        run: the run whose directions steer its model.
        model: where that model is, if its name does not tell.
        backend: what computes it; None for the library whose format it has.
        dtype: of the language model.
        roots: where datasets have their audio, as NAME=PATH; for audio prompts that are clips.

    Raises:
        UndertoneError: a concept, class, site or layer is not there.
    """
    described = run.document["model"]
    model_name = _model_name(described, model, backend)
    labels = resolve_concepts(store, run, configuration)
    settings = tuple(_settings(configuration, run, labels))
    melody_sha256, melody = _melody(configuration, model_name)
    return ExpandedSweep(
        configuration=configuration,
        run_id=run.prefix.removeprefix("runs/"),
        dataset=run.document["dataset"]["name"],
        model=described,
        model_name=model_name,
        labels=labels,
        settings=settings,
        sounds=_sounds(store, configuration, settings, model_name, roots),
        base=replace(_base_spec(configuration, described, dtype), melody_sha256=melody_sha256),
        melody=melody,
    )


def _melody(
    configuration: SweepConfiguration, model_name: str
) -> tuple[str | None, NDArray[np.float32] | None]:
    """Hash and samples of the melody that a sweep names."""
    if configuration.melody and configuration.melody_column:
        raise InvalidInput(
            "melody is one for all sounds, melody_column one for each clip: give one of the two."
        )
    named = "melody" if configuration.melody else "melody_column"
    if not getattr(configuration, named):
        return None, None
    info = describe_model(model_name)
    if not info.melody:
        raise InvalidInput(
            f"{named}: {info.name!r} takes no melody; use a run of a model that does, such as "
            "facebook/musicgen-melody."
        )
    if not configuration.melody:
        return None, None
    return read_melody(Path(configuration.melody), sample_rate=info.sample_rate)


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
    info = describe_model(model_name)
    return read_audio_prompts(
        store,
        names,
        seconds=configuration.audio_seconds,
        info=info,
        roots=roots,
        melody_column=configuration.melody_column,
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


def _model_name(described: Mapping[str, Any], given: str, backend: str | None) -> str:
    """Name or folder of the run's model; raises `InvalidInput` where another model is there."""
    revision = described["revision"]
    own = f"{described['name']}@{revision}" if revision else described["name"]
    name = with_backend(given or own, backend)
    try:
        info = describe_model(name)
    except NotFound as error:
        raise NotFound(f"{error} The run was made with {name!r}: say --model with its folder.") from error
    info.require("steer")
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
