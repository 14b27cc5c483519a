"""The dataset formats by name, and which of them a folder, file or URL is in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.datasets import fma, folder, gtzan, huggingface, syntheory, table
from pipelines.datasets.remarks import Say, in_silence
from pipelines.datasets.tables import is_table_name, opened_text
from pipelines.files import Root, open_root
from store.errors import InvalidInput, refuse_password
from store.records import Failure, Recording


class Lister(Protocol):
    """Lists the recordings of a root, or of one file or folder (`member`) of it."""

    def __call__(
        self, root: Root, member: str = "", say: Say = in_silence
    ) -> Iterator[Recording | Failure]: ...


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

    def list_recordings(self, say: Say = in_silence) -> Iterator[Recording | Failure]:
        """The dataset's recordings, in a fixed order; remarks come while they pass."""
        return self.format.list_recordings(self.root, self.member, say)


def open_source(path: str | Path, format_name: str = "auto") -> Source:
    """The dataset at a folder, table file or URL.

    Raises:
        NotFound: nothing is there.
        InvalidInput: no such format.
    """
    if format_name != "auto" and format_name not in FORMATS:
        raise InvalidInput(f"There is no format {format_name!r}; it is auto or one of {', '.join(FORMATS)}.")
    root, member = _locate(str(path))
    if not member and format_name in ("auto", "fma"):
        root = _inner_fma(root) or root
    if format_name != "auto":
        return Source(root, member, FORMATS[format_name])
    recognised = next(known for known in FORMATS.values() if known.recognise(root, member))
    return Source(root, member, recognised)


def _locate(path: str) -> tuple[Root, str]:
    """Root and member: a table's root is its folder, that of FMA's audio the folder with the metadata."""
    refuse_password(path)  # before it is taken apart: a password may hold any character
    place, question, query = path.partition("?") if "://" in path else (path, "", "")
    trimmed, grant = place.rstrip("/"), question + query
    absolute = trimmed if "://" in trimmed else str(Path(trimmed or "/").expanduser().absolute())
    parent, _, name = absolute.rpartition("/")
    if is_table_name(name) and ("://" in absolute or not Path(absolute).is_dir()):
        return open_root(parent + grant), name
    if name in fma.AUDIO_FOLDERS:
        for above, member in _parents_of_audio(parent, name):
            if fma.has_table(open_root(above + grant)):
                return open_root(above + grant), member
    return open_root(absolute + grant), ""


def _parents_of_audio(parent: str, name: str) -> Iterator[tuple[str, str]]:
    """The folder above FMA's audio, and the one above a folder of the same name, as Kaggle nests them."""
    yield parent, name
    above, _, outer = parent.rpartition("/")
    if outer == name:
        yield above, f"{name}/{name}"


def _inner_fma(root: Root) -> Root | None:
    """The only folder of a folder, where FMA lies in that."""
    folders = root.folders()
    if fma.has_table(root) or len(folders) != 1:
        return None
    inner = Root(root.path(folders[0]))
    return inner if fma.has_table(inner) else None


def _is_table(root: Root, member: str) -> bool:
    return is_table_name(member) or any(root.exists(name) for name in table.TABLE_NAMES)


def _is_huggingface(root: Root, member: str) -> bool:
    is_other = is_table_name(member) and not member.lower().endswith(huggingface.ENDING)
    if is_other or (not member and _is_table(root, member)):
        return False
    return huggingface.find_shard(root, member) is not None


def _is_fma(root: Root, member: str) -> bool:
    return not is_table_name(member) and fma.has_table(root)


def _is_gtzan(root: Root, member: str) -> bool:
    return not member and gtzan.find_genres(root) is not None


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
        Format("huggingface", huggingface.list_recordings, _is_huggingface, notes=huggingface.NOTES),
        Format("table", table.list_recordings, _is_table),
        Format("folder", folder.list_recordings, _is_anything),
    )
}
