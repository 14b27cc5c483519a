"""What a split cannot measure is said and skipped; what it can measure beside it is fitted as ever."""

from typing import Any

import pytest
from click.testing import CliRunner

from analysis.splits import fold_partition
from jobs.cli.main import undertone
from jobs.probe.options import ProbeOptions
from jobs.probe.running import Probed, probe_run
from jobs.sweep.labels import resolve_concept
from store.errors import InvalidInput
from store.opening import Store

ALL = [f"artist{number:02d}" for number in range(40)]
FITS = [{"loss": "mse,logistic"}, {"loss": "mse,logistic_ovr", "penalties": "1"}]


def fit(store: Store, labels: str, **options: Any) -> Probed:
    given: dict[str, Any] = {"engine": "inline", "handcrafted": False, "controls": 2} | options
    return probe_run(ProbeOptions(store.url, "songs", labels, **given))


def of_concept(probed: Probed, concept: str) -> list[dict[str, Any]]:
    rows = probed.table.to_pylist()
    return [row for row in rows if row["concept"] == concept and row["class"] is None]


def artists_of_one_fold(count: int) -> list[str]:
    """Some artists that five folds hold out together, numbers that the planted `live` has both of."""
    folds = fold_partition(ALL, 5).cells
    return [name for name, fold in zip(ALL, folds, strict=True) if fold == folds[0]][:count]


def listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


@pytest.mark.parametrize("options", FITS)
def test_labels_without_a_test_clip_are_skipped_and_others_fitted(
    planted: Store, options: dict[str, Any]
) -> None:
    labels = (
        "SELECT clip_id, style, CASE WHEN split = 'test' THEN NULL ELSE style END AS training, "
        "CASE WHEN split = 'test' THEN NULL ELSE tempo END AS pace FROM clips WHERE style <> 'ambient'"
    )
    found = fit(planted, labels, split="official", **options)
    assert {row["verdict"] for row in of_concept(found, "training")} == {"not measurable"}
    assert all(row["accuracy"] is None and row["clips"] == 0 for row in of_concept(found, "training"))
    assert {row["loss"] for row in of_concept(found, "pace")} == {"mse"}
    assert all(row["accuracy"] > 0.8 for row in of_concept(found, "style") if row["layer"] == 1)
    assert "training is not measurable: none of its 86 clips is held out." in found.notes
    assert "pace is not measurable: none of its 86 clips is held out." in found.notes


@pytest.mark.parametrize("options", FITS)
def test_labels_within_one_fold_are_skipped_with_a_number_of_folds_that_would_do(
    planted: Store, options: dict[str, Any]
) -> None:
    names = listed(artists_of_one_fold(6))
    labels = f"SELECT clip_id, CASE WHEN group_id IN ({names}) THEN live END AS few, live FROM clips"
    found = fit(planted, labels, **options)
    assert {row["verdict"] for row in of_concept(found, "few")} == {"not measurable"}
    assert all(row["accuracy"] is not None for row in of_concept(found, "live"))
    (note,) = [note for note in found.notes if note.startswith("few is not")]
    suggested = int(note.split("--folds ")[1].split()[0])
    assert {row["accuracy"] is None for row in of_concept(fit(planted, labels, folds=suggested), "few")} == {
        False
    }


def test_only_labels_that_cannot_be_measured_are_no_error(planted: Store) -> None:
    labels = f"SELECT clip_id, live FROM clips WHERE group_id IN ({listed(artists_of_one_fold(6))})"
    for options in FITS:
        assert {row["verdict"] for row in of_concept(fit(planted, labels, **options), "live")} == {
            "not measurable"
        }


def test_a_class_within_one_fold_is_not_scored_and_does_not_spoil_the_others(planted: Store) -> None:
    names = listed(artists_of_one_fold(3))
    labels = f"SELECT clip_id, CASE WHEN group_id IN ({names}) THEN 'lost' ELSE style END AS kind FROM clips"
    found = fit(planted, f"{labels} WHERE style <> 'ambient'")
    (note,) = [note for note in found.notes if "'lost'" in note]
    assert "fall into one held-out part" in note
    assert "--folds " in note
    rows = {(row["layer"], row["class"]): row for row in found.table.to_pylist()}
    assert rows[1, "lost"]["accuracy"] is None
    assert rows[1, "lost"]["within_control"] is None
    assert rows[1, "lost"]["verdict"] == "not measurable"
    assert "all 8 clips of class 'lost'" in note
    assert rows[1, None]["clips"] == 116 - 8
    assert rows[1, None]["accuracy"] > 0.9
    assert rows[1, None]["verdict"] == "better than both"


def test_a_concept_most_of_whose_clips_no_probe_can_name_is_not_measurable(planted: Store) -> None:
    """Two of three classes stand in one fold each; the score of the third alone would be called theirs."""
    folds = fold_partition(ALL, 5).cells
    places = {
        "first": [name for name, fold in zip(ALL, folds, strict=True) if fold == 0],
        "second": [name for name, fold in zip(ALL, folds, strict=True) if fold == 1],
        "third": [ALL[folds.tolist().index(fold)] for fold in (2, 3)],
    }
    cases = " ".join(f"WHEN group_id IN ({listed(names)}) THEN '{kind}'" for kind, names in places.items())
    found = fit(planted, f"SELECT clip_id, CASE {cases} END AS kind FROM clips")
    assert {row["verdict"] for row in of_concept(found, "kind")} == {"not measurable"}
    assert any("held-out clips 6 (of 1 class) have their class" in note for note in found.notes)


def test_numbers_that_do_not_vary_where_they_are_tested_get_no_verdict(planted: Store) -> None:
    labels = "SELECT clip_id, CASE WHEN split = 'test' THEN 100 ELSE tempo END AS pace FROM clips"
    found = fit(planted, labels, split="official")
    for row in of_concept(found, "pace"):
        assert (row["r2"], row["within_control"], row["verdict"]) == (None, None, "not measurable")
    arguments = [
        "probe",
        planted.url,
        "songs",
        "--labels",
        labels,
        "--split",
        "official",
        "--engine",
        "inline",
    ]
    printed = CliRunner().invoke(undertone, [*arguments, "--no-handcrafted", "--controls", "2"]).stdout
    (line,) = [line for line in printed.splitlines() if line.startswith("pace")]
    assert "R² –" in " ".join(line.split())
    assert "accuracy" not in line
    assert line.rstrip().endswith("not measurable")
    assert line.split()[:3] == ["pace", "mse", "resid.mean"]
    assert line.split()[3] == "R²", "no layer is the best one"


def test_a_class_without_a_test_clip_is_neither_within_its_control_nor_better(planted: Store) -> None:
    without = "style <> 'ambient' AND NOT (style = 'rock' AND split = 'test')"
    labels = f"SELECT clip_id, style FROM clips WHERE {without}"
    rows = fit(planted, labels, split="official").table.to_pylist()
    rock = [row for row in rows if row["class"] == "rock"]
    assert len(rock) == 2
    for row in rock:
        assert (row["accuracy"], row["within_control"], row["verdict"]) == (None, None, "not measurable")


def test_a_sweep_refuses_too_few_groups_before_it_fits_or_makes_anything(planted: Store) -> None:
    query = "SELECT clip_id, live, CAST(right(group_id, 2) AS INT) % 3 AS grp FROM clips"
    with pytest.raises(InvalidInput, match="5 folds cannot be made of 3 groups"):
        resolve_concept(planted, planted.run("songs"), "live", query, query)
