"""Decide whether an extraction needs the audio, and find it."""

from jobs.dataset.roots import resolve_root
from jobs.extract.planning import Extraction
from jobs.extract.units import ExtractionUnits
from pipelines.audio.files import Root
from store.errors import NotFound


def find_audio(work: Extraction, missing: ExtractionUnits) -> Root | None:
    """The root of the dataset's audio, or None where it is not known and stored codes make it needless.

    Raises:
        NotFound: clips are still to be encoded, and nobody has said where the audio is.
    """
    if work.spec.melody_column and len(missing):  # read from the same root, also where codes are stored
        return resolve_root(work.store, work.dataset, work.options.roots)
    try:
        return resolve_root(work.store, work.dataset, work.options.roots)
    except NotFound:
        if missing.need_no_audio():
            return None
        raise
