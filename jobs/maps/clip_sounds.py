"""Decode clips of a store's datasets, wherever their recordings are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.dataset.roots import resolve_root
from pipelines.audio.clips import decode_clip
from pipelines.audio.files import Root
from store.catalog.asking import Catalog
from store.errors import NotFound
from store.opening import Store

SAMPLE_RATE = 32_000


@dataclass(frozen=True, slots=True)
class _Place:
    uri: str
    start_seconds: float
    duration_seconds: float


def decoded_clips(
    store: Store, clip_ids: Sequence[str], *, roots: Sequence[str] = (), sample_rate: int = SAMPLE_RATE
) -> Iterator[NDArray[np.float32]]:
    """The samples of clips, one after the other, mono (samples,).

    Args:
        store: where the clips are listed.
        clip_ids: which ones.
        roots: NAME=PATH, where the audio of a dataset is, if not where it was.
        sample_rate: of the samples, whatever the recordings have.

    Raises:
        NotFound: there is no such clip, or nobody knows where its recording is.
        AudioError: the recording cannot be decoded.
    """
    wanted = pa.table({"clip_id": pa.array(clip_ids, pa.string()), "place": np.arange(len(clip_ids))})
    found = Catalog.of(store).rows(
        "SELECT DISTINCT ON (place) wanted.clip_id, dataset, uri, start_seconds, duration_seconds "
        "FROM wanted LEFT JOIN clips USING (clip_id) ORDER BY place",
        tables={"wanted": wanted},
    )
    known: dict[str, Root] = {}
    for row in found:
        if row["dataset"] is None:
            raise NotFound(f"No dataset of {store.url} lists a clip {row['clip_id']!r}: it has no recording.")
        if row["dataset"] not in known:
            known[row["dataset"]] = resolve_root(store, store.dataset(row["dataset"]), roots)
        place = _Place(row["uri"], row["start_seconds"], row["duration_seconds"])
        yield decode_clip(known[row["dataset"]], place, sample_rate=sample_rate)
