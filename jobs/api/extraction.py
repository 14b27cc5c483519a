"""Python's `extract`: stream a dataset through a model into a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Unpack

from jobs.api.keywords import Dtype, Work, documented, options_from
from jobs.api.runs import Run
from jobs.api.stores import Store, open_store, url_of
from jobs.api.values import Layers, Names
from jobs.extract.options import ExtractOptions


class Extraction(Work, total=False):
    """What decides a run beside its dataset."""

    model: Annotated[str | Path, '"pocket", a hub name such as "facebook/musicgen-small", or a folder.']
    sites: Annotated[Names, 'from "embed", "resid", "attn", "xattn", "mlp"; None for all.']
    layers: Annotated[Layers, "numbers of layers, such as range(4, 8); None for all."]
    reductions: Annotated[
        Names, 'what is kept over time, from "mean", "std", "last", "segments", "frames"; None for all.'
    ]
    segments: Annotated[int, 'bins over time of the reduction "segments".']
    text: str
    dtype: Dtype
    batch_clips: int
    unit_clips: int
    compression: Literal["none", "zstd"]
    retry_failed: bool
    max_failures: int | None


@documented(Extraction, ExtractOptions, engine="inline")
def extract(store: Store | str | Path, dataset: str, **given: Unpack[Extraction]) -> Run:
    """Stream a dataset through MusicGen, and store the activations.

    Called again with the same arguments it goes on where it stopped, and computes nothing that is committed.
    Failures stop nothing: a warning counts them, and `store.sql("FROM failures")` says why.

    Args:
        store: a store, or its folder or URL.
        dataset: name of the dataset.

    Returns:
        The run.

    Raises:
        NotFound: no such dataset, model or audio.
        InvalidInput: sites, layers or lengths that the model does not have.
        JobFailed: the work cannot go on; what is committed stays.

    Examples:
        >>> run = extract(store, "songs", model="pocket-random", sites=["resid"], layers=range(2, 4))
        >>> run.arrays, run.layers
        (('resid.mean',), (2, 3))
    """
    from jobs.extract.running import run_extraction
    from jobs.progress.reporters import told

    options = options_from(ExtractOptions, given, store=url_of(store), dataset=dataset)
    with told(given.get("progress", False)), own_torch_threads():
        summary = run_extraction(options)
        _note_what_is_missing(summary)
    opened = store if isinstance(store, Store) else open_store(store)
    return opened.run(summary["run"])


def _note_what_is_missing(summary: Mapping[str, Any]) -> None:
    from jobs.progress.reporting import note

    if summary["failed"]:
        note(
            f"{summary['failed']} of {summary['clips']} clips failed; the table failures says why, and "
            "retry_failed=True tries them again."
        )
    if not summary["complete"]:
        note(f"{summary['run']} is not complete: call it again to go on. {summary.get('given_up', '')}")


@contextmanager
def own_torch_threads() -> Iterator[None]:
    """Torch keeps as many threads as it had: work in this process sets its own."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
