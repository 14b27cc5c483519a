"""Interface of a dataset format: a lister of recordings, with what a user of them must know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pipelines.audio.files import Root
from pipelines.datasets.remarks import Say, in_silence
from store.records import Failure, Recording


class Lister(Protocol):
    """Lists the recordings of a root, or of one file or folder (`member`) of it.

    The order is the same at every call, and a name is given once: `Recording.uri`, relative to the root, with
    forward slashes. `Recording.group` is what no fold may cut through, such as the artist. A recording that
    cannot be used is a `Failure` and stops nothing; `say` takes sentences for the summary. Nothing is decoded
    here: clips are cut, and measured in seconds, afterwards.

    Raises:
        InvalidInput: the root is not of this format.
    """

    def __call__(
        self, root: Root, member: str = "", say: Say = in_silence
    ) -> Iterator[Recording | Failure]: ...


def unrecognised(_root: Root, _member: str) -> bool:
    """Leave a format to be named: nothing looks like it."""
    return False


@dataclass(frozen=True, slots=True)
class Format:
    """How a published or home-made dataset is laid out."""

    name: str
    list_recordings: Lister
    recognise: Callable[[Root, str], bool] = unrecognised
    """Whether a root (or a member of it) looks like this format; asked of built-in ones alone."""
    clip_seconds: float = 10.0
    """Length of clips unless the user says otherwise."""
    notes: str = ""
    """What a user of the labels, groups and splits must know."""
