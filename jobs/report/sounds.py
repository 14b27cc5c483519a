"""Audio files as data URLs inside a page."""

from base64 import b64encode
from pathlib import PurePosixPath

from jobs.report.page import Sound
from store.errors import InvalidInput

MEDIA_TYPES = {".flac": "audio/flac", ".wav": "audio/wav", ".mp3": "audio/mpeg"}


def embedded_sound(name: str, data: bytes, file: str, *, note: str = "") -> Sound:
    """A player for one audio file.

    Args:
        name: what it is, for example "steered, α 0.4".
        data: content of the file.
        file: its name or key; the ending tells the format.
        note: what else to say of it.

    Raises:
        InvalidInput: browsers do not play files of this ending everywhere.
    """
    ending = PurePosixPath(file).suffix.lower()
    if ending not in MEDIA_TYPES:
        raise InvalidInput(f"{file} cannot be played in a page; only {', '.join(MEDIA_TYPES)} can.")
    return Sound(name, f"data:{MEDIA_TYPES[ending]};base64,{b64encode(data).decode()}", note)
