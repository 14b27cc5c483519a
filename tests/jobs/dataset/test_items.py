"""Items of a dataset in columns are the items that went in, and small."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.data_findings import Item
from jobs.dataset.items import KeptItems
from store.records import Label

_TEXT = st.text(max_size=6)
_LABEL = st.one_of(_TEXT, st.booleans(), st.integers(-3, 3), st.none())
_ITEM = st.builds(
    Item,
    _TEXT,
    st.none() | st.sampled_from(["a" * 64, "b" * 64, "etag:1"]),
    _TEXT,
    st.none() | st.sampled_from(["train", "test"]),
    st.dictionaries(st.sampled_from(["style", "tempo", "key"]), _LABEL, max_size=3),
    st.integers(1, 300),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_ITEM, max_size=12))
def test_items_come_out_as_they_went_in(items: list[Item]) -> None:
    kept = KeptItems()
    for item in items:
        kept.append(item)
    assert len(kept) == len(items)
    for place, (found, item) in enumerate(zip(kept, items, strict=True)):
        assert (found.name, found.group, found.split, found.clips) == (
            item.name,
            item.group,
            item.split,
            item.clips,
        )
        assert [(name, type(value), value) for name, value in sorted(found.labels.items())] == [
            (name, type(value), value) for name, value in sorted(item.labels.items())
        ]
        assert kept[place] == found == kept[place - len(items)]
        same = [other.content == item.content for other in items]
        assert [other.content == found.content for other in kept] == same
        assert (found.content is None) == (item.content is None)


def test_an_item_takes_about_a_hundred_bytes() -> None:
    kept = KeptItems()
    kept.append(Item("first", "x", "first"))
    tracemalloc.start()
    for number in range(5000):
        name = f"some folder/an artist/track {number:06d}.mp3"
        labels: dict[str, Label] = {"style": f"style {number % 16}", "year": 1990 + number % 30}
        kept.append(Item(name, f"{number:064x}", name, "train", labels, 7))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / 5000 < 150
