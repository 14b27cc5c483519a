"""Python's `extract`: stream a dataset through a model into a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jobs.api.models import Device, Dtype
from jobs.api.runs import Run
from jobs.api.stores import Store, open_store, url_of
from jobs.api.values import Layers, Names, layers_text, names_text, roots_texts
from jobs.execution import Dtype as Numbers
from store.errors import InvalidInput

if TYPE_CHECKING:
    from jobs.execution import Engine
    from jobs.progress.reporters import Told

DTYPES: Mapping[Dtype, Numbers] = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
"""As commands call them."""
ALL_SITES = "embed,resid,attn,xattn,mlp"
ALL_REDUCTIONS = "mean,std,last,segments,frames"


def extract(
    store: Store | str | Path,
    dataset: str,
    *,
    model: str | Path = "pocket",
    sites: Names = ("resid", "attn", "mlp"),
    layers: Layers = None,
    reductions: Names = "mean",
    segments: int = 10,
    text: str = "",
    dtype: Dtype = "float32",
    device: Device = "auto",
    batch_clips: int = 16,
    unit_clips: int = 64,
    compression: Literal["none", "zstd"] = "none",
    engine: "Engine" = "inline",
    address: str = "local",
    workers: int | None = None,
    threads: int = 1,
    gpus_per_worker: float = 1.0,
    roots: Mapping[str, str | Path] | None = None,
    shared_filesystem: bool = False,
    retry_failed: bool = False,
    max_failures: int | None = None,
    progress: "Told" = False,
) -> Run:
    """Stream a dataset through MusicGen, and store the activations.

    Called again with the same arguments it goes on where it stopped, and computes nothing that is committed.
    Failures stop nothing: a warning counts them, and `store.sql("FROM failures")` says why.

    Args:
        store: a store, or its folder or URL.
        dataset: name of the dataset.
        model: "pocket", a hub name such as "facebook/musicgen-small", or a checkpoint folder.
        sites: from "embed", "resid", "attn", "xattn", "mlp"; None for all.
        layers: numbers of layers, such as range(4, 8); None for all.
        reductions: what is kept over time, from "mean", "std", "last", "segments", "frames".
        segments: bins of the reduction "segments".
        text: text condition of every clip; {label} in it stands for a label of the clip.
        dtype: of the decoder's matrices.
        device: "auto" takes a GPU where there is one.
        batch_clips: clips per pass.
        unit_clips: clips per commit: what a crash can cost.
        compression: of the stored arrays.
        engine: "inline" works in this process; "ray" in one process per processor or GPU, or on a cluster.
        address: of the Ray cluster; "local" for a private one, "auto" for that of this node.
        workers: for Ray, processes that hold a model; one per GPU or processor by default.
        threads: torch threads per worker.
        gpus_per_worker: for Ray; a fraction lets workers share a GPU.
        roots: where the audio of a dataset is on the machines that work, by its name.
        shared_filesystem: for a Ray cluster, the store's folder is the same on every node.
        retry_failed: try clips again that failed before.
        max_failures: stop after so many.
        progress: True shows progress; a function is called with every `Progress`.

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
    if dtype not in DTYPES:
        raise InvalidInput(f"dtype {dtype!r} is not supported. Choose {', '.join(DTYPES)}.")
    from jobs.extract.options import ExtractOptions
    from jobs.extract.running import run_extraction
    from jobs.progress.reporters import told
    from jobs.progress.reporting import note

    options = ExtractOptions(
        store=url_of(store),
        dataset=dataset,
        model=str(model),
        sites=names_text(sites, every=ALL_SITES),
        layers=layers_text(layers),
        reduce=names_text(reductions, every=ALL_REDUCTIONS),
        segments=segments,
        text=text,
        dtype=DTYPES[dtype],
        device=device,
        batch_clips=batch_clips,
        unit_clips=unit_clips,
        compression=compression,
        engine=engine,
        address=address,
        workers=workers,
        threads=threads,
        gpus_per_worker=gpus_per_worker,
        roots=roots_texts(roots),
        shared_filesystem=shared_filesystem,
        retry_failed=retry_failed,
        max_failures=max_failures,
    )
    with told(progress), own_torch_threads():
        summary = run_extraction(options)
        if summary["failed"]:
            note(
                f"{summary['failed']} of {summary['clips']} clips failed; the table failures says why, and "
                "retry_failed=True tries them again."
            )
        if not summary["complete"]:
            note(f"{summary['run']} is not complete: call it again to go on. {summary.get('given_up', '')}")
    opened = store if isinstance(store, Store) else open_store(store)
    return opened.run(summary["run"])


@contextmanager
def own_torch_threads() -> Iterator[None]:
    """Torch keeps as many threads as it had: work in this process sets its own."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
