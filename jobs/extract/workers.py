"""Start the workers of an extraction: in this process, or as Ray actors."""

from contextlib import AbstractContextManager
from functools import partial

from jobs.engine.placement import worker_pool as pool_of
from jobs.engine.tasks import Pool
from jobs.extract.cutting import unit_bytes
from jobs.extract.planning import Extraction
from jobs.extract.units import ExtractionUnit
from jobs.extract.worker import ExtractionPlan, ExtractionWorker
from pipelines.audio.files import Root
from pipelines.models.named import pinned_name


def worker_pool(
    work: Extraction, root: Root | None, *, units: int
) -> AbstractContextManager[Pool[ExtractionUnit, None]]:
    """Workers for the block, which read the audio below a root; none is left after it."""
    factory = partial(ExtractionWorker, _worker_plan(work, root))
    urls = [work.store.url, *([root.url] if root else [])]
    return pool_of(
        work.options, factory, units=units, urls=urls, model=work.spec.model, unit_bytes=unit_bytes(work.spec)
    )


def _worker_plan(work: Extraction, root: Root | None) -> ExtractionPlan:
    options, spec = work.options, work.spec
    return ExtractionPlan(
        store_url=work.store.url,
        run_id=spec.run_id(),
        codes_key=spec.codes_key(),
        root=root,
        model=pinned_name(options.named_model),
        capture=spec.capture,
        melody=work.melody,
        has_melodies=bool(spec.melody_column),
        last_block=spec.capture.last_block(spec.model),
        device=options.device,
        dtype=spec.dtype,
        batch_clips=spec.batch_clips,
        clip_seconds=spec.clip_seconds,
        threads=spec.threads,
        note_attempts=options.engine == "inline",
    )
