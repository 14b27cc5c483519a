"""Automatic strengths of a sweep: what is wanted, and reading and writing what was found."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from jobs.evaluate.records import now
from jobs.generate.specification import EditSpec, GenerationSpec
from store.catalog.asking import Catalog
from store.opening import Store
from store.results.parts import digest_of, write_results
from store.results.schemas import TABLES

KIND = "strengths"

SCHEMA = TABLES[KIND].schema()


@dataclass(frozen=True, slots=True)
class WantedStrengths:
    """Edits whose strengths are to be found on an unsteered generation."""

    unsteered: GenerationSpec
    edits: tuple[EditSpec, ...]
    """Their strengths mean nothing."""
    cap_text: str | None
    """Caps the strengths by what this prompt alone would change."""

    @property
    def strength_id(self) -> str:
        """Stands for all that decides the strengths."""
        edits = [{**asdict(edit), "alpha": None} for edit in self.edits]
        return digest_of([self.unsteered.generation_id, edits, self.cap_text])


@dataclass(frozen=True, slots=True)
class FoundStrengths:
    """One strength per edit, and the factor of the cap."""

    alphas: tuple[float, ...]
    cap: float | None


def read_strengths(store: Store) -> dict[str, tuple[float, ...]]:
    """Stored strengths by strength_id."""
    catalog = Catalog.of(store)
    if not catalog.has(KIND):
        return {}
    query = f"SELECT strength_id, arg_min(alphas, created_at) AS alphas FROM {KIND} GROUP BY ALL"  # noqa: S608
    return {row["strength_id"]: tuple(row["alphas"]) for row in catalog.rows(query)}


def write_strengths(store: Store, found: Sequence[tuple[WantedStrengths, FoundStrengths]]) -> str:
    """Write the strengths of some generations as one part; returns its name."""
    ids = sorted(wanted.strength_id for wanted, _ in found)
    table = pa.Table.from_pylist([_row(*each) for each in found], schema=SCHEMA)
    return write_results(store, KIND, {"kind": KIND, "strengths": ids}, table)


def _row(wanted: WantedStrengths, found: FoundStrengths) -> dict[str, Any]:
    return {
        "strength_id": wanted.strength_id,
        "unsteered_id": wanted.unsteered.generation_id,
        "vector_ids": [edit.vector_id for edit in wanted.edits],
        "layers": [edit.layer for edit in wanted.edits],
        "alphas": list(found.alphas),
        "cap_text": wanted.cap_text,
        "cap": found.cap,
        "created_at": now(),
    }
