"""Python's `add_dataset` and `synthesize_dataset`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.api.stored_datasets import Dataset
from jobs.api.stores import Store, open_store, url_of

if TYPE_CHECKING:
    from jobs.execution import Engine
    from jobs.progress.reporters import Told
    from pipelines.synthesis.songs import Band


def add_dataset(
    store: Store | str | Path,
    name: str,
    path: str | Path,
    *,
    format: str = "auto",  # noqa: A002
    clip_seconds: float | None = None,
    hop_seconds: float | None = None,
    threads: int = 4,
    replace: bool = False,
    listen: bool = False,
    rehash: bool = False,
    trust_etag: bool = False,
    engine: "Engine" = "inline",
    address: str = "local",
    shared_filesystem: bool = False,
    progress: "Told" = False,
) -> Dataset:
    """Cut the recordings at a place into clips, and list them as a dataset; the audio stays where it is.

    Called again, it reads the files that are new or changed, and what differs is the dataset's next version.

    Args:
        store: a store, or its folder or URL, which is made where there is none.
        name: of the dataset.
        path: a folder (a folder per label), a table beside its audio, or a URL of either.
        format: "folder", "table", "huggingface", "gtzan", "fma", "syntheory" or a plug-in's; "auto" looks.
        clip_seconds: length of a clip; by default 10, and 4 for syntheory.
        hop_seconds: from one clip's start to the next; by default the length of a clip.
        threads: files read at once.
        replace: replace a dataset of this name that no run uses.
        listen: decode every clip, and name those that are silent, clipped or damaged.
        rehash: read all files again, also those whose size and time (or ETag) are what they were.
        trust_etag: of WAV and the like in a bucket read header and end alone; its ETag stands for the rest.
        engine: "inline" reads in this process, "ray" on all nodes.
        address: of the Ray cluster; "local" starts one on this machine.
        shared_filesystem: the folder is the same on every node.
        progress: True shows progress; a function is called with every `Progress`.

    Returns:
        The dataset; its `findings` say what misleads: equal files, missing labels, groups that are one class.

    Raises:
        NotFound: nothing is at the path.
        InvalidInput: no usable audio is there, or it is not of the format that was named.
        Conflict: the store has another dataset of this name.

    Examples:
        >>> add_dataset(folder / "new.store", "songs", recordings, clip_seconds=1.0)
        Dataset songs
          clips   16 of 1 s
          labels  label
    """
    from jobs.dataset.adding import add_dataset as added
    from jobs.dataset.options import AddRequest
    from jobs.progress.reporters import told

    request = AddRequest(
        store=url_of(store),
        name=name,
        path=str(path),
        format_name=format,
        clip_seconds=clip_seconds,
        hop_seconds=hop_seconds,
        threads=threads,
        replace=replace,
        listen=listen,
        rehash=rehash,
        trust_etag=trust_etag,
        engine=engine,
        address=address,
        shared_filesystem=shared_filesystem,
    )
    with told(progress):
        return _dataset(store, added(request))


def synthesize_dataset(
    store: Store | str | Path,
    name: str,
    *,
    concepts: Sequence[str] | None = None,
    clips: int = 1000,
    clip_seconds: float = 4.0,
    seed: int = 0,
    band: "Band" = "any",
    replace: bool = False,
    progress: "Told" = False,
) -> Dataset:
    """Render labelled music into the store, as a dataset.

    Args:
        store: a store, or its folder or URL, which is made where there is none.
        name: of the dataset.
        concepts: from "notes", "intervals", "scales", "chords", "chord_progressions", "tempos",
            "time_signatures" and "styles"; by default all.
        clips: how many to render.
        clip_seconds: length of a clip.
        seed: the same seed gives the same audio.
        band: of styles: "any" draws instruments without regard to the style, "typical" does not.
        replace: replace a dataset of this name that no run uses.
        progress: True shows progress; a function is called with every `Progress`.

    Raises:
        InvalidInput: a concept that does not exist, or more clips than the concepts have.
        Conflict: the store has another dataset of this name.
    """
    from jobs.dataset.options import SynthRequest
    from jobs.dataset.rendering import synthesize_dataset as rendered
    from jobs.progress.reporters import told

    request = SynthRequest(
        store=url_of(store),
        name=name,
        concepts=None if concepts is None else ",".join(concepts),
        clips=clips,
        clip_seconds=clip_seconds,
        seed=seed,
        replace=replace,
        band=band,
    )
    with told(progress):
        return _dataset(store, rendered(request))


def _dataset(store: Store | str | Path, summary: dict[str, Any]) -> Dataset:
    opened = store if isinstance(store, Store) else open_store(store)
    notes = [summary["notes"]] if summary["notes"] else []
    return Dataset(opened.opened.dataset(summary["dataset"]), [*notes, *summary["findings"]])
