"""Places where a store is not what it should be, and why a thing could not be read."""

from dataclasses import dataclass
from typing import Literal

from store.errors import CorruptData, InvalidInput, NotFound, NotPlain
from store.objects.protocol import Survey

Problem = Literal[
    "missing", "length", "checksum", "marker", "metadata", "plan", "document", "record", "unrecorded",
    "reference", "unreadable", "stranger", "note",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One place where the store is not what it should be."""

    problem: Problem
    key: str
    """Of the object, relative to the store."""
    unit_id: str | None
    """The unit that must be computed again, if any."""
    detail: str


def unread(key: str, error: Exception, otherwise: Problem, unit_id: str | None = None) -> Disagreement:
    """Why an object could not be read; what is damaged in itself is `otherwise`."""
    if isinstance(error, NotPlain | NotFound):
        return Disagreement("missing", key, unit_id, short(error))
    if isinstance(error, CorruptData | InvalidInput):
        return Disagreement(otherwise, key, unit_id, short(error))
    return Disagreement("unreadable", key, None, short(error))


def refused_folders(survey: Survey) -> list[Disagreement]:
    """Folders that are links, which belong to nothing, and those that cannot be read."""
    return [
        Disagreement("stranger" if isinstance(error, NotPlain) else "unreadable", key, None, short(error))
        for key, error in survey.refused.items()
    ]


def short(error: Exception) -> str:
    """The message up to the advice, which is given by file."""
    return str(error).split(": run `", 1)[0]
