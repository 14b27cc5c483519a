"""The view `signatures` names how a setting fails, and names nothing that an interval leaves open."""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.objects.ledger import commit, never, withdraw
from store.opening import Store, open_store

EFFECT = {
    "sweep": "strength", "sweep_id": "s", "run_id": "r", "setting_id": "x", "split": "all",
    "concept": "style", "source": "rock", "target": "jazz", "alpha": 0.5, "scorer": "clap",
    "created_at": datetime(2026, 11, 1, tzinfo=UTC).replace(tzinfo=None),
}  # fmt: skip
Named = Callable[..., list[str]]

RISES = {"metric": "transfer", "value": 0.4, "low": 0.3, "high": 0.5, "over_random_low": 0.2}
STAYS = {"metric": "transfer", "value": 0.1, "low": 0.05, "high": 0.2, "over_random_low": -0.02}
LIKE = {"metric": "similarity", "value": 0.8, "low": 0.7, "high": 0.9, "prompt_low": 0.6, "prompt_high": 0.7}
UNLIKE = {**LIKE, "value": 0.4, "low": 0.3, "high": 0.5}


def rival(name: str, rise: float, *, concept: str = "style", low: float = 0.05) -> dict[str, Any]:
    return {
        "metric": "change", "measured_concept": concept, "measured_class": name, "value": rise, "low": low,
        "over_random_low": low,
    }  # fmt: skip


def damage(name: str, low: float, *, prompt_high: float | None = 0.3) -> dict[str, Any]:
    return {
        "scorer": "descriptors", "metric": "change", "measured_class": name, "value": low + 0.1, "low": low,
        "prompt_high": prompt_high,
    }  # fmt: skip


@pytest.fixture
def row(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The view's row of one setting with these effects."""
    store: Store = open_store(tmp_path / "music.store", create=True)

    def ask(*effects: Mapping[str, Any]) -> dict[str, Any]:
        rows: Sequence[Mapping[str, Any]] = [{**EFFECT, **effect} for effect in effects]
        names = list(dict.fromkeys(name for one in rows for name in one))
        buffer = io.BytesIO()
        pq.write_table(pa.table({name: [one.get(name) for one in rows] for name in names}), buffer)
        withdraw(store.objects, "results/effects/part.parquet", [])
        store.objects.delete("results/effects/part.parquet")
        commit(store.objects, "results/effects/part.parquet", buffer.getvalue(), kind="results", sound=never)
        (found,) = run_query(refresh_catalog(store), "FROM signatures").to_pylist()
        return dict(found)

    return ask


@pytest.mark.parametrize(
    ("effects", "names"),
    [
        ([RISES, LIKE, rival("rock", 0.1)], []),
        ([STAYS], ["no change"]),
        ([{**STAYS, "over_random_low": None, "low": None}], None),  # one prompt: nobody knows
        ([{**STAYS, "over_random_low": None}], []),
        ([{**STAYS, "over_random_low": None, "low": -0.01}], ["no change"]),
        ([{**RISES, "low": -0.1}], ["no change"]),  # random directions only lower it more
        ([STAYS, rival("folk", 0.3, low=0.21)], ["wrong concept"]),
        ([STAYS, rival("folk", 0.3, low=0.19)], []),  # higher, but the intervals meet
        ([STAYS, rival("folk", 0.3, low=-0.1)], ["no change"]),
        ([RISES, rival("slow", 0.6, concept="tempo", low=0.55)], ["wrong concept"]),
        ([RISES, rival("jazz", 0.6, low=0.55)], []),
        ([RISES, damage("clipping", 0.4)], ["distortion"]),
        ([RISES, damage("clipping", 0.2)], []),
        ([RISES, damage("clipping", 0.2, prompt_high=None)], ["distortion"]),
        ([RISES, damage("tempo_bpm", 9.0)], []),
        ([RISES, UNLIKE], ["source lost"]),
        ([{"metric": "transfer", "value": None}], ["not scored"]),  # which is not "no change"
        ([{**RISES, "drone": True}], ["drone"]),
        ([RISES, UNLIKE, {**LIKE, "scorer": "chroma"}], []),
        ([RISES, UNLIKE, {**UNLIKE, "scorer": "chroma"}], ["source lost"]),
        ([RISES, UNLIKE, damage("silence", 0.9)], ["distortion", "source lost"]),
    ],
)  # fmt: skip
def test_a_setting_has_the_names_of_what_went_wrong(
    row: Callable[..., dict[str, Any]], effects: Sequence[Mapping[str, Any]], names: Sequence[str] | None
) -> None:
    assert row(*effects)["signatures"] == names


def test_what_went_wrong_is_said_in_detail(row: Callable[..., dict[str, Any]]) -> None:
    kad = {"metric": "kad", "value": 3.0, "low": 2.0, "prompt_high": 1.0}
    found = row(RISES, kad, damage("silence", 0.9), rival("folk", 0.5), rival("metal", 0.6))
    assert found["damaged"] == ["kad", "silence"]
    assert (found["rival"], found["rival_rise"], found["rival_low"]) == ("metal", 0.6, 0.05)


def test_classes_that_are_fused_are_no_rivals(row: Callable[..., dict[str, Any]]) -> None:
    both = {"target": "jazz+folk"}
    assert row({**RISES, **both}, {**rival("folk", 0.9, low=0.8), **both})["signatures"] == []


def test_a_rival_is_named_with_its_concept(row: Callable[..., dict[str, Any]]) -> None:
    found = row(RISES, rival("yes", 0.6, concept="drums"), rival("rock", 0.2))
    assert (found["rival"], found["rival_concept"], found["rival_rise"]) == ("yes", "drums", 0.6)
