"""Score the generations of a sweep: each scorer, looked up by name, with its accuracy on recordings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from analysis.effects.scores import ScorerAccuracy
from jobs.evaluate.items import Items, clips_of, generations_with
from jobs.evaluate.scorers import scorer_version
from jobs.evaluate.scoring import Scoring, score_items
from jobs.sweep.expansion import ExpandedSweep
from jobs.sweep.options import SweepOptions
from jobs.sweep.scores import inaccuracy_notes, stored_accuracies
from pipelines.scorers.protocol import ScorerFactory, load_scorer
from store.errors import BrokenPlugin, NotFound
from store.extensions import SWEEP_SCORERS
from store.opening import Store


@dataclass(frozen=True, slots=True, eq=False)
class SweepSounds:
    """What a scorer is given: the generations of a sweep, and all that it may compare them with."""

    store: Store
    expanded: ExpandedSweep
    """With the labels of every concept that is steered or measured."""
    made: Sequence[str]
    """Ids of the generations that there are."""
    twins: Sequence[tuple[str, str]]
    """Each of them with the unsteered one of its condition."""
    options: SweepOptions

    @property
    def items(self) -> Items:
        """The generations as `score_items` takes them."""
        return generations_with(self.store, self.made)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scorer says of its work; its scores are in the store."""

    summary: dict[str, Any] = field(default_factory=dict)
    """For the summary of the sweep."""
    version: str | None = None
    """That of its rows which counts; None: the newest of each concept. "": it has scored nothing."""
    accuracies: Sequence[ScorerAccuracy] = ()
    """On labelled recordings, by concept."""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scorer:
    """What stands in the table of `store.extensions` for a scorer that needs more than a sound.

    It scores what has no stored score of its version yet, so that a second call has nothing to do.
    """

    score: Callable[[SweepSounds], Scored]
    choice_rank: int | None = None
    """As that of a `ScorerFactory`."""


@dataclass(slots=True)
class AllScored:
    """What all scorers of a sweep say together."""

    summary: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    """By scorer, the version that counts."""
    accuracies: list[ScorerAccuracy] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """The summary, with how accurate each scorer is, and what else there is to say of the scores."""
        accurate = [
            f"{one.scorer} {one.concept} {one.accuracy:.2f} ({one.low:.2f} to {one.high:.2f})"
            for one in self.accuracies
            if one.accuracy is not None
        ]
        told = self.summary | ({"accuracy_on_labelled_clips": "; ".join(accurate)} if accurate else {})
        notes = [*self.notes, *inaccuracy_notes(self.accuracies)]
        return told | ({"note": " ".join(notes)} if notes else {})


def load_sweep_scorer(name: str) -> Scorer:
    """A scorer by its name: built in, or a plug-in's scorer of sounds; raises as `ExtensionPoint.load`."""
    found = SWEEP_SCORERS.load(name, object)
    if isinstance(found, ScorerFactory):
        return Scorer(partial(_score_sounds, name), found.choice_rank)
    if not isinstance(found, Scorer):
        raise BrokenPlugin(
            f"The scorer {name!r} is a {type(found).__name__}: neither a "
            "pipelines.scorers.protocol.ScorerFactory nor a jobs.sweep.scorers.Scorer."
        )
    return found


def choosing_scorers(scored: Iterable[str]) -> tuple[str, ...]:
    """Those that may choose settings among scorers that have scored, in the order of their ranks.

    A scorer that was uninstalled since does not choose.
    """
    known = set(scored) & set(SWEEP_SCORERS.names())
    ranks = {name: load_sweep_scorer(name).choice_rank for name in known}
    ranked = sorted((rank, name) for name, rank in ranks.items() if rank is not None)
    return tuple(name for _, name in ranked)


def score_sweep(sounds: SweepSounds, names: Sequence[str]) -> AllScored:
    """Let each scorer that is named score the generations, one after the other."""
    every = AllScored()
    for name in names:
        scored = load_sweep_scorer(name).score(sounds)
        every.summary |= scored.summary
        every.accuracies += scored.accuracies
        every.notes += scored.notes
        if scored.version is not None:
            every.versions[name] = scored.version
    return every


def _score_sounds(name: str, sounds: SweepSounds) -> Scored:
    """The judge, or a scorer of a plug-in: of the generations, and of recordings to compare them with."""
    version = scorer_version(name, load_scorer(name, device=sounds.options.device))
    scoring = score_items(sounds.store, sounds.items, name, version, sounds.options)
    score_recordings(sounds, name, version)
    accuracies = list(stored_accuracies(sounds.store, sounds.expanded.labels, name, version))
    return Scored({name: said(scoring)}, version, accuracies)


def score_recordings(sounds: SweepSounds, scorer: str, version: str) -> tuple[Items | None, str]:
    """Score the recordings that sounds are compared with, where their audio can be reached."""
    expanded = sounds.expanded
    wanted = {clip for one in expanded.labels.values() for clip in one.reference}
    items = clips_of(sounds.store, expanded.dataset)
    chosen = replace(items, members=tuple(item for item in items.members if item.item_id in wanted))
    try:
        scoring = score_items(sounds.store, chosen, scorer, version, sounds.options)
    except NotFound as error:
        return None, f"no recordings to compare with: {error}"
    return chosen, f"recordings to compare with: {said(scoring)}"


def said(scoring: Scoring) -> str:
    """What came of scoring, in words."""
    if not scoring.failures:
        return f"{scoring.scored} scored"
    return f"{scoring.scored} scored, {len(scoring.failures)} failed: {scoring.failures[0].message}"
