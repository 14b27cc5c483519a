"""Digests of columns are those of the lists that stores hold already."""

from collections.abc import Iterator

import pytest

from jobs.fitting import digests
from jobs.fitting.digests import digest_of_parts
from store.results.parts import digest_of

TEXTS = ["clip1", 'with "quotes"', "größer", "", "c\\d", *(f"clip{n}" for n in range(50))]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_digest_of_iterators_is_that_of_their_lists(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "CHUNK", chunk)
    nothing: Iterator[str] = iter(())
    concept: list[digests.Part] = ["style", "class", ["a"], iter(TEXTS)]
    concepts: list[digests.Part] = [concept]
    parts: list[digests.Part] = ["run", iter(TEXTS), nothing, concepts, []]
    assert digest_of_parts(parts) == digest_of(["run", TEXTS, [], [["style", "class", ["a"], TEXTS]], []])
    missing: Iterator[str | None] = iter(["a", None])
    assert digest_of_parts([missing]) == digest_of([["a", None]])
