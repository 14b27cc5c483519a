"""Decides whether an extraction needs the audio, and finds it."""

from collections.abc import Sequence

from jobs.dataset.roots import resolve_root
from jobs.extract.planning import Extraction
from pipelines.audio.files import Root
from store.arrays.collection import Collection
from store.errors import NotFound
from store.records import Unit


def find_audio(work: Extraction, codes: Collection, missing: Sequence[Unit]) -> Root | None:
    """The root of the dataset's audio, or None where it is not known and stored codes make it needless.

    Raises:
        NotFound: clips are still to be encoded, and nobody has said where the audio is.
    """
    try:
        return resolve_root(work.store, work.dataset, work.options.roots)
    except NotFound:
        known = codes.statuses()
        if all(clip.clip_id in known for unit in missing for clip in unit.clips):
            return None
        raise
