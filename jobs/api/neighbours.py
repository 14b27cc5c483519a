"""Python's `similar`: the clips of a run that are nearest to a clip or a vector at a layer."""

from typing import Annotated, Any, TypedDict, Unpack

from numpy.typing import ArrayLike, NDArray

from analysis.neighbours import Metric
from jobs.api.answers import Answer
from jobs.api.keywords import documented, options_from
from jobs.api.runs import Run
from jobs.progress.reporters import Told
from jobs.similar.options import SimilarOptions


class Compared(TypedDict, total=False):
    """How vectors are compared, and where they are looked for."""

    array: Annotated[str, 'an array with one vector per clip, such as "resid.mean".']
    count: Annotated[int, "how many clips."]
    metric: Annotated[Metric, '"cosine" (1 − cos) or "euclidean".']
    indexed: Annotated[
        bool,
        "look in the nearest cells of an index only, which is made and kept where there is none: quicker, "
        "and not always exact; a warning says its recall.",
    ]
    cells: Annotated[
        int | None,
        "number of cells (clusters of vectors) of a new index; by default the square root of the "
        "number of clips.",
    ]
    nprobe: Annotated[int, "number of cells of the index that are searched, those nearest to the clip."]
    progress: Annotated[Told, "True shows progress; a function is called with every `Progress`."]


@documented(Compared, SimilarOptions)
def similar(run: Run, clip: str | ArrayLike, *, layer: int, **given: Unpack[Compared]) -> Answer:
    """Find the clips that are nearest at a layer, exactly unless an index is asked for.

    Args:
        run: whose activations.
        clip: id of a clip, which itself does not count; or a vector (D,).
        layer: number of the layer.

    Returns:
        Columns rank, clip_id, uri, distance; the nearest first.

    Raises:
        NotFound: there is no such array, layer or clip.
        InvalidInput: the array has several vectors per clip, or the vector another length.

    Examples:
        >>> clip_id = store.run("songs").clip_ids[0]
        >>> similar(store.run("songs"), clip_id, layer=3, count=2).columns
        ['rank', 'clip_id', 'uri', 'distance']
    """
    from jobs.progress.reporters import told
    from jobs.progress.reporting import note
    from jobs.similar.running import find_similar

    named = clip if isinstance(clip, str) else None
    vector: NDArray[Any] | None = None if isinstance(clip, str) else _array(clip)
    options = options_from(SimilarOptions, given, store=run.store_url, run=run.id, layer=layer, clip=named)
    with told(given.get("progress", False)):
        found = find_similar(options, vector)
        if found.index is not None:
            note(f"The index finds {found.index.recall:.0%} of the ten nearest; indexed=False is exact.")
    return Answer(found.table)


def _array(vector: ArrayLike) -> NDArray[Any]:
    import numpy as np

    return np.asarray(vector)
