"""Directions of a run: what is stored, what it is measured on, and that nothing is done twice."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.splits import group_folds
from jobs.cli.main import undertone
from jobs.directions.fitting import run_directions
from jobs.directions.options import DirectionOptions
from jobs.directions.stored import find_vector, read_vectors
from jobs.fitting.labels import resolve_labels
from jobs.fitting.mapping import map_tasks
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, NotFound
from store.objects.ledger import recorded_names, withdraw
from store.opening import Store
from store.records import ClipStatus
from store.results.fits import VectorRow

STYLE = "SELECT clip_id, style FROM clips"


def fit(store: Store, labels: str = STYLE, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"engine": "inline"} | options
    return run_directions(DirectionOptions(store.url, "toy", labels, **given)).summary


def only(store: Store, where: str) -> VectorRow:
    (found,) = read_vectors(store, where)
    return found


def test_a_direction_knows_where_it_belongs_and_what_it_was_fitted_to(planted_store: Store) -> None:
    fit(planted_store, methods="diffmean,random")
    found = only(planted_store, "site = 'attn' AND layer = 2 AND positive = 'jazz' AND method = 'diffmean'")
    assert (found.model, found.model_fingerprint, found.run_id) == ("toy", "f00d", "toy")
    assert (found.reduction, found.concept, found.negative, found.scaling) == ("mean", "style", None, "norm")
    assert (found.clips, found.positives, found.negatives, found.groups) == (120, 40, 80, 30)
    assert (found.width, found.labels_query, found.random_seed) == (24, STYLE, None)
    rows, clip_ids = planted_store.run("toy").read_layer("attn.mean", 2)
    jazz = np.array([int(clip.removeprefix("clip")) % 30 % 3 == 1 for clip in clip_ids])
    difference = rows[jazz].mean(axis=0) - rows[~jazz].mean(axis=0)
    np.testing.assert_allclose(found.vector * found.norm, difference, atol=1e-4)
    assert found.activation_norm == pytest.approx(np.linalg.norm(rows, axis=1).mean(), rel=1e-5)
    projections = rows @ found.vector
    assert found.mean_positive == pytest.approx(projections[jazz].mean(), abs=0.3)
    assert found.mean_negative == pytest.approx(projections[~jazz].mean(), abs=0.3)


def test_deeper_layers_separate_better_and_the_first_and_random_ones_are_chance(planted_store: Store) -> None:
    fit(planted_store, methods="mse,diffmean,random", sites="resid")
    query = """
        SELECT layer, method, bool_or(within_chance) AS chance, avg(separability) AS separability
        FROM vectors GROUP BY ALL
    """
    rows = run_query(refresh_catalog(planted_store), query).to_pylist()
    apart = {(row["method"], row["layer"]): row["separability"] for row in rows}
    assert abs(apart["diffmean", 0]) < 1 < apart["diffmean", 1] < apart["diffmean", 2]
    assert apart["mse", 2] > 3
    assert all(row["chance"] for row in rows if row["layer"] == 0 or row["method"] == "random")
    assert not any(row["chance"] for row in rows if row["layer"] == 2 and row["method"] != "random")


def test_random_directions_pass_for_random_and_planted_ones_do_not(planted_store: Store) -> None:
    """Of 18 random directions about one in forty may pass, whatever the place."""
    fit(planted_store, methods="diffmean,random")
    random = read_vectors(planted_store, "method = 'random'")
    assert sum(not one.within_random for one in random) <= 2
    planted = read_vectors(planted_store, "method = 'diffmean' AND layer = 2")
    assert not any(one.within_random for one in planted)
    for one in read_vectors(planted_store):
        assert one.score is not None
        assert one.random_score is not None
        assert one.within_random == (one.score <= one.random_score)
        assert 0.5 <= one.random_score < 1


def test_the_command_says_which_layers_are_best_and_what_was_stored_already(planted_store: Store) -> None:
    chosen = ["--method", "diffmean,random", "--sites", "resid", "--engine", "inline"]
    arguments = ["directions", planted_store.url, "toy", "--labels", STYLE, *chosen]
    first = CliRunner().invoke(undertone, arguments)
    assert first.exit_code == 0, first.output
    query = """
        SELECT method, layer, avg(score) AS score, min(score) AS low,
            arg_min(positive, (score, positive)) AS lowest, count(*) FILTER (NOT within_random) AS beyond
        FROM vectors GROUP BY method, layer
        QUALIFY 1 = row_number() OVER (PARTITION BY method ORDER BY avg(vectors.score) DESC, layer)
        ORDER BY method
    """
    best = run_query(refresh_catalog(planted_store), query).to_pylist()
    lines = [line.split() for line in first.stdout.splitlines()[1:3]]
    for line, row in zip(lines, best, strict=True):
        numbers = [str(row["layer"]), f"{row['score']:.3f}", f"{row['low']:.3f}", row["lowest"]]
        assert line[:2] == ["style", row["method"]]
        assert line[3:7] == numbers
        assert line[-3:] == [str(row["beyond"]), "of", "3"]
    assert "18 directions of 3 layers; see the view vectors" in first.stdout
    again = CliRunner().invoke(undertone, arguments)
    assert "Nothing to fit: 18 directions stored already" in again.stdout
    more = CliRunner().invoke(undertone, [*arguments, "--method", "diffmean,pca", "--format", "json"])
    summary = json.loads(more.stdout)
    assert (summary["fitted"], summary["known"]) == (9, 9)
    assert [(row["method"], row["layer"]) for row in summary["best"] if row["method"] == "diffmean"] == [
        ("diffmean", best[0]["layer"])
    ]


def test_what_is_stored_is_not_fitted_again_and_a_new_method_only_adds(planted_store: Store) -> None:
    assert fit(planted_store, methods="diffmean")["fitted"] == 2 * 3 * 3
    before = {vector.vector_id: vector.created_at for vector in read_vectors(planted_store)}
    assert fit(planted_store, methods="diffmean")["fitted"] == 0
    assert fit(planted_store, methods="diffmean,pca")["fitted"] == 2 * 3 * 3
    after = {vector.vector_id: vector.created_at for vector in read_vectors(planted_store)}
    assert len(after) == 2 * len(before)
    assert before.items() <= after.items()


def test_a_second_concept_in_the_query_does_not_change_the_first(planted_store: Store) -> None:
    fit(planted_store, methods="mse")
    both = fit(planted_store, "SELECT clip_id, style, mood FROM clips", methods="mse")
    assert both["fitted"] == 2 * 3 * 2
    moods = read_vectors(planted_store, "concept = 'mood'")
    assert {(one.clips, one.positive) for one in moods} == {(60, "calm"), (60, "wild")}
    assert len({one.labels_hash for one in read_vectors(planted_store)}) == 2


def test_labels_within_one_fold_give_directions_without_a_score_and_say_so(planted_store: Store) -> None:
    labels = resolve_labels(planted_store, planted_store.run("toy"), STYLE)
    folds = group_folds(labels.groups, 5, among=labels.all_groups)
    few = ", ".join(f"'{clip}'" for clip, fold in zip(labels.clip_ids, folds, strict=True) if fold == 0)
    query = f"SELECT clip_id, CASE WHEN clip_id IN ({few}) THEN style END AS few, style FROM clips"
    summary = fit(planted_store, query, sites="resid")
    unscored = [note for note in summary["notes"] if "is not scored" in note]
    assert unscored
    assert all(note.startswith("few: the direction to ") for note in unscored)
    stored = read_vectors(planted_store, "concept = 'few'")
    assert stored
    assert {one.score for one in stored} == {None}
    assert None not in {one.score for one in read_vectors(planted_store, "concept = 'style'")}


def test_a_pair_points_from_its_source_to_its_target_over_their_clips_alone(planted_store: Store) -> None:
    fit(planted_store, methods="diffmean", pairs=("rock:polka",), sites="resid", layers="2")
    found = only(planted_store, "true")
    assert (found.positive, found.negative, found.clips) == ("polka", "rock", 80)
    rows, clip_ids = planted_store.run("toy").read_layer("resid.mean", 2)
    style = np.array([int(clip.removeprefix("clip")) % 30 % 3 for clip in clip_ids])
    difference = rows[style == 2].mean(axis=0) - rows[style == 0].mean(axis=0)
    np.testing.assert_allclose(found.vector * found.norm, difference, atol=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_fits_of_the_same_thing_are_the_same_bytes_inline_and_on_ray(planted_store: Store) -> None:
    fit(planted_store, methods="mse,logistic,pca", sites="resid")
    inline = {one.vector_id: one.vector.tobytes() for one in read_vectors(planted_store)}
    for key, _ in list(planted_store.objects.list("results/vectors")):
        withdraw(planted_store.objects, key, [key])
    fit(planted_store, methods="mse,logistic,pca", sites="resid", engine="ray", workers=2)
    assert {one.vector_id: one.vector.tobytes() for one in read_vectors(planted_store)} == inline


def test_sql_measures_the_angle_between_directions(planted_store: Store) -> None:
    fit(planted_store, methods="diffmean", sites="resid", layers="2")
    query = """
        SELECT a.positive AS one, b.positive AS other, list_cosine_similarity(a.vector, b.vector) AS cosine
        FROM vectors a JOIN vectors b ON a.positive < b.positive
    """
    by_name = {vector.positive: vector.vector for vector in read_vectors(planted_store)}
    catalog = refresh_catalog(planted_store)
    for row in run_query(catalog, query).to_pylist():
        assert row["cosine"] == pytest.approx(by_name[row["one"]] @ by_name[row["other"]], abs=1e-5)
    cosines = run_query(catalog, "SELECT positive, other_positive, cosine FROM cosines").to_pylist()
    assert {(row["positive"], row["other_positive"]): row["cosine"] for row in cosines} == pytest.approx(
        {(one, two): by_name[one] @ by_name[two] for one in by_name for two in by_name if one != two},
        abs=1e-5,
    )


def test_numbers_are_left_out_with_a_word_and_refused_alone(planted_store: Store) -> None:
    summary = fit(planted_store, "SELECT clip_id, style, tempo FROM clips", methods="diffmean", layers="0")
    assert any("tempo are numbers" in note for note in summary["notes"])
    with pytest.raises(InvalidInput, match="CASE WHEN"):
        fit(planted_store, "SELECT clip_id, tempo FROM clips")


def test_a_place_where_the_classes_are_the_same_is_said_and_left_out(planted_store: Store) -> None:
    """A copy of the run whose layer 1 holds one row for all clips, and whose layer 2 holds nothing at all."""
    run = planted_store.run("toy")
    rows = np.stack([run.read_layer("resid.mean", layer)[0] for layer in range(3)], axis=1)
    rows[:, 1], rows[:, 2] = rows[0, 1], 0.0
    clips = [clip for unit in run.units() for clip in unit.clips]
    copy = planted_store.create_run(
        "copy",
        document={name: run.document[name] for name in ("dataset", "model")},
        arrays=[run.arrays["resid.mean"]],
        clips=clips,
        unit_clips=len(clips),
    )
    (unit,) = copy.units()
    with copy.begin(unit, provenance={}) as pending:
        pending.add("resid.mean", 0, rows.astype(np.float32))
        pending.commit([ClipStatus(clip.clip_id, "ok") for clip in clips], {})
    copy.note_complete()
    options = DirectionOptions(planted_store.url, "copy", STYLE, engine="inline", folds=3)
    summary = run_directions(options).summary
    stored = read_vectors(planted_store, "run_id = 'copy'")
    assert {one.layer for one in stored} == {0}
    assert summary["directions"] == summary["fitted"] == len(stored) == 3 * 7
    assert all(np.linalg.norm(one.vector) == pytest.approx(1) for one in stored)
    (note,) = [note for note in summary["notes"] if "left out, as the clips of both classes" in note]
    assert note.startswith("42 directions are left out")
    assert "resid.mean layer 1 'jazz' by mse" in note


def test_random_directions_are_as_old_as_their_seeds_say_whichever_was_done_first(
    planted_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backwards(*arguments: Any, **options: Any) -> list[tuple[int, Any]]:
        return sorted(map_tasks(*arguments, **options), key=lambda pair: -pair[0])

    options = DirectionOptions(planted_store.url, "toy", STYLE, methods="random", layers="1", sites="resid")
    one_by_one = [
        vector.random_seed
        for seed in range(6)
        for vector in fitted_alone(planted_store, replace(options, seed=seed), "jazz")
    ]
    withdraw_all(planted_store)
    monkeypatch.setattr("jobs.directions.fitting.map_tasks", backwards)
    run_directions(options, seeds=range(6))
    found = sorted(read_vectors(planted_store, "positive = 'jazz'"), key=lambda vector: vector.created_at)
    assert [vector.random_seed for vector in found] == one_by_one


def fitted_alone(store: Store, options: DirectionOptions, positive: str) -> list[VectorRow]:
    before = {vector.vector_id for vector in read_vectors(store)} if options.seed else set()
    run_directions(options)
    return [one for one in read_vectors(store, f"positive = '{positive}'") if one.vector_id not in before]


def withdraw_all(store: Store) -> None:
    for name in recorded_names(store.objects, "results/vectors"):
        withdraw(store.objects, name, [name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "2-0"}, "2-0 runs backwards; write 0-2"),
        ({"methods": "mse,magic"}, "no method 'magic'"),
        ({"pairs": ("rock:metal",)}, "rock:metal.*style: jazz, polka, rock"),
        ({"sites": "xattn"}, "has no mean or std or last of xattn"),
        ({"sites": "nose"}, "of nose; it has"),
        ({"layers": "2-9"}, "no layer 3"),
        ({"layers": "x"}, "4-7"),
        ({"folds": 31}, "31 folds cannot be made of 30 groups"),
    ],
)
def test_mistakes_are_named_with_their_cure(
    planted_store: Store, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((InvalidInput, NotFound), match=message):
        fit(planted_store, **options)


def test_an_id_may_be_shortened_but_not_beyond_doubt(planted_store: Store) -> None:
    with pytest.raises(InvalidInput, match="undertone directions"):
        read_vectors(planted_store)
    fit(planted_store, methods="all", sites="resid")
    known = read_vectors(planted_store)
    assert find_vector(planted_store, known[0].vector_id[:12]).vector_id == known[0].vector_id
    with pytest.raises(NotFound, match="vectors list"):
        find_vector(planted_store, "zz")
    first = min("0123456789abcdef", key=lambda digit: -sum(one.vector_id[0] == digit for one in known))
    with pytest.raises(InvalidInput, match="give more of it"):
        find_vector(planted_store, first)
