"""Open audio with FFmpeg: only formats that read their own bytes, and no file beside the one given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from pipelines.audio.formats import DEMUXERS
from store.errors import AudioError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

_NOTHING = "none"
"""A list with no protocol in it: FFmpeg may not open files, sockets or URLs of its own accord."""
_OPTIONS = {"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": _NOTHING}


@contextmanager
def opened_media(file: BinaryIO) -> Iterator[tuple["InputContainer", "av.AudioStream"]]:
    """The container in an open file and its first stream of audio.

    FFmpeg reads the file object alone: a playlist or a session description, whatever its name, is refused
    before it is read, and what a container asks for beside itself is not opened.

    Raises:
        AudioError: it is no audio, or in a format that is not read (see `pipelines.audio.formats`).
    """
    import av

    file.seek(0)
    with (
        ffmpeg_errors(),
        av.open(
            file, mode="r", metadata_errors="ignore", container_options=_OPTIONS, io_open=_refuse
        ) as container,
    ):
        if not container.streams.audio:
            raise AudioError("The file has no audio stream.")
        yield container, container.streams.audio[0]


@contextmanager
def ffmpeg_errors() -> Iterator[None]:
    """Turn what FFmpeg raises inside the block into `AudioError`."""
    import av

    try:
        yield
    except av.ArgumentError as error:
        raise AudioError(
            "FFmpeg refuses the file: it is damaged, or no sound itself but a text that names some (playlist,"
            " session description). Name the sound files themselves, or convert it to WAV or FLAC."
        ) from error
    except av.FFmpegError as error:
        raise AudioError(f"FFmpeg cannot read the file as audio: {error.strerror}.") from error


def _refuse(url: str, _flags: int, _options: dict[str, Any]) -> NoReturn:
    """Answers a container that wants to read beside its own file."""
    raise AudioError(f"The file asks for another one ({url[:80]!r}), which is not opened.")
