"""Listing the audio files below a root."""

from collections import Counter
from collections.abc import Iterator

from pipelines.audio.files import Root
from pipelines.audio.formats import AUDIO_ENDINGS
from pipelines.datasets.remarks import Say, ending_of, in_silence, passed_over
from store.records import Failure


def is_audio_name(uri: str) -> bool:
    """Whether a file's name says that it is audio."""
    return ending_of(uri) in AUDIO_ENDINGS


def audio_files(root: Root, below: str = "", say: Say = in_silence) -> Iterator[str | Failure]:
    """Every file whose name says audio, in sorted order; the others are counted in a remark."""
    others: Counter[str] = Counter()
    for uri in root.walk(below):
        if is_audio_name(uri):
            yield unreadable_name(uri) or uri
        else:
            others[ending_of(uri)] += 1
    if others:
        say(passed_over(others))


def unreadable_name(uri: str) -> Failure | None:
    """The failure of a file whose name is not valid Unicode, which no table could hold."""
    try:
        uri.encode()
    except UnicodeEncodeError:
        readable = uri.encode(errors="surrogateescape").decode(errors="backslashreplace")
        message = f"The name of {readable} is not valid UTF-8; rename the file."
        return Failure(readable, "list", "InvalidInput", message, readable)
    return None
