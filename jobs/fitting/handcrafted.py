"""Handcrafted features as sources beside the layers: what the audio itself gives away without a model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from jobs.datasets.roots import resolve_root
from jobs.engine.dispatch import Committed, Dispatcher, GivenUp
from jobs.engine.heartbeat import heartbeat
from jobs.engine.inline_pool import InlinePool
from jobs.engine.stages import StageClock
from jobs.engine.tasks import Stopped, Task
from jobs.extraction.code_source import killed
from jobs.fitting.labels import LabelledRows
from jobs.fitting.probe_plan import Source
from jobs.fitting.progress import followed
from jobs.fitting.results import digest_of
from pipelines.features import FEATURE_KINDS, SAMPLE_RATE, FeatureKind, compute_features, feature_width
from pipelines.files import Root
from pipelines.recordings import Recordings
from store.collection import Collection, create_collection, open_collection
from store.errors import NotFound, UndertoneError
from store.layout import document_key
from store.opening import Store, open_store
from store.records import ArraySpec, ClipStatus, Failure, PlannedClip, Receipt, Unit

VERSION = 1
"""Changes with the definition of a feature."""


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """What a worker needs to know."""

    store_url: str
    prefix: str
    kind: FeatureKind
    root: Root


def handcrafted_sources(
    store: Store, run: Collection, labels: LabelledRows, roots: Sequence[str]
) -> tuple[list[Source], list[str]]:
    """Features of the run's dataset, computed if need be; notes say why a kind is left out."""
    if "dataset" not in run.document:  # a run that something else than `extract` made
        return [], ["the run names no dataset, so there are no statistics of its audio."]
    dataset = store.dataset(run.document["dataset"]["name"])
    prefixes = {kind: _prefix(run, kind) for kind in FEATURE_KINDS}
    missing = [kind for kind in FEATURE_KINDS if not _complete(store, prefixes[kind])]
    notes: list[str] = []
    if missing:
        try:
            root = resolve_root(store, dataset, roots)
        except NotFound as error:
            notes.append(f"{', '.join(missing)} statistics are not stored and are left out: {error}")
        else:
            for kind in missing:
                compute_missing(store, run, FeaturePlan(store.url, prefixes[kind], kind, root))
    found = []
    for kind in FEATURE_KINDS:
        lacking = _lacking(store, prefixes[kind], labels)
        if lacking is None:
            continue
        if lacking:
            notes.append(f"{kind} statistics are left out: {lacking} labelled clips have none.")
        else:
            found.append(Source(prefixes[kind], kind))
    return found, notes


def compute_missing(store: Store, run: Collection, plan: FeaturePlan) -> None:
    """Compute and commit the units of a kind that are missing; a clip that cannot be decoded fails alone."""
    collection = create_collection(
        store.objects,
        plan.prefix,
        document=_document(run, plan.kind),
        arrays=[ArraySpec(plan.kind, ("feature",), (feature_width(plan.kind),), "float32")],
        clips=_clips(run),
        unit_clips=run.unit_clips,
    )
    missing = collection.missing_units()
    pool = InlinePool(partial(FeatureWorker, plan))
    try:
        with heartbeat(collection):
            outcomes = Dispatcher(pool, missing).run()
            done = (outcome for outcome in outcomes if isinstance(outcome, Committed | GivenUp))
            for outcome in followed(done, total=len(missing), title=plan.kind, unit="units"):
                if isinstance(outcome, GivenUp):
                    raise NotFound(f"{outcome.unit.unit_id} of {plan.prefix}: {outcome.problem.message}")
    finally:
        pool.close()


class FeatureWorker:
    """Decodes the clips of a unit and commits their features."""

    def __init__(self, plan: FeaturePlan) -> None:
        self._plan = plan
        self._stopping = False

    def load(self) -> None:
        plan = self._plan
        self._recordings = Recordings(plan.root, sample_rate=SAMPLE_RATE)
        self._collection = open_collection(open_store(plan.store_url).objects, plan.prefix)

    def stop(self) -> None:
        self._stopping = True

    def run(self, task: Task) -> Receipt:
        kind, clock = self._plan.kind, StageClock()
        values = np.full((len(task.unit.clips), feature_width(kind)), np.nan, np.float32)
        statuses = []
        for place, (clip, found) in enumerate(self._features(task.unit, task.quarantined, clock)):
            if isinstance(found, Failure):
                statuses.append(ClipStatus(clip.clip_id, "failed", found))
            else:
                values[place] = found
                statuses.append(ClipStatus(clip.clip_id, "ok"))
        with self._collection.begin(task.unit, provenance={"version": VERSION}) as pending:
            pending.add(kind, 0, values)
            return pending.commit(statuses, clock.seconds)

    def _features(
        self, unit: Unit, quarantined: frozenset[str], clock: StageClock
    ) -> Iterator[tuple[PlannedClip, np.ndarray | Failure]]:
        for clip in unit.clips:
            if self._stopping:
                raise Stopped
            if clip.clip_id in quarantined:
                yield clip, killed(clip).failure or Failure(clip.clip_id, "worker", "WorkerDied", "")
                continue
            try:
                with clock.stage("decode"):
                    samples = self._recordings.decode(clip)
                with clock.stage("features"):
                    yield clip, compute_features(samples, self._plan.kind)
            except (UndertoneError, OSError) as error:
                yield clip, Failure(clip.clip_id, "decode", type(error).__name__, str(error), clip.uri)


def _prefix(run: Collection, kind: FeatureKind) -> str:
    """Features depend on the clips alone, so that all runs over them share one collection."""
    dataset = run.document["dataset"]
    digest = digest_of([dataset["fingerprint"], run.document.get("clip_seconds"), run.unit_clips, VERSION])
    return f"features/{dataset['name']}-{digest[:10]}-{kind}"


def _document(run: Collection, kind: FeatureKind) -> dict[str, object]:
    dataset = {name: run.document["dataset"][name] for name in ("name", "fingerprint")}
    return {"kind": kind, "version": VERSION, "sample_rate": SAMPLE_RATE, "dataset": dataset}


def _clips(run: Collection) -> list[PlannedClip]:
    """Every clip that was planned, once and without its text."""
    clips = {clip.clip_id: replace(clip, text="") for unit in run.units() for clip in unit.clips}
    return list(clips.values())


def _complete(store: Store, prefix: str) -> bool:
    return (
        store.objects.exists(document_key(prefix))
        and not open_collection(store.objects, prefix).missing_units()
    )


def _lacking(store: Store, prefix: str, labels: LabelledRows) -> int | None:
    """How many labelled clips have no features; None where there are no features at all."""
    if not store.objects.exists(document_key(prefix)):
        return None
    states = open_collection(store.objects, prefix).statuses()
    known = {clip for clip, status in states.items() if status.state != "failed"}
    return sum(clip not in known for clip in labels.clip_ids)
