"""Run an extraction from plan to committed run."""

from collections.abc import Iterator
from shlex import quote
from typing import Any

from jobs.dataset.roots import resolve_root
from jobs.engine.dispatch import Committed, Dispatcher, GivenUp, Outcome
from jobs.engine.heartbeat import heartbeat
from jobs.engine.progress import counted
from jobs.engine.tally import Tally
from jobs.engine.tasks import Pool
from jobs.extract.audio import find_audio
from jobs.extract.beginning import able_to_begin
from jobs.extract.compacting import Compactor
from jobs.extract.growing import grown, version_field
from jobs.extract.options import ExtractOptions
from jobs.extract.planning import Extraction, resolve
from jobs.extract.report import announce, summarize
from jobs.extract.retrying import append_failed
from jobs.extract.texts import without_text
from jobs.extract.units import ExtractionUnit, ExtractionUnits
from jobs.extract.workers import worker_pool
from jobs.progress.logs import about_run
from pipelines.audio.recordings import Recordings
from store import Store, open_store
from store.arrays.collection import Collection
from store.errors import JobFailed
from store.heartbeats import is_at_work

SUSPICIOUS_ATTEMPTS = 2
"""A unit that this many processes began and none ended is run apart from the driver."""
LEAST_FAILURES_TO_STOP = 50
PATIENCE_SECONDS = 60.0
"""On Ray, how long the end of a run waits for a slow worker before an idle one gets the same unit."""


def run_extraction(options: ExtractOptions) -> dict[str, Any]:
    """Compute and commit every unit that is missing; return a summary.

    Raises:
        UndertoneError: the job cannot start or cannot go on; what is committed stays committed.
    """
    work = resolve(options)
    with about_run(work.spec.run_id()), able_to_begin(work):
        return _computed(work)


def _computed(work: Extraction) -> dict[str, Any]:
    options = work.options
    run, codes = _create(work)
    if options.retry_failed:
        root = resolve_root(work.store, work.dataset, options.roots)
        append_failed(run, codes, work.clips, Recordings(root, sample_rate=work.spec.model.sample_rate))
    missing = ExtractionUnits(run.missing(), codes)
    source = find_audio(work, missing)
    announce(work)
    planned = run.plan().clips
    tally = Tally(total=planned, before=planned - missing.clips, item_seconds=work.spec.clip_seconds)
    given_up: list[GivenUp[ExtractionUnit]] = []
    if len(missing):
        with worker_pool(work, source, units=len(missing)) as pool:
            outcomes = _drive(run, codes, missing, pool, options)
            title = f"extract {work.dataset.name}"
            for outcome in counted(outcomes, pool, tally, title=title, metrics_file=options.metrics_file):
                if isinstance(outcome, GivenUp):
                    given_up.append(outcome)
                _stop_if_sick(options, tally)
    for collection in filter(None, (run, codes)):
        collection.note_complete()
    return summarize(work, run, tally, given_up)


def _create(work: Extraction) -> tuple[Collection, Collection | None]:
    """The run and the codes it reads, if it reads any, planned; existing ones are opened."""
    spec = work.spec
    store = open_store(work.store.url, create=True)  # for writing: refuses what cannot be written safely
    version, codes = version_field(work.dataset), _created_codes(work, store) if spec.has_codes else None
    run = grown(store.objects, f"runs/{spec.run_id()}", work.dataset, work.clips) or store.create_run(
        spec.run_id(),
        document={**spec.document(), **version},
        arrays=spec.arrays(),
        clips=work.clips,
        unit_clips=spec.unit_clips,
    )
    return run, codes


def _created_codes(work: Extraction, store: Store) -> Collection:
    spec, clips = work.spec, without_text(work.clips)
    return grown(store.objects, f"codes/{spec.codes_key()}", work.dataset, clips) or store.create_codes(
        spec.codes_key(),
        document={**spec.codes_document(), **version_field(work.dataset)},
        arrays=[spec.codes_array()],
        clips=clips,
        unit_clips=spec.codes_unit_clips,
    )


def _drive(
    run: Collection,
    codes: Collection | None,
    missing: ExtractionUnits,
    pool: Pool[ExtractionUnit, None],
    options: ExtractOptions,
) -> Iterator[Outcome[None, ExtractionUnit]]:
    """Dispatch the missing units; from the far end when another driver is already at it."""
    others = is_at_work(run.heartbeat_age_seconds())
    suspects = frozenset(unit_id for unit_id, count in run.attempts().items() if count >= SUSPICIOUS_ATTEMPTS)
    dispatcher = Dispatcher(
        pool,
        reversed(missing) if others else missing,
        is_committed=lambda unit: run.is_committed_by_now(unit.unit_id),
        suspects=suspects if options.engine == "inline" else frozenset(),
        patience_seconds=None if options.engine == "inline" else PATIENCE_SECONDS,
    )
    collections = tuple(filter(None, (run, codes)))
    with heartbeat(*collections), Compactor(*collections) as compactor:
        for outcome in dispatcher.run():
            if isinstance(outcome, Committed):
                compactor.count()
            yield outcome


def _stop_if_sick(options: ExtractOptions, tally: Tally) -> None:
    failed, seen = tally.failed + tally.given_up, tally.done + tally.given_up
    limit = options.max_failures
    if limit is None:
        limit = max(LEAST_FAILURES_TO_STOP, seen // 2)
    if failed > limit:
        raise JobFailed(
            f"{failed} of {seen} clips failed, more than --max-failures {limit} allows. "
            f"The view failures holds the reasons (`undertone sql {quote(options.store)} 'FROM failures'`). "
            "What is committed stays; run the same command with a higher limit to go on."
        )
