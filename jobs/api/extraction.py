"""Python's `extract`: stream a dataset through a model into a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Unpack

from jobs.api.keywords import Backend, Dtype, StoreDtype, Work, documented, options_from
from jobs.api.runs import Run
from jobs.api.stores import Store, open_store, url_of
from jobs.api.values import Layers, Names
from jobs.extract.options import ExtractOptions
from jobs.extract.prices import Prices


class Extraction(Work, total=False):
    """What decides a run beside its dataset."""

    model: Annotated[str | Path, '"pocket", a hub name such as "facebook/musicgen-small", or a folder.']
    sites: Annotated[
        Names, 'of the model, such as "embed", "resid", "attn", "head", "xattn", "mlp"; None for all.'
    ]
    layers: Annotated[Layers, "numbers of layers, such as range(4, 8); None for all."]
    reductions: Annotated[
        Names, 'what is kept over time, from "mean", "std", "last", "segments", "frames"; None for all.'
    ]
    segments: Annotated[int, 'bins over time of the reduction "segments".']
    text: str
    melody: Annotated[
        str | Path | None, "a recording whose melody conditions every clip, for models that take one."
    ]
    melody_column: Annotated[str, "label that names a melody for each clip, a path below the dataset's root."]
    backend: Backend
    model_file: Annotated[
        str | Path | None,
        "a file of Python that describes your torch module, instead of a model; it is run.",
    ]
    trust_remote_code: bool
    dtype: Dtype
    batch_clips: int
    unit_clips: int | None
    compression: Literal["none", "zstd"]
    store_dtype: StoreDtype
    retry_failed: bool
    max_failures: int | None


@documented(Extraction, ExtractOptions, engine="inline")
def extract(store: Store | str | Path, dataset: str, **given: Unpack[Extraction]) -> Run:
    """Stream a dataset through a model, and store the activations.

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


@dataclass(frozen=True, slots=True, repr=False)
class Bill:
    """What an extraction would take: times measured on one batch, the rest counted as the store counts it."""

    clips: int
    nbytes: int
    """Of all arrays, codes and documents."""
    objects: int
    requests: Mapping[str, int]
    """By kind: PUT, GET, HEAD, LIST."""
    seconds: float
    """On all workers together."""
    dollars: Mapping[str, float]
    """For computing, requests and space, and in total."""
    values: Mapping[str, Any]
    """All that `undertone extract --dry-run --format json` prints."""

    def __repr__(self) -> str:
        from jobs.extract.bill import in_words

        return "\n".join(f"{name}: {text}" for name, text in in_words(self.values).items())


class Priced(Extraction, total=False):
    """What a run and the prices of its bill consist of."""

    price_gpu_hour: float
    price_cpu_hour: float
    price_gb_month: float
    price_1000_puts: float
    price_1000_gets: float
    months: Annotated[float, "how long a bucket keeps the run."]


@documented(Priced, ExtractOptions, Prices, engine="inline")
def bill(store: Store | str | Path, dataset: str, **given: Unpack[Priced]) -> Bill:
    """Say what `extract` would compute, store and cost, and do nothing but measure one batch.

    Args:
        store: a store, or its folder or URL.
        dataset: name of the dataset.

    Returns:
        The bill; as text it is what the command prints.

    Raises:
        NotFound: no such dataset, model or audio.
        InvalidInput: sites, layers or lengths that the model does not have, or a price below 0.

    Examples:
        >>> bill(store, "songs", model="pocket-random", sites=["resid"], layers=range(2, 4)).clips
        16
    """
    from jobs.extract.bill import describe_extraction
    from jobs.progress.reporters import told

    named: dict[str, Any] = {**given}
    own = {field.name for field in fields(Prices)}
    prices = Prices(**{name: value for name, value in named.items() if name in own})
    wanted = {name: value for name, value in named.items() if name not in own}
    options = options_from(ExtractOptions, wanted, store=url_of(store), dataset=dataset)
    with told(given.get("progress", False)), own_torch_threads():
        found = describe_extraction(options, prices)
    return Bill(
        found["clips"], found["total_bytes"], sum(found["objects"].values()), found["requests"],
        found["estimated_seconds"], found["dollars"], found,
    )  # fmt: skip


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
