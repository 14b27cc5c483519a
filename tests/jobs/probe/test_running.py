"""`undertone probe` on a planted world: what it finds, what it says, and what it does not do twice."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from analysis.probes.methods import LOGISTIC
from jobs.cli.main import undertone
from jobs.kmeans.options import KmeansOptions
from jobs.kmeans.running import run_kmeans
from jobs.probe.options import ProbeOptions
from jobs.probe.plan import ProbePlan
from jobs.probe.running import Probed, probe_run
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput
from store.opening import Store

ROOT = Path(__file__).parents[3]
LOSSES = {"mse", "logistic"}
STYLE = "SELECT clip_id, style, tempo FROM clips WHERE style <> 'ambient'"


def fit(store: Store, labels: str = STYLE, **options: Any) -> Probed:
    given: dict[str, Any] = {"engine": "inline", "handcrafted": False, "controls": 2} | options
    return probe_run(ProbeOptions(store.url, "songs", labels, **given))


def ask(store: Store, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(store), sql).to_pylist()
    return rows


def scores(probed: Probed) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows about whole concepts, by concept and layer."""
    rows = probed.table.to_pylist()
    return {(row["concept"], row["layer"]): row for row in rows if row["class"] is None}


def forget(store: Store, folder: str) -> None:
    """Remove what a folder holds, and that it was ever there."""
    for part in (folder, f"records/{folder}"):
        shutil.rmtree(Path(store.url) / part)


def test_the_layer_that_knows_is_told_from_the_one_that_does_not(planted: Store) -> None:
    found = scores(fit(planted))
    assert found["style", 1]["accuracy"] > 0.9
    assert not found["style", 1]["within_control"]
    assert found["tempo", 1]["r2"] > 0.7
    assert not found["tempo", 1]["within_control"]
    assert found["style", 0]["within_control"]
    assert found["tempo", 0]["r2"] < 0.1
    for row in found.values():
        score = "accuracy" if row["concept"] == "style" else "r2"
        assert row[f"{score}_low"] <= row[score] <= row[f"{score}_high"]


def test_both_losses_are_compared_on_the_same_clips(planted: Store) -> None:
    fit(planted, loss="mse,logistic,logistic_ovr")
    rows = ask(
        planted,
        "SELECT loss, accuracy, clips, folds FROM probes "
        "WHERE concept = 'style' AND class IS NULL AND layer = 1",
    )
    assert {row["loss"] for row in rows} == {"mse", "logistic", "logistic_ovr"}
    assert {(row["clips"], row["folds"]) for row in rows} == {(116, 5)}
    assert all(row["accuracy"] > 0.85 for row in rows)


def test_a_fit_with_one_penalty_scores_as_a_loop_over_scikit_learn(planted: Store) -> None:
    """Written here without any code of the probes: read, split by the stored folds, fit, score."""
    from analysis.splits import group_folds
    from jobs.fitting.labels import resolve_labels

    found = scores(fit(planted, penalties="0.1"))["style", 1]
    labels = resolve_labels(planted, planted.run("songs"), STYLE)
    rows, _ = planted.run("songs").read_layer("resid.mean", 1, labels.clip_ids)
    codes = labels.concepts[0].values
    folds = group_folds(labels.groups, 5, among=labels.all_groups)
    right = 0
    for fold in range(5):
        training, held_out = folds != fold, folds == fold
        scaler = StandardScaler().fit(rows[training].astype(np.float64))
        model = Ridge(alpha=0.1 * training.sum()).fit(
            scaler.transform(rows[training]), np.eye(3)[codes[training]]
        )
        right += (model.predict(scaler.transform(rows[held_out])).argmax(axis=1) == codes[held_out]).sum()
    assert found["accuracy"] == pytest.approx(right / len(codes))


def test_the_same_command_again_fits_nothing_and_says_so(planted: Store) -> None:
    first, again = fit(planted), fit(planted)
    assert (first.fitted, first.known) == (2, 0)
    assert (again.fitted, again.known) == (0, 2)
    assert again.table.equals(first.table)
    assert fit(planted, loss="mse,logistic").fitted == 2
    assert len(ask(planted, "SELECT DISTINCT probe_id FROM probes WHERE class IS NULL")) == 6


def test_probes_and_clusterings_of_the_same_labels_meet_in_one_row_per_layer(planted: Store) -> None:
    """The queries differ, and so do the other concepts that they name."""
    fit(planted, "SELECT clip_id, style, vocals, tempo FROM clips")
    run_kmeans(KmeansOptions(planted.url, "songs", "SELECT clip_id, style FROM clips", engine="inline"))
    rows = ask(planted, "FROM layers WHERE concept = 'style' ORDER BY layer")
    assert [row["layer"] for row in rows] == [0, 1]
    assert all(row["score"] is not None and row["ari"] is not None for row in rows)
    labelled = ask(planted, "SELECT DISTINCT labels_hash FROM results_labels WHERE concept = 'style'")
    assert labelled == [{"labels_hash": rows[0]["labels_hash"]}]


def test_the_baseline_is_the_share_of_the_most_frequent_class(planted: Store) -> None:
    """Not a majority of training folds: that of balanced classes is rarer than chance where it is tested."""
    fit(planted, "SELECT clip_id, live, style FROM clips WHERE style <> 'ambient'")
    for concept in ("live", "style"):
        counted = f"SELECT count(*) n FROM results_labels WHERE concept = '{concept}' GROUP BY class"
        counts = [row["n"] for row in ask(planted, counted)]
        probes = f"SELECT baseline_accuracy b FROM probes WHERE concept = '{concept}' AND class IS NULL"
        assert [row["b"] for row in ask(planted, probes)] == pytest.approx([max(counts) / sum(counts)] * 2)


def test_confusions_add_up_to_the_accuracy(planted: Store) -> None:
    probe = scores(fit(planted))["style", 1]
    rows = ask(planted, f"SELECT * FROM confusions WHERE probe_id = '{probe['probe_id']}'")
    right = sum(row["clips"] for row in rows if row["actual"] == row["predicted"])
    assert sum(row["clips"] for row in rows) == probe["clips"]
    assert right / probe["clips"] == pytest.approx(probe["accuracy"])


def test_a_new_concept_needs_neither_a_model_nor_audio_and_reuses_moments(planted: Store) -> None:
    """The planted run has no audio and no weights at all; only its activations and kept moments are read."""
    fit(planted)
    kept = sorted(path.name for path in Path(planted.url).glob("moments/*/*"))
    assert kept == ["resid.mean.0.npy", "resid.mean.1.npy"]
    mine = pa.table(
        {"clip_id": [f"clip{number:03d}" for number in range(120)], "odd": [bool(n % 2) for n in range(120)]}
    )
    path = Path(planted.url).parent / "mine.csv"
    path.write_text("clip_id,odd\n" + "\n".join(f"{row['clip_id']},{row['odd']}" for row in mine.to_pylist()))
    labels = "SELECT m.clip_id, m.odd FROM mine m JOIN clips c USING (clip_id) WHERE c.style <> 'ambient'"
    found = fit(planted, labels, tables=(f"mine={path}",))
    assert scores(found)["odd", 0]["clips"] == 116
    assert sorted(path.name for path in Path(planted.url).glob("moments/*/*")) == kept


def test_kept_factors_change_no_bit_of_a_score_and_survive_damage(planted: Store) -> None:
    drop = ["created_at"]
    expected = fit(planted).table.drop_columns(drop)
    for again in ("made", "read", "damaged"):
        forget(planted, "results")
        found = fit(planted, keep_factors=again == "made").table.drop_columns(drop)
        assert found.equals(expected), again
        kept = sorted(Path(planted.url).glob("moments/*/*.factors-*.npy"))
        assert len(kept) == (0 if again == "damaged" else 2)
        for path in kept if again == "read" else ():
            path.write_bytes(path.read_bytes()[:100])


def test_labels_that_cover_fewer_clips_get_moments_of_their_own(planted: Store) -> None:
    found = fit(planted, "SELECT clip_id, live, vocals FROM clips")
    assert len(list(Path(planted.url).glob("moments/*"))) == 2
    assert scores(found)["vocals", 1]["clips"] == 89
    assert scores(found)["live", 1]["clips"] == 119
    assert any(note.startswith("vocals: 30 of 119 clips have no label (NULL)") for note in found.notes)


def test_a_damaged_keepsake_is_made_anew(planted: Store) -> None:
    first = fit(planted)
    for path in Path(planted.url).glob("moments/*/*"):
        path.write_bytes(path.read_bytes()[:100])
    forget(planted, "results")
    again = fit(planted)
    drop = ["created_at"]
    assert again.table.drop_columns(drop).equals(first.table.drop_columns(drop))


def test_the_official_split_scores_the_test_clips(planted: Store) -> None:
    found = scores(fit(planted, split="official"))["style", 1]
    tests = ask(planted, "SELECT count(*) AS n FROM clips WHERE split = 'test' AND style <> 'ambient'")
    assert found["clips"] == tests[0]["n"]
    assert (found["folds"], found["split"]) == (1, "official")


def test_a_class_without_a_group_in_some_fold_is_reported(planted: Store) -> None:
    kind = "CASE WHEN group_id IN ('artist01', 'artist03') THEN 'rare' ELSE 'usual' END"
    labels = f"SELECT clip_id, {kind} AS kind FROM clips"
    found = fit(planted, labels)
    assert "kind: class 'rare' has no clip in 3 of 5 folds." in found.notes
    assert scores(found)["kind", 1]["clips"] == 119


def test_a_control_of_few_groups_is_not_trusted_silently(planted: Store) -> None:
    labels = "SELECT clip_id, live, group_id[-1:] IN ('1', '2') AS grp FROM clips"
    found = fit(planted, labels, folds=2)
    assert "live: labels of 2 groups can hardly be shuffled; the control says little." in found.notes
    assert not any("hardly" in note for note in fit(planted).notes)


@pytest.mark.parametrize(
    ("raised", "anew"),
    [
        ("linear.ridge.VERSION", {"mse"}),
        ("probes.methods.LOGISTIC", {"logistic"}),
        ("probes.scores.VERSION", LOSSES),
    ],
)
def test_a_raised_version_fits_anew_what_it_is_of_and_nothing_else(
    planted: Store, monkeypatch: pytest.MonkeyPatch, raised: str, anew: set[str]
) -> None:
    labels = "SELECT clip_id, style FROM clips WHERE style <> 'ambient'"
    before = fit(planted, labels, loss="mse,logistic", controls=0).table.to_pylist()
    newer: Any = replace(LOGISTIC, version=2) if raised.endswith("LOGISTIC") else 2
    monkeypatch.setattr(f"analysis.{raised}", newer)
    found = fit(planted, labels, loss="mse,logistic", controls=0)
    assert found.fitted == 2 * len(anew)
    kept = {row["probe_id"] for row in before} & {row["probe_id"] for row in found.table.to_pylist()}
    assert {row["loss"] for row in before if row["probe_id"] not in kept} == anew


def test_frames_are_fitted_block_by_block_and_scored_per_clip(planted: Store) -> None:
    found = scores(fit(planted, reduce="frames"))
    assert found["style", 1]["accuracy"] > 0.9
    assert found["style", 1]["clips"] == 116
    assert found["style", 0]["within_control"]


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_moments_over_frames_are_bit_identical_inline_and_on_two_workers(planted: Store) -> None:
    parts = []
    for engine in ("inline", "ray"):
        fit(planted, reduce="frames", engine=engine, workers=2)
        parts.append([path.read_bytes() for path in sorted(Path(planted.url).glob("moments/*/*"))])
        forget(planted, "moments")
        forget(planted, "results")
    assert len(parts[0]) == 2
    assert parts[0] == parts[1]


def test_nothing_of_it_imports_torch(planted: Store) -> None:
    arguments = ["probe", planted.url, "songs", "--labels", STYLE, "--engine", "inline", "--no-handcrafted"]
    program = f"""
import sys
from jobs.cli.main import main
try:
    main({arguments!r})
except SystemExit as end:
    assert not end.code
print({{"torch", "ray", "audiocraft", "librosa"}} & sys.modules.keys(), file=sys.stderr)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ended.stderr.splitlines()[-1] == "set()"


def undertone_probe(*arguments: str) -> Result:
    return CliRunner().invoke(undertone, ["probe", *arguments])


def test_the_command_prints_a_table_for_eyes_with_a_verdict(planted: Store) -> None:
    result = undertone_probe(
        planted.url, "songs", "--labels", STYLE, "--engine", "inline", "--no-handcrafted"
    )
    assert result.exit_code == 0, result.output
    line = next(line for line in result.stdout.splitlines() if line.startswith("style"))
    assert "better than both" in line
    assert "Note: " in result.stderr


def test_the_command_prints_one_json_object(planted: Store) -> None:
    result = undertone_probe(
        planted.url, "songs", "--labels", STYLE, "--engine", "inline", "--controls", "0", "--format", "json"
    )
    found = json.loads(result.stdout)
    assert {(row["concept"], row["layer"]) for row in found["best"]} == {("style", 1), ("tempo", 1)}
    assert any("statistics are not stored and are left out" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge"}, "losses are mse, logistic, logistic_ovr"),
        ({"penalties": "0"}, "positive numbers"),
        ({"folds": 1}, "2 or more"),
        ({"folds": 60}, "60 folds cannot be made of 40 groups"),
        ({"reduce": "max"}, "'max' is no reduction; choose from mean"),
    ],
)
def test_an_illegal_option_is_named_with_the_legal_ones(
    planted: Store, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        fit(planted, **options)


def test_ids_of_probes_are_made_of_the_words_that_stores_know(
    planted: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another word, as that of an option, would fit every stored probe anew."""
    seen: list[dict[str, Any]] = []
    made = ProbePlan.specification

    def recorded(plan: ProbePlan, *of: Any) -> dict[str, Any]:
        seen.append(made(plan, *of))
        return seen[-1]

    monkeypatch.setattr(ProbePlan, "specification", recorded)
    fit(planted, penalties="0.1", controls=0)
    words = "run labels prefix array layer loss cells strengths controls seed committed code"
    assert {frozenset(one) for one in seen} == {frozenset(words.split())}
    assert seen[0]["strengths"] == [0.1]
