"""A folder of label folders: `jazz/a.wav` is a recording with the label "jazz"."""

from collections.abc import Iterator

from pipelines.audio.files import Root
from pipelines.datasets.listing import audio_files
from pipelines.datasets.protocol import Format
from pipelines.datasets.remarks import Say, in_silence
from store.records import Failure, Recording


def list_recordings(root: Root, member: str = "", say: Say = in_silence) -> Iterator[Recording | Failure]:
    """Every audio file below the root; the label is the topmost folder, none for a file outside of one.

    Each recording is a group of its own, as nothing is known of its artist.
    """
    for uri in audio_files(root, member, say):
        if isinstance(uri, Failure):
            yield uri
            continue
        folder, slash, _ = uri.partition("/")
        yield Recording(uri, group=uri, labels={"label": folder if slash else None})


def _is_anything(_root: Root, _member: str) -> bool:
    return True


FORMAT = Format("folder", list_recordings, _is_anything)
