"""Baseline probes on handcrafted features of the audio (mel, MFCC, chroma)."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.dataset.roots import resolve_root
from jobs.engine.dispatch import Committed, Dispatcher, GivenUp
from jobs.engine.heartbeat import heartbeat
from jobs.engine.inline_pool import InlinePool
from jobs.engine.tasks import Stopped, Task
from jobs.extract.code_source import killed
from jobs.extract.growing import planned_version
from jobs.extract.texts import without_text
from jobs.fitting.labels import LabelledRows
from jobs.fitting.mapping import MOST_INLINE, available_cpus
from jobs.probe.plan import Features
from jobs.progress.logs import about_run
from jobs.progress.reporting import followed
from pipelines.audio.files import Root
from pipelines.audio.recordings import Recordings
from pipelines.audio.resampling import resampler
from pipelines.scorers.features import (
    FEATURE_KINDS,
    SAMPLE_RATE,
    VERSION,
    FeatureKind,
    compute_all_features,
    feature_width,
)
from store.arrays.collection import Collection, create_collection, open_collection
from store.arrays.layout import document_key
from store.arrays.rows import newest_planned, places_in
from store.errors import NotFound, is_the_machines
from store.objects.ledger import is_recorded
from store.opening import Store, open_store
from store.records import ArraySpec, ClipStatus, Failure, PlannedClip, Receipt, Unit
from store.results.parts import digest_of

KINDS = ", ".join(FEATURE_KINDS)


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """What a worker needs to know."""

    store_url: str
    prefix: str
    root: Root


def handcrafted_sources(
    store: Store, run: Collection, labels: LabelledRows, roots: Sequence[str]
) -> tuple[list[Features], list[str]]:
    """Features of the run's dataset, computed if need be; notes say why they are left out."""
    if "dataset" not in run.document:  # a run that something else than `extract` made
        return [], ["the run names no dataset, so there are no statistics of its audio."]
    dataset = store.dataset(run.document["dataset"]["name"])
    prefix, notes = _prefix(run), []
    if not _complete(store, prefix):
        try:
            root = resolve_root(store, dataset, roots)
        except NotFound as error:
            notes.append(f"{KINDS} statistics are not stored and are left out: {error}")
        else:
            compute_missing(store, run, FeaturePlan(store.url, prefix, root))
    lacking = _lacking(store, prefix, labels)
    if lacking:
        notes.append(f"{KINDS} statistics are left out: {lacking} labelled clips have none.")
    found = [Features(prefix, kind) for kind in FEATURE_KINDS] if lacking == 0 else []
    return found, notes


def compute_missing(store: Store, run: Collection, plan: FeaturePlan) -> None:
    """Compute and commit the units that are missing; a clip that cannot be decoded fails alone."""
    collection = create_collection(
        store.objects,
        plan.prefix,
        document=_document(run),
        arrays=[ArraySpec(kind, ("feature",), (feature_width(kind),), "float32") for kind in FEATURE_KINDS],
        clips=_clips(run),
        unit_clips=run.unit_clips,
    )
    missing = collection.missing()
    pool: InlinePool[Unit, None] = InlinePool(partial(FeatureWorker, plan))
    try:
        with heartbeat(collection), about_run(plan.prefix.rpartition("/")[2]):
            outcomes = Dispatcher(pool, missing).run()
            done = (outcome for outcome in outcomes if isinstance(outcome, Committed | GivenUp))
            for outcome in followed(done, total=len(missing), title="features", unit="units"):
                if isinstance(outcome, GivenUp):
                    raise NotFound(f"{outcome.unit.unit_id} of {plan.prefix}: {outcome.problem.message}")
    finally:
        pool.close()
    collection.note_complete()


class FeatureWorker:
    """Decodes each clip of a unit once, several side by side, and commits their features."""

    def __init__(self, plan: FeaturePlan) -> None:
        self._plan = plan
        self._stopping = False
        self._threads = ThreadPoolExecutor(min(MOST_INLINE, available_cpus()), thread_name_prefix="clip")

    def load(self) -> None:
        plan = self._plan
        self._recordings = Recordings(plan.root, sample_rate=SAMPLE_RATE)
        self._collection = open_collection(open_store(plan.store_url).objects, plan.prefix)

    def stop(self) -> None:
        self._stopping = True
        self._threads.shutdown(wait=False)

    def run(self, task: Task[Unit]) -> Receipt[None]:
        clips = task.unit.clips
        values = {
            kind: np.full((len(clips), feature_width(kind)), np.nan, np.float32) for kind in FEATURE_KINDS
        }
        started = time.monotonic()
        found = list(self._threads.map(partial(self._features, quarantined=task.quarantined), clips))
        seconds = {"features": time.monotonic() - started}
        for place, features in enumerate(found):
            if not isinstance(features, Failure):
                for kind, numbers in features.items():
                    values[kind][place] = numbers
        with self._collection.begin(task.unit, provenance={"version": VERSION}) as pending:
            for kind, block in values.items():
                pending.add(kind, 0, block)
            return pending.commit([_status(*pair) for pair in zip(clips, found, strict=True)], seconds)

    def _features(
        self, clip: PlannedClip, *, quarantined: frozenset[str]
    ) -> dict[FeatureKind, NDArray[np.float32]] | Failure:
        if self._stopping:
            raise Stopped
        if clip.clip_id in quarantined:
            return killed(clip).failure or Failure(clip.clip_id, "worker", "WorkerDied", "")
        try:
            return compute_all_features(self._recordings.decode(clip))
        except Exception as error:  # whatever one file does to its reader must not stop the others
            if is_the_machines(error):
                raise
            return Failure(clip.clip_id, "decode", type(error).__name__, str(error), clip.uri)


def _status(clip: PlannedClip, found: object) -> ClipStatus:
    if isinstance(found, Failure):
        return ClipStatus(clip.clip_id, "failed", found)
    return ClipStatus(clip.clip_id, "ok")


def _prefix(run: Collection) -> str:
    """Features depend on clips and resampler alone, so that all runs over them share one collection."""
    dataset = run.document["dataset"]
    clips = [dataset["fingerprint"], run.document.get("clip_seconds"), run.unit_clips]
    if (version := planned_version(run)) > 1:
        clips.append(version)
    digest = digest_of([*clips, VERSION, resampler()])
    return f"features/{dataset['name']}-{digest[:10]}"


def _document(run: Collection) -> dict[str, object]:
    dataset = {name: run.document["dataset"][name] for name in ("name", "fingerprint")}
    return {"version": VERSION, "sample_rate": SAMPLE_RATE, "resampler": resampler(), "dataset": dataset}


def _clips(run: Collection) -> pa.Table:
    """Every clip that was planned, once and without its text, as it was planned last."""
    plan = run.plan()
    _, newest = newest_planned(plan, np.ones(plan.clips, np.bool_))
    clips = pa.concat_tables([part.every_clip() for part in plan.parts]).take(pa.array(newest))
    return without_text(clips)


def _complete(store: Store, prefix: str) -> bool:
    return (
        is_recorded(store.objects, document_key(prefix))
        and open_collection(store.objects, prefix).is_complete()
    )


def _lacking(store: Store, prefix: str, labels: LabelledRows) -> int | None:
    """How many labelled clips have no features; None where there are no features at all."""
    if not is_recorded(store.objects, document_key(prefix)):
        return None
    _, known = open_collection(store.objects, prefix).index().usable
    return int((places_in(known, labels.clip_ids) < 0).sum())
