"""Fits of stored layers that are too large to be held, against the same fits in memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from analysis.linear import columns, row_blocks
from jobs.directions.fitting import run_directions
from jobs.directions.options import DirectionOptions
from jobs.directions.stored import read_vectors
from jobs.fitting import rows as reading
from jobs.fitting.rows import Rows
from jobs.probe.options import ProbeOptions
from jobs.probe.running import probe_run
from store.objects.ledger import withdraw
from store.opening import Store
from store.results.fits import VectorRow

STYLE = "SELECT clip_id, style FROM clips"
SAME = 1e-10


def forget(store: Store, *folders: str) -> None:
    for folder in folders:
        for key, _ in list(store.objects.list(folder)):
            withdraw(store.objects, key, [key])


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Once applied, every layer is read in blocks of 16 rows, and none at once."""
    with monkeypatch.context() as patched:
        yield patched


def apply(patched: pytest.MonkeyPatch) -> None:
    def refused(_: Rows) -> Any:
        raise AssertionError("nobody may hold all rows")

    patched.setattr(reading, "MEMORY_BYTES", 0)
    patched.setattr(row_blocks, "BLOCK_ROWS", 16)
    patched.setattr(row_blocks, "HELD_BYTES", 0)
    patched.setattr(columns, "HELD_BYTES", 0)
    patched.setattr(Rows, "whole", refused)


def test_directions_of_a_layer_in_blocks_are_those_in_memory(
    planted_store: Store, no_memory: pytest.MonkeyPatch
) -> None:
    def fitted() -> dict[tuple[str, str], VectorRow]:
        options = DirectionOptions(planted_store.url, "toy", STYLE, sites="attn", layers="2", engine="inline")
        run_directions(options)
        return {(one.method, one.positive): one for one in read_vectors(planted_store)}

    known = fitted()
    forget(planted_store, "results/vectors")
    apply(no_memory)
    found = fitted()
    assert found.keys() == known.keys()
    for place, one in known.items():
        assert found[place].vector_id == one.vector_id
        np.testing.assert_allclose(found[place].vector, one.vector, atol=1e-6)
        for name in ("score", "score_low", "score_high", "random_score"):
            assert getattr(found[place], name) == pytest.approx(getattr(one, name), abs=SAME)


def test_directions_take_the_moments_that_probes_have_kept(
    planted_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = DirectionOptions(
        planted_store.url, "toy", STYLE, methods="mse,pca", sites="attn", layers="2", engine="inline"
    )
    run_directions(options)
    known = {(one.method, one.positive): one for one in read_vectors(planted_store)}
    forget(planted_store, "results/vectors")
    probe = ProbeOptions(
        planted_store.url, "toy", STYLE, sites="attn", reduce="mean", handcrafted=False, engine="inline"
    )
    probe_run(probe)

    def refused(*_: Any) -> Any:
        raise AssertionError("moments are there already")

    monkeypatch.setattr("analysis.linear.contrast_moments.moments_of", refused)
    run_directions(options)
    for one in read_vectors(planted_store):
        np.testing.assert_allclose(one.vector, known[one.method, one.positive].vector, atol=1e-6)
        assert one.score == pytest.approx(known[one.method, one.positive].score, abs=SAME)


def test_probes_of_a_layer_in_blocks_are_those_in_memory(
    planted_store: Store, no_memory: pytest.MonkeyPatch
) -> None:
    def fitted() -> list[dict[str, Any]]:
        options = ProbeOptions(
            planted_store.url,
            "toy",
            STYLE,
            loss="mse,logistic",
            sites="attn",
            layers="2",
            reduce="mean",
            handcrafted=False,
            controls=2,
            engine="inline",
        )
        return [
            {name: value for name, value in row.items() if name != "created_at"}
            for row in probe_run(options).table.to_pylist()
        ]

    known = fitted()
    forget(planted_store, "results/probes", "results/confusions", "moments")
    apply(no_memory)
    for row, expected in zip(fitted(), known, strict=True):
        assert row == pytest.approx(expected, abs=SAME)
