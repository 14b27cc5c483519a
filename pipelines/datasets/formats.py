"""The dataset formats by name, and which of them a folder, file or URL is in."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.audio.files import Root, open_root
from pipelines.datasets import fma
from pipelines.datasets.protocol import Format
from pipelines.datasets.remarks import Say, in_silence
from pipelines.datasets.tables import ENDINGS, is_table_name
from store.errors import InvalidInput, refuse_password
from store.extensions import DATASETS
from store.records import Failure, Recording

AUTO = "auto"


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
        BrokenPlugin: the format is a plug-in's, which cannot be loaded.
    """
    named = None if format_name == AUTO else _named(format_name)
    root, member = _locate(str(path))
    if not member and format_name in (AUTO, fma.FORMAT.name):
        root = _inner_fma(root) or root
    return Source(root, member, named or _recognised(root, member))


def _named(name: str) -> Format:
    if name not in DATASETS.names():
        raise DATASETS.unknown(name, AUTO)
    return replace(DATASETS.load(name, Format), name=name)


def _recognised(root: Root, member: str) -> Format:
    """The first of the built-in formats that the place looks like: a plug-in changes nothing unasked."""
    known = (DATASETS.load(name, Format, unasked=True) for name in DATASETS.built_in)
    return next(one for one in known if one.recognise(root, member))


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
    if "://" not in absolute and Path(absolute).is_file():
        raise InvalidInput(
            f"{absolute} is a file, and no table: give a folder of audio, or a table, whose name ends in "
            f"{', '.join(ENDINGS)}."
        )
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
