"""Extension points: what is built in by name, and what other distributions add by entry points.

Whatever is built in has its one registration here, and is loaded as a plug-in's is, when it is asked for by
name. It is a table and no entry points of this distribution: those exist only where it was installed anew, so
that a checkout would lack what it just gained, and they have no order, which formats need.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from store.errors import BrokenPlugin, InvalidInput, UndertoneError, is_the_machines

T = TypeVar("T")
_NAME = re.compile(r"[^\s,:]+")
"""Of a plug-in's thing: options list names between commas, and give parameters behind a colon."""


@dataclass(frozen=True, slots=True)
class ExtensionPoint:
    """A kind of thing that plug-ins may add to, such as the formats of datasets."""

    group: str
    """Of the entry points, as in pyproject.toml: [project.entry-points."undertone.datasets"]."""
    what: str
    """One of them in words, for messages."""
    built_in: Mapping[str, tuple[str, str]]
    """By name: where it is (MODULE:OBJECT), and a line for help texts. The order is kept."""
    reserved: tuple[str, ...] = ()
    """Names that mean something else where these are named: no plug-in may take them."""

    def names(self) -> tuple[str, ...]:
        """What is built in, in order, then the plug-ins by name; nothing is imported."""
        others = set(self._plugins()) - {*self.built_in, *self.reserved}
        return (*self.built_in, *sorted(name for name in others if _NAME.fullmatch(name)))

    def load(self, name: str, kind: type[T], *, unasked: bool = False) -> T:
        """The object of this name, which is imported when it is first asked for.

        Args:
            name: what is built in, or a plug-in's.
            kind: what it must be an instance of.
            unasked: nobody named it, so that what is built in is meant, also where a plug-in has its name.

        Raises:
            InvalidInput: there is none, or there are several.
            BrokenPlugin: it cannot be imported, or is of another kind.
        """
        one = self._own(name) if unasked else self._found(name)
        try:
            found = one.entry.load()
        except Exception as error:
            if name in self.built_in:
                raise
            raise BrokenPlugin(
                f"The {self.what} {name!r} comes from {one.owner}, which cannot be loaded "
                f"({type(error).__name__}: {error}); mend or uninstall it."
            ) from error
        if not isinstance(found, kind):
            raise BrokenPlugin(
                f"The {self.what} {name!r} comes from {one.owner}, which gives {one.entry.value}: that is no "
                f"{kind.__module__}.{kind.__name__} but a {type(found).__name__}."
            )
        return found

    def check_single(self, name: str) -> None:
        """Refuse a name that a user wrote and that several have, or nobody; raises `InvalidInput`."""
        self._found(name)

    @contextmanager
    def called(self, name: str) -> Iterator[None]:
        """Inside the block the code of `name` runs: what a plug-in raises is told as the plug-in's.

        Raises:
            BrokenPlugin: a plug-in raised something, which it names with its distribution.
        """
        try:
            yield
        except BrokenPlugin as error:
            raise BrokenPlugin(f"{self._blamed(name)}: {error}") from error
        except Exception as error:
            if name in self.built_in or isinstance(error, UndertoneError) or is_the_machines(error):
                raise
            said = f"{type(error).__name__}: {error}"
            raise BrokenPlugin(f"{self._blamed(name)} failed ({said}); mend or uninstall it.") from error

    def _blamed(self, name: str) -> str:
        owner = self.recorded(name).get("plugin", "undertone itself")
        return f"The {self.what} {name!r} of {owner}"

    def recorded(self, name: str) -> dict[str, str]:
        """What ids and documents say of the origin of a name: {"plugin": "DISTRIBUTION VERSION"}, or nothing.

        A result of another version of a plug-in is another result. What is built in has versions of its own.
        """
        return {} if name in self.built_in else {"plugin": self._found(name).owner}

    def unknown(self, name: str, *others: str) -> InvalidInput:
        """The error for a name that nothing has; `others` are words that are legal there, too."""
        words = f"{', '.join(others)} or one of " if others else ""
        return InvalidInput(f"There is no {self.what} {name!r}; it is {words}{', '.join(self.names())}.")

    def _found(self, name: str) -> "_Found":
        found = list(self._plugins().get(name, ()))
        if name in self.built_in:
            found.insert(0, self._own(name))
        if name in self.reserved or not found:
            raise self.unknown(name)
        if len(found) > 1:
            owners = " and ".join(one.owner for one in found)
            raise InvalidInput(
                f"The {self.what} {name!r} is given by {owners}; uninstall all but one of them."
            )
        return found[0]

    def _own(self, name: str) -> "_Found":
        return _Found(EntryPoint(name, self.built_in[name][0], self.group), "undertone itself")

    def _plugins(self) -> Mapping[str, Sequence["_Found"]]:
        return _installed(self.group, tuple(sys.path))


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry point, and the distribution and version that it comes from."""

    entry: EntryPoint
    owner: str


@lru_cache
def _installed(group: str, _path: tuple[str, ...]) -> Mapping[str, Sequence[_Found]]:
    """Entry points of a group by name: of one look at all distributions, until the path is another."""
    found: dict[str, list[_Found]] = {}
    for entry in entry_points(group=group):
        owner = "an unknown distribution" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
        found.setdefault(entry.name, []).append(_Found(entry, owner))
    return found


DATASETS = ExtensionPoint(
    "undertone.datasets",
    "format",
    {
        "fma": (
            "pipelines.datasets.fma:FORMAT",
            "fma_metadata/tracks.csv beside fma_small, fma_medium, fma_large or fma_full",
        ),
        "syntheory": ("pipelines.datasets.syntheory:FORMAT", "a folder per concept with info.csv"),
        "gtzan": ("pipelines.datasets.gtzan:FORMAT", "genres/blues/blues.00000.wav …"),
        "huggingface": (
            "pipelines.datasets.huggingface:FORMAT",
            "Parquet with an `audio` column of bytes: a file, or a folder of shards",
        ),
        "table": (
            "pipelines.datasets.table:FORMAT",
            "a column `path` (relative to the table), optional `group` and `split`, the rest are labels",
        ),
        "folder": ("pipelines.datasets.folder:FORMAT", 'a folder per label: jazz/a.wav has label "jazz"'),
    },
)
"""`--format auto` asks those that are built in, in this order."""

DIRECTIONS = ExtensionPoint(
    "undertone.directions",
    "method",
    {
        "mse": ("analysis.directions.estimators:MSE", "weights of a least-squares probe"),
        "logistic": ("analysis.directions.estimators:LOGISTIC", "weights of a logistic probe"),
        "diffmean": ("analysis.directions.estimators:DIFFMEAN", "the difference of the class means"),
        "mass_mean": ("analysis.directions.estimators:MASS_MEAN", "diffmean, with the scatter divided out"),
        "pca": ("analysis.directions.estimators:PCA", "first axis of the differences between the classes"),
        "leace": (
            "analysis.directions.estimators:LEACE",
            "diffmean's direction, which erases otherwise (generate --kind ablate)",
        ),
        "random": ("analysis.directions.estimators:RANDOM", "random directions, the control"),
    },
    reserved=("all",),
)
"""Methods of fitting directions; `--method all` means those that are built in."""

FIGURES = ExtensionPoint(
    "undertone.figures",
    "figure",
    {
        "overview": ("jobs.report.figures.overview:FIGURE", "every concept at its best layer"),
        "cosines": (
            "jobs.report.figures.cosines:FIGURE",
            "cosines between the directions of all concepts",
        ),
        "probes": ("jobs.report.figures.probe_curves:FIGURE", "probe scores over layers"),
        "confusions": ("jobs.report.figures.confusions:FIGURE", "what a probe takes for what"),
        "classes": ("jobs.report.figures.classes:FIGURE", "how well each class is read"),
        "clusters": (
            "jobs.report.figures.cluster_curves:FIGURE",
            "how clusters agree with labels, over layers",
        ),
        "directions": (
            "jobs.report.figures.direction_curves:FIGURE",
            "separability of directions over layers",
        ),
        "chosen": ("jobs.report.figures.chosen:FIGURE", "the chosen settings beside their controls"),
        "damage": ("jobs.report.figures.damage:FIGURE", "what steering does to the sound"),
        "comparisons": ("jobs.report.figures.comparisons:FIGURE", "settings compared in pairs"),
        "steered_layers": ("jobs.report.figures.steered_layers:FIGURE", "transfer over layers"),
        "layer_choice_beside": (
            "jobs.report.figures.layer_choice_beside:FIGURE",
            "transfer beside a layer's probes",
        ),
        "layer_choice": ("jobs.report.figures.layer_choice:FIGURE", "what foretells the best layer"),
        "trade": ("jobs.report.figures.trade:FIGURE", "transfer against what is kept"),
        "automatic": ("jobs.report.figures.automatic:FIGURE", "automatic strengths beside the grid"),
        "interference": (
            "jobs.report.figures.interference:FIGURE",
            "what steering does to other concepts",
        ),
        "failures": ("jobs.report.figures.failures:FIGURE", "how often generations fail"),
        "listening": ("jobs.report.figures.listening:FIGURE", "sounds to compare"),
        "not_chosen": ("jobs.report.figures.listening:OTHERS_FIGURE", "sounds of other settings"),
        "ratings": ("jobs.report.figures.ratings:FIGURE", "what people heard"),
    },
)
"""Figures of reports, in the order of the page; those of plug-ins are drawn where they are asked for."""

_SOUND_SCORERS = {
    "judge": ("pipelines.pocket.judge:SCORER", "style, instrument, drums, mode and tempo of rendered music"),
}
SWEEP_SCORERS = ExtensionPoint(
    "undertone.scorers",
    "scorer",
    {
        "descriptors": ("jobs.sweep.scoring:DESCRIPTOR_SCORER", "tempo, loudness, brightness and the like"),
        "similarity": ("jobs.sweep.scoring:SIMILARITY_SCORER", "what is kept of the unsteered sound"),
        "features": (
            "jobs.sweep.scoring:FEATURE_SCORER",
            "classifiers on mel, MFCC and chroma, fitted on labelled clips",
        ),
        "probe": (
            "jobs.sweep.held_out_probe:SCORER",
            "probes of the model's own activations, fitted on clips that no direction saw",
        ),
        **_SOUND_SCORERS,
        "clap": ("jobs.sweep.clap:SCORER", "each class in words, compared with the sound"),
    },
    reserved=("all", "chroma", "onset"),
)
"""What may score a sweep; `--scorers all` means those that are built in, in this order."""

SCORERS = ExtensionPoint(
    SWEEP_SCORERS.group,
    SWEEP_SCORERS.what,
    _SOUND_SCORERS,
    reserved=(*(SWEEP_SCORERS.built_in.keys() - _SOUND_SCORERS.keys()), *SWEEP_SCORERS.reserved),
)
"""Those among them that need a sound alone; the others need texts, labels or another sound as well."""

PROBES = ExtensionPoint(
    "undertone.probes",
    "loss",
    {
        "logistic": ("analysis.probes.methods:LOGISTIC", "multinomial; binary for two classes"),
        "logistic_ovr": ("analysis.probes.methods:LOGISTIC_OVR", "each class against the rest"),
    },
    reserved=("mse",),
)
"""Probes of classes. The loss mse (ridge) also takes numbers, and moments instead of rows."""

MODELS = ExtensionPoint(
    "undertone.models",
    "model",
    {
        "pocket": ("pipelines.pocket.shipped:MODEL", "a small MusicGen that comes with the project"),
        "pocket-random": ("pipelines.pocket.checkpoint:MODEL", "the same with random weights, for tests"),
        "pocket-clap": (
            "pipelines.pocket.clap_folder:MODEL",
            "the encoder of the small CLAP that comes along",
        ),
    },
)
"""Models by name, beside those of the hub and folders."""
