"""Items to score: clips of a dataset, or generations that a query names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from jobs.generate.records import audio_key
from store.catalog.asking import Catalog
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.records import PlannedClip
from store.results.generated_audio import sound_keys

ItemKind = Literal["clip", "generation"]
WHOLE = 0.0
"""Length of an item of which the whole file is scored."""


@dataclass(frozen=True, slots=True)
class Item:
    """A sound with an id."""

    item_id: str
    kind: ItemKind
    sha256: str
    """Of the recording's file, so that a clip whose audio was replaced is scored anew; "" for generations."""
    uri: str
    """Below the root of the audio."""
    start_seconds: float = 0.0
    duration_seconds: float = WHOLE

    @property
    def planned(self) -> PlannedClip:
        """The item as decoders take it."""
        return PlannedClip(
            self.item_id, self.uri, self.start_seconds, self.duration_seconds, sha256=self.sha256
        )


@dataclass(frozen=True, slots=True)
class Items:
    """Sounds below one root."""

    dataset: str | None
    """None for generations, which lie in the store itself."""
    members: tuple[Item, ...]

    @property
    def ids(self) -> list[str]:
        """Their ids, in order."""
        return [item.item_id for item in self.members]


def clips_of(store: Store, dataset: str) -> Items:
    """Every clip of a dataset.

    Raises:
        NotFound: there is no such dataset.
        InvalidInput: it has no clips.
    """
    members = tuple(
        Item(clip.clip_id, "clip", clip.sha256, clip.uri, clip.start_seconds, clip.duration_seconds)
        for clip in store.dataset(dataset).clips()
    )
    if not members:
        raise InvalidInput(f"Dataset {dataset!r} has no clips to score.")
    return Items(dataset, members)


def generations_of(store: Store, query: str) -> Items:
    """The generations whose ids a query gives.

    Args:
        store: where they are.
        query: one SELECT with a column generation_id.

    Raises:
        QueryRefused: the query is wrong.
        InvalidInput: it has no such column, or gives no generation.
        NotFound: a generation's sound is not in the store.
    """
    answer = Catalog.of(store).ask(query)
    return generations_with(store, _ids(answer))


def generations_with(store: Store, generation_ids: Sequence[str]) -> Items:
    """Generations by id, each once, in order; of those that continue a recording what comes after it."""
    ids = list(dict.fromkeys(generation_ids))
    present = sound_keys(store.objects)
    missing = [each for each in ids if audio_key(each) not in present]
    if missing:
        raise NotFound(
            f"{len(missing)} of {len(ids)} generations have no sound in the store, first {missing[0]!r}."
        )
    prompted = _continuations(store)
    return Items(
        None, tuple(Item(each, "generation", "", audio_key(each), *prompted.get(each, ())) for each in ids)
    )


def _continuations(store: Store) -> dict[str, tuple[float, float]]:
    """Start and length in seconds of what comes after an audio prompt, by generation."""
    catalog = Catalog.of(store)
    if not catalog.has("generations"):
        return {}
    query = "SELECT generation_id, prompt_seconds, seconds FROM generations WHERE prompt_seconds > 0"
    rows = catalog.rows(query, timeout_seconds=None)
    return {
        row["generation_id"]: (row["prompt_seconds"], row["seconds"] - row["prompt_seconds"]) for row in rows
    }


def _ids(answer: pa.Table) -> list[Any]:
    if "generation_id" not in answer.column_names:
        raise InvalidInput(
            f"The query of --generations gives {', '.join(answer.column_names)}; it must give a column "
            "generation_id."
        )
    ids = [each for each in answer["generation_id"].to_pylist() if each is not None]
    if not ids:
        raise InvalidInput("The query of --generations gives no generation: its result is empty.")
    return ids
