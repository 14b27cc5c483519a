"""The dataset formats by name, and which of them a folder, file or URL is in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.datasets import fma, folder, gtzan, syntheory, table
from pipelines.datasets.tables import is_table_name, opened_text
from pipelines.files import Root, open_root
from store.errors import InvalidInput
from store.records import Failure, Recording


class Lister(Protocol):
    """Lists the recordings of a root, or of one file or folder (`member`) of it."""

    def __call__(self, root: Root, member: str = "") -> Iterator[Recording | Failure]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """How a published or home-made dataset is laid out."""

    name: str
    list_recordings: Lister
    recognise: Callable[[Root, str], bool]
    """Whether a root (or a member of it) looks like this format; called in the order of FORMATS."""
    clip_seconds: float = 10.0
    """Length of clips unless the user says otherwise."""
    notes: str = ""
    """What a user of the labels, groups and splits must know."""


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset to be read: its root, what part of it, and in which format."""

    root: Root
    member: str
    format: Format

    def list_recordings(self) -> Iterator[Recording | Failure]:
        """The dataset's recordings, in a fixed order."""
        return self.format.list_recordings(self.root, self.member)


def open_source(path: str | Path, format_name: str = "auto") -> Source:
    """The dataset at a folder, table file or URL.

    Raises:
        NotFound: nothing is there.
        InvalidInput: no such format.
    """
    if format_name != "auto" and format_name not in FORMATS:
        raise InvalidInput(f"There is no format {format_name!r}; it is auto or one of {', '.join(FORMATS)}.")
    root, member = _locate(str(path))
    if format_name != "auto":
        return Source(root, member, FORMATS[format_name])
    recognised = next(known for known in FORMATS.values() if known.recognise(root, member))
    return Source(root, member, recognised)


def _locate(path: str) -> tuple[Root, str]:
    """Root and member: a table's root is its folder, that of FMA's audio the folder above."""
    place, question, query = path.partition("?") if "://" in path else (path, "", "")
    trimmed, grant = place.rstrip("/"), question + query
    absolute = trimmed if "://" in trimmed else str(Path(trimmed or "/").expanduser().absolute())
    parent, _, name = absolute.rpartition("/")
    if is_table_name(name):
        return open_root(parent + grant), name
    if name in fma.AUDIO_FOLDERS and open_root(parent + grant).exists(fma.TRACKS):
        return open_root(parent + grant), name
    return open_root(absolute + grant), ""


def _is_table(root: Root, member: str) -> bool:
    return is_table_name(member) or any(root.exists(name) for name in table.TABLE_NAMES)


def _is_fma(root: Root, member: str) -> bool:
    return not is_table_name(member) and root.exists(fma.TRACKS)


def _is_gtzan(root: Root, member: str) -> bool:
    if member:
        return False
    folders = ("", "genres", "genres_original", "Data/genres_original")
    return any(root.exists(name) and set(gtzan.GENRES) <= set(root.folders(name)) for name in folders)


def _is_syntheory(root: Root, member: str) -> bool:
    tables = [f"{name}/info.csv" if name else "info.csv" for name in ("", *syntheory.CONCEPTS)]
    return not member and any(root.exists(name) and _first_line_names_audio(root, name) for name in tables)


def _is_anything(_root: Root, _member: str) -> bool:
    return True


def _first_line_names_audio(root: Root, name: str) -> bool:
    with opened_text(root, name) as text:
        return "synth_file_path" in text.readline()


FORMATS: Mapping[str, Format] = {
    known.name: known
    for known in (
        Format("fma", fma.list_recordings, _is_fma, notes=fma.NOTES),
        Format(
            "syntheory", syntheory.list_recordings, _is_syntheory, syntheory.CLIP_SECONDS, syntheory.NOTES
        ),
        Format("gtzan", gtzan.list_recordings, _is_gtzan, notes=gtzan.NOTES),
        Format("table", table.list_recordings, _is_table),
        Format("folder", folder.list_recordings, _is_anything),
    )
}
