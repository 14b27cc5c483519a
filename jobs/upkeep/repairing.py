"""The work of `undertone repair`: withdraw what is damaged, and say which commands make it again."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.upkeep.inspecting import inspected, unchecked_objects, values_of

if TYPE_CHECKING:
    from store.upkeep.mending import Mended


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair has done."""

    mended: "Mended"
    next: list[str]
    """What makes again what was withdrawn."""
    left: list[dict[str, Any]]
    """What cannot be mended, with its cure."""


def repaired(store: str, run: str | None) -> Repaired:
    """Withdraw what is damaged of a store, or of one run; raises `Conflict` while a driver is at work."""
    from store.objects.storage import probe_create
    from store.upkeep.inspection import damage
    from store.upkeep.mending import mend

    objects = unchecked_objects(store)
    probe_create(objects)
    damaged = damage(inspected(objects, run))
    done = mend(objects, damaged, again=partial(inspected, objects, run))
    mended = [entry for entry in damaged if entry not in done.left]
    cures = [values_of(entry, objects.url)["cure"].partition("; then ")[2] for entry in mended]
    left = {entry.key: values_of(entry, objects.url) for entry in done.left}
    return Repaired(done, list(dict.fromkeys(filter(None, cures))), list(left.values()))
