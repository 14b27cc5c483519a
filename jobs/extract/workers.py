"""Starts the workers of an extraction: in this process, or as Ray actors."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from jobs.engine.inline_pool import InlinePool
from jobs.engine.ray_pool import RayPool
from jobs.engine.ray_session import node_hosts, ray_session
from jobs.engine.tasks import Pool
from jobs.extract.placement import refuse_missing_gpu, worker_resources
from jobs.extract.planning import Extraction
from jobs.extract.worker import ExtractionPlan, ExtractionWorker
from pipelines.audio.files import Root
from store.errors import InvalidInput


@contextmanager
def worker_pool(work: Extraction, root: Root | None, *, units: int) -> Iterator[Pool]:
    """Workers for the block; none is left after it, also on Ctrl-C."""
    options = work.options
    factory = partial(ExtractionWorker, _worker_plan(work, root))
    with ExitStack() as stack:
        if options.engine == "inline":
            pool: Pool = InlinePool(factory)
        else:
            stack.enter_context(ray_session(options.address))
            _refuse_private_paths(work, root)
            refuse_missing_gpu(options)
            resources, wanted = worker_resources(options, work.spec.model)
            pool = RayPool(factory, resources=resources, wanted=wanted, units=units)
        stack.callback(pool.close)
        yield pool


def _worker_plan(work: Extraction, root: Root | None) -> ExtractionPlan:
    options, spec = work.options, work.spec
    return ExtractionPlan(
        store_url=work.store.url,
        run_id=spec.run_id(),
        codes_key=spec.codes_key(),
        root=root,
        model=f"{spec.model.name}@{spec.model.revision}" if spec.model.revision else options.model,
        capture=spec.capture,
        device=options.device,
        dtype=spec.dtype,
        batch_clips=spec.batch_clips,
        clip_seconds=spec.clip_seconds,
        threads=spec.threads,
        note_attempts=options.engine == "inline",
    )


def _refuse_private_paths(work: Extraction, root: Root | None) -> None:
    """Workers on other nodes must reach the store and the audio."""
    if work.options.shared_filesystem or len(node_hosts()) < 2:
        return
    local = [work.store.url] if work.store.objects.is_local else []
    local += [root.url] if root is not None and root.is_local else []
    if local:
        raise InvalidInput(
            f"{local[0]!r} is a folder of this machine, but the Ray cluster has {len(node_hosts())} nodes. "
            "Use an object store (s3://…), or say --shared-filesystem if every node sees the same folder."
        )
