"""Listing the audio files below a root."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from pipelines.files import Root
from store.records import Failure

AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".w64", ".rf64", ".caf", ".aif", ".aiff", ".aifc", ".au", ".snd", ".flac"}
    | {".mp2", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma"}
)


def is_audio_name(uri: str) -> bool:
    """Whether a file's name says that it is audio."""
    return PurePosixPath(uri).suffix.lower() in AUDIO_SUFFIXES


def audio_files(root: Root, below: str = "") -> Iterator[str | Failure]:
    """Every file whose name says audio, in sorted order; other files are passed over in silence."""
    for uri in root.walk(below):
        if is_audio_name(uri):
            yield unreadable_name(uri) or uri


def unreadable_name(uri: str) -> Failure | None:
    """The failure of a file whose name is not valid Unicode, which no table could hold."""
    try:
        uri.encode()
    except UnicodeEncodeError:
        readable = uri.encode(errors="surrogateescape").decode(errors="backslashreplace")
        message = f"The name of {readable} is not valid UTF-8; rename the file."
        return Failure(readable, "list", "InvalidInput", message, readable)
    return None
