"""Layers in a bucket are fetched once, however often a fit passes over them."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from analysis.linear import row_blocks
from jobs.directions.fitting import run_directions
from jobs.directions.options import DirectionOptions
from jobs.fitting import rows as reading
from jobs.fitting import spool
from jobs.fitting.spool import RowSpool
from jobs.kmeans import running as clustering
from jobs.kmeans.options import KmeansOptions
from jobs.probe.options import ProbeOptions
from jobs.probe.running import probe_run
from store.arrays.collection import Collection
from store.objects.local import LocalObjects
from store.opening import Store

STYLE = "SELECT clip_id, style FROM clips"


class Fetched:
    """Rows that are their numbers, squared too, and how often each was asked for."""

    def __init__(self) -> None:
        self.times = Counter[int]()

    def __call__(self, numbers: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, Any]:
        self.times.update(numbers.tolist())
        return np.stack([numbers, numbers**2], axis=1).astype(np.float32)


QUESTIONS = [[5, 6, 7], [7, 5], [2, 9, 6, 6], [], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [9, 0, 4]]


def test_a_row_is_fetched_once_and_comes_back_in_any_order() -> None:
    fetched = Fetched()
    rows = RowSpool(fetched)
    for numbers in QUESTIONS:
        expected = np.array([[n, n**2] for n in numbers], np.float32).reshape(-1, 2)
        np.testing.assert_array_equal(rows.read(np.array(numbers, np.int64)), expected)
    assert fetched.times == Counter(range(10))


def test_a_full_disk_costs_time_and_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "FREE_BYTES", 1 << 62)
    fetched = Fetched()
    rows = RowSpool(fetched)
    for _ in range(3):
        np.testing.assert_array_equal(rows.read(np.array([3, 1])), [[3, 9], [1, 1]])
    assert fetched.times == Counter({3: 3, 1: 3})


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often each row is read of a store that counts as a bucket, in blocks of 16 and never held."""
    times = Counter[int]()
    original = Collection.read_layer_rows

    def counted(self: Collection, name: str, layer: int, rows: Any, **options: Any) -> Any:
        times.update(rows.tolist())
        return original(self, name, layer, rows, **options)

    monkeypatch.setattr(LocalObjects, "is_local", False)
    monkeypatch.setattr(Collection, "read_layer_rows", counted)
    monkeypatch.setattr(reading, "MEMORY_BYTES", 0)
    monkeypatch.setattr(clustering, "MEMORY_BYTES", 0)
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", 16)
    monkeypatch.setattr(row_blocks, "HELD_BYTES", 0)
    return times


def test_every_fit_fetches_a_row_of_a_bucket_once(planted_store: Store, fetched: Counter[int]) -> None:
    url = planted_store.url
    where: dict[str, Any] = {"sites": "attn", "layers": "2", "engine": "inline"}
    least: dict[str, Any] = {"loss": "logistic", "penalties": "1", "controls": 0, "handcrafted": False}
    probe_run(ProbeOptions(url, "toy", STYLE, reduce="mean", **least, **where))
    assert set(fetched.values()) == {1}
    fetched.clear()
    run_directions(DirectionOptions(url, "toy", STYLE, methods="logistic:1,pca", **where))
    assert set(fetched.values()) == {1}
    fetched.clear()
    clustering.run_kmeans(KmeansOptions(url, "toy", STYLE, k="2", starts=1, workers=1, **where))
    assert set(fetched.values()) == {1}
