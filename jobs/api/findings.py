"""Results of a fit to every layer of a run: the best layer of each site, and all rows as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.api.answers import Answer


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Findings:
    """Results of all layers of a run; they are stored, and `store.sql` finds them too."""

    best: Answer
    """The best layer of each concept, site and reduction, the best first."""
    everything: Answer
    """All rows that were asked for, as the store has them."""
    fitted: int
    """How many were fitted now."""
    known: int
    """How many were stored already."""
    notes: tuple[str, ...]
    """What to know before believing them."""

    def __repr__(self) -> str:
        work = f"{self.fitted} fitted, {self.known} stored before, {len(self.notes)} notes"
        return f"{self.best!r}\n{work}"

    def _repr_html_(self) -> str:
        return self.best._repr_html_()


def answer_of(rows: Sequence[Mapping[str, Any]]) -> Answer:
    """Rows as an answer."""
    import pyarrow as pa

    return Answer(pa.Table.from_pylist([dict(row) for row in rows]))
