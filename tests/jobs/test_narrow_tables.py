"""On a terminal of 80 columns every table of results shows the conclusion and its control."""

from typing import Any

import pyarrow as pa
import pytest

from jobs.cli import vectors
from jobs.directions import report as directions
from jobs.fitting.printing import best_text
from jobs.kmeans import report as kmeans
from jobs.probe import report as probe
from jobs.terminal.tables import Narrow, to_text
from store.results.fits import ProbeRow

WIDTH = 80
PLACE: dict[str, Any] = {
    "concept": "instrument_family",
    "site": "resid",
    "reduction": "segments",
    "layer": 47,
}
PROBED = ProbeRow(
    **PLACE, loss="logistic_ovr", classes=2, accuracy=0.988, accuracy_low=0.954, accuracy_high=0.998,
    balanced_accuracy=0.987, baseline_accuracy=0.25, control_accuracy=0.161, control_high=0.229,
    verdict="better than both",
)  # fmt: skip
DIRECTED = directions.BestLayer(
    **PLACE, method="logistic", head=None, score=0.983, lowest="distorted guitar", lowest_score=0.911,
    separability=3.25, beyond_random=12, directions=12,
)  # fmt: skip
CLUSTERED = kmeans.BestLayer(
    **PLACE, classes=12, scaling="zscore", k=12, ari=0.512, ari_low=0.478, ari_high=0.533, nmi=0.634,
    silhouette=0.123, label_silhouette=-0.045,
)  # fmt: skip


@pytest.mark.parametrize(
    ("row", "keep", "answers"),
    [
        pytest.param(
            probe._shown(PROBED),
            probe.KEPT,
            {"score": "0.988", "95 %": "0.954", "shuffled": "0.229)", "verdict": "better", "layer": "47"},
            id="probe",
        ),
        pytest.param(
            directions._shown(DIRECTED),
            directions.KEPT,
            {"mean AUC": "0.983", "beyond random": "12 of 12", "layer": "47"},
            id="directions",
        ),
        pytest.param(
            kmeans._shown(CLUSTERED),
            kmeans.KEPT,
            {"ARI": "0.512", "over starts": "0.478", "silhouette": "0.123", "layer": "47"},
            id="kmeans",
        ),
    ],
)
def test_what_was_found_stands_beside_its_control(
    row: dict[str, str], keep: tuple[str, ...], answers: dict[str, str]
) -> None:
    text = best_text([row], keep, width=WIDTH)
    table, note = text.split("(1 row)")
    assert set(keep) == set(row)
    assert max(map(len, text.splitlines())) <= WIDTH
    for name, value in answers.items():
        assert all(word in table for word in name.split()), name
        assert value in table, name
    if note.strip():
        assert "--format json prints all" in " ".join(note.split())
        assert "SELECT" not in note


def test_stored_directions_are_listed_with_score_and_control() -> None:
    names = [name.strip().rsplit(" AS ", 1)[-1] for name in vectors.LISTED.split(",")]
    row = dict.fromkeys(names, "x" * 16) | {
        "vector_id": "0123456789abcdef", "layer": 47, "score": 0.983, "random_score": 0.612,
        "within_random": False,
    }  # fmt: skip
    narrow = Narrow(vectors.KEPT, ids=("vector_id", "run_id"))
    text = to_text(pa.Table.from_pylist([row]), width=WIDTH, narrow=narrow)
    table = text.split("(1 row)")[0]
    assert set(vectors.KEPT) <= set(names)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert all(value in table for value in ("0.983", "0.612", "false", "47", "01234567 "))
    assert "89abcdef" not in table


def test_an_id_is_whole_where_there_is_room_and_else_a_beginning_that_commands_take() -> None:
    table = pa.table({"vector_id": ["0123456789abcdef"], "text": ["words " * 5]})
    narrow = Narrow(ids=("vector_id",))
    assert "0123456789abcdef" in to_text(table, width=200, narrow=narrow)
    assert "01234567  " in to_text(table, width=40, narrow=narrow)


def test_columns_by_importance_keep_the_order_of_the_table() -> None:
    table = pa.table({name: ["x" * 10] for name in "abcdef"})
    head, _, *note = to_text(table, width=24, narrow=Narrow(("f", "b"))).splitlines()
    assert head.split() == ["b", "f"]
    assert "4 more columns: a, c, d, e" in " ".join(note)
