"""Refuse an extraction that could not start before its run is written: an empty run would be found later."""

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.dataset.roots import resolve_root
from jobs.engine.placement import place_of_workers
from jobs.execution import resolved_device
from jobs.extract.planning import Extraction
from pipelines.audio.files import Root
from pipelines.models.named import check_tokenizer
from pipelines.models.placement import check_placement
from store.arrays.collection import open_collection
from store.arrays.layout import document_key
from store.errors import NotFound
from store.objects.ledger import is_recorded


@contextmanager
def able_to_begin(work: Extraction) -> Iterator[None]:
    """Have what a new run needs, inside the block; one that is there may be complete and need none.

    Raises:
        UndertoneError: its audio or its model's tokenizer cannot be read, or workers cannot be had.
    """
    if is_recorded(work.store.objects, document_key(f"runs/{work.spec.run_id()}")):
        yield
        return
    root, options = _audio(work), work.options
    if options.engine == "inline":
        check_placement(resolved_device(options.device), work.spec.dtype)
    check_tokenizer(options.named_model)
    with place_of_workers(options, [work.store.url, *([root.url] if root else [])]):
        yield


def _audio(work: Extraction) -> Root | None:
    """The root of the audio; None where it is not known, and codes of all clips are stored."""
    try:
        return resolve_root(work.store, work.dataset, work.options.roots)
    except NotFound:
        if work.options.retry_failed or not _has_all_codes(work):
            raise
        return None


def _has_all_codes(work: Extraction) -> bool:
    if not work.spec.has_codes:
        return False
    objects, prefix = work.store.objects, f"codes/{work.spec.codes_key()}"
    if not is_recorded(objects, document_key(prefix)):
        return False
    index = open_collection(objects, prefix).index()
    return bool((index.find(work.clips["clip_id"]) >= 0).all())
