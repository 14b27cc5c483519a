"""Labels are a query, and what is wrong with one is said with counts."""

import numpy as np
import pyarrow as pa
import pytest

from jobs.fitting.label_query import _identifier
from jobs.fitting.labels import LabelledRows, record_labels, resolve_labels
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, QueryRefused, UndertoneError
from store.opening import Store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

STYLES = ("jazz", "rock")


def test_texts_and_booleans_are_classes_and_numbers_are_numbers(planted: Store) -> None:
    query = "SELECT clip_id, style, live, tempo FROM clips ORDER BY random()"
    labels = resolve_labels(planted, planted.run("songs"), query)
    style, live, tempo = labels.concepts
    assert (style.kind, style.classes) == ("class", ("jazz", "rock", "techno"))
    assert (live.kind, live.classes) == ("class", ("false", "true"))
    assert (tempo.kind, tempo.classes) == ("number", ())
    place = labels.clip_ids.index("clip004")
    assert style.classes[style.values[place]] == "rock"
    assert tempo.values[place] == 68
    assert labels.groups[place] == "artist04"
    assert labels.splits[place] == "test"


def test_rows_stand_in_plan_order_without_the_clip_that_failed(planted: Store) -> None:
    labels = resolve_labels(planted, planted.run("songs"), "SELECT clip_id, tempo FROM clips")
    assert labels.clip_ids == tuple(f"clip{number:03d}" for number in range(120) if number != 7)
    assert "1 labelled clips failed in this run." in labels.notes


def test_clips_without_a_label_are_counted(planted: Store) -> None:
    labels = resolve_labels(planted, planted.run("songs"), "SELECT clip_id, vocals, live FROM clips")
    named = "'030.wav', '031.wav', '032.wav' and 27 more"
    assert f"vocals: 30 of 119 clips have no label (NULL): {named}." in labels.notes
    assert labels.concepts[0].labelled.sum() == 89
    assert labels.concepts[1].labelled.all()


def test_a_class_of_one_artist_is_left_out_and_named(planted: Store) -> None:
    labels = resolve_labels(planted, planted.run("songs"), "SELECT clip_id, style FROM clips")
    assert any("fewer than 2 groups" in note and "ambient (3)" in note for note in labels.notes)
    assert len(labels.clip_ids) == 116


def test_clips_that_the_run_does_not_have_and_clips_without_a_row_are_counted(planted: Store) -> None:
    clips = ["clip000", "clip001", "clip002", "clip003", "elsewhere"]
    mine = pa.table({"clip_id": clips, "mood": ["calm", "wild", "calm", "wild", "calm"]})
    query = "SELECT clip_id, mood FROM mine"
    labels = resolve_labels(planted, planted.run("songs"), query, tables={"mine": mine})
    assert labels.clip_ids == tuple(clips[:4])
    assert "1 labelled clips are not in this run." in labels.notes
    assert "115 extracted clips have no row in the label query." in labels.notes


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT clip_id FROM clips", "must give clip_id and at least one label"),
        ("SELECT style FROM clips", "must give clip_id and at least one label"),
        ("SELECT clip_id, 'one' AS label FROM clips", "'label' has 1 class with"),
        ("SELECT clip_id, 3 AS label FROM clips", "'label' has 1 number,"),
        ("SELECT clip_id, NULL AS label FROM clips", "'label' is NULL for all 119 clips .*Labels of songs"),
        (
            "SELECT clip_id, CASE WHEN tempo < 0 THEN 'x' END AS label FROM clips",
            "'label' is NULL for all 119",
        ),
        ("SELECT clip_id, 'nan'::DOUBLE AS label FROM clips", "'label' is NULL for all 119"),
        (
            "SELECT clip_id, style FROM clips WHERE style = 'Drone'",
            "no rows: check its WHERE. Labels of songs",
        ),
        ("SELECT clip_id, [style] AS label FROM clips", "text and booleans make classes"),
        ("SELECT clip_id, 1e308 * 10 * tempo AS label FROM clips", "infinite for 119 clips"),
        ("SELECT 'x' AS clip_id, 'y' AS label", "None of the 1 clips .*119 clips have"),
        ("SELECT clip_id, unnest(['a', 'b']) AS label FROM clips", "labels 120 clips more than once"),
    ],
)
def test_a_query_that_cannot_label_the_run_says_why(planted: Store, query: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        resolve_labels(planted, planted.run("songs"), query)


def test_a_wrong_query_is_refused_as_in_sql(planted: Store) -> None:
    with pytest.raises(QueryRefused, match="tables: "):
        resolve_labels(planted, planted.run("songs"), "SELECT clip_id, x FROM nothing")


@pytest.mark.parametrize(
    "query", ["label", "style", "SELECT clip_id, genre FROM clips", "SELECT clip_id FROM clips"]
)
def test_a_query_that_misses_is_answered_with_the_labels_there_are_and_one_to_copy(
    planted: Store, query: str
) -> None:
    with pytest.raises(UndertoneError) as refusal:
        resolve_labels(planted, planted.run("songs"), query)
    assert "Labels of songs: live, style, tempo, vocals; for example " in str(refusal.value)
    example = str(refusal.value).split('--labels "')[1].removesuffix('".')
    assert resolve_labels(planted, planted.run("songs"), example).concepts[0].name == "live"


def test_the_example_quotes_a_label_that_is_no_word() -> None:
    assert _identifier("main genre") == '\\"main genre\\"'


def test_rows_without_a_clip_are_counted(planted: Store) -> None:
    query = "SELECT clip_id, style FROM clips UNION ALL SELECT NULL, 'jazz' FROM range(3)"
    labels = resolve_labels(planted, planted.run("songs"), query)
    assert "3 rows of the label query have no clip_id (NULL)." in labels.notes


def test_a_row_that_is_repeated_with_nan_does_not_contradict_itself(planted: Store) -> None:
    once = "SELECT clip_id, CASE WHEN live THEN tempo ELSE 'nan'::DOUBLE END AS pace FROM clips"
    labels = resolve_labels(planted, planted.run("songs"), f"{once} UNION ALL {once}")
    assert len(labels.clip_ids) == 60
    assert any(note.startswith("pace: 59 of 119 clips have no label (NULL)") for note in labels.notes)


def test_clips_elsewhere_without_a_label_are_not_counted_as_labelled(planted: Store) -> None:
    planted.add_dataset(
        "others",
        {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}},
        [
            Clip(
                f"other{n}",
                f"{n}.wav",
                0.0,
                4.0,
                "x",
                None,
                f"{n:064x}",
                0.0,
                {"style": "jazz" if n else None},
            )
            for n in range(5)
        ],
        [],
    )
    labels = resolve_labels(planted, planted.run("songs"), "SELECT clip_id, vocals FROM clips")
    assert not [note for note in labels.notes if "not in this run" in note]
    labels = resolve_labels(planted, planted.run("songs"), "SELECT clip_id, style FROM clips")
    assert "4 labelled clips are not in this run." in labels.notes


def test_a_query_may_repeat_a_row_and_name_its_own_groups_and_splits(planted: Store) -> None:
    once = "SELECT clip_id, live, uri AS grp, 'mine' AS split FROM clips"
    query = f"{once} UNION ALL {once}"
    labels = resolve_labels(planted, planted.run("songs"), query)
    assert len(set(labels.groups)) == len(labels.clip_ids) == 119
    assert set(labels.splits) == {"mine"}
    assert set(labels.all_groups) == set(labels.groups)


def test_folds_can_be_dealt_among_all_groups_of_the_run(planted: Store) -> None:
    labels = resolve_labels(planted, planted.run("songs"), "SELECT clip_id, vocals FROM clips")
    assert len(labels.all_groups) == 40
    assert len(np.unique(labels.groups)) == 30


def test_the_hash_is_of_the_labels_not_of_the_words_of_the_query(planted: Store) -> None:
    run = planted.run("songs")
    one = resolve_labels(planted, run, "SELECT clip_id, live FROM clips")
    same = resolve_labels(planted, run, "SELECT live, clip_id FROM clips WHERE true")
    other = resolve_labels(planted, run, "SELECT clip_id, NOT live AS live FROM clips")
    assert one.labels_hash == same.labels_hash != other.labels_hash


def test_resolved_labels_are_kept_and_can_be_queried(planted: Store) -> None:
    labels = resolve_labels(planted, planted.run("songs"), "SELECT clip_id, live, tempo FROM clips")
    assert record_labels(planted, labels) == record_labels(planted, labels)
    query = (
        "SELECT concept, count(*) n, count(class) c, sum(number) s FROM results_labels GROUP BY 1 ORDER BY 1"
    )
    record_labels(planted, resolve_labels(planted, planted.run("songs"), "SELECT clip_id, live FROM clips"))
    rows = run_query(refresh_catalog(planted), query).to_pylist()
    tempo = labels.concepts[1].values.sum()
    assert rows == [
        {"concept": "live", "n": 119, "c": 119, "s": None},
        {"concept": "tempo", "n": 119, "c": 0, "s": tempo},
    ]


def run_with_copies(store: Store) -> LabelledRows:
    """Twelve files of twelve artists; the last six are copies of the first; clip 0 is silent."""
    clips = [
        Clip(
            f"copy{n:02d}", f"{n:02d}.wav", 0.0, 4.0, f"artist{n:02d}", "test" if n > 5 else "train",
            f"{n % 6:064x}", 0.0, {"style": STYLES[n % 2], "take": "first" if n < 6 else "second"},
        )
        for n in range(12)
    ]  # fmt: skip
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    dataset = store.add_dataset("copies", info, clips, [])
    run = store.create_run(
        "copies-run",
        document={"dataset": {"name": "copies", "fingerprint": dataset.fingerprint}},
        arrays=[ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32", {"layers": [0]})],
        clips=[PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips],
        unit_clips=12,
    )
    (unit,) = run.units()
    with run.begin(unit, provenance={}) as pending:
        pending.add("resid.mean", 0, np.zeros((12, 1, 2), np.float32))
        pending.commit(
            [ClipStatus(clip.clip_id, "ok" if n else "silent") for n, clip in enumerate(clips)], {}
        )
    run.note_complete()
    return resolve_labels(store, store.run("copies-run"), "SELECT clip_id, style FROM clips")


def test_copies_are_one_group_however_the_dataset_grouped_them(planted: Store) -> None:
    labels = run_with_copies(planted)
    group = dict(zip(labels.clip_ids, labels.groups.tolist(), strict=True))
    assert all(group[f"copy{n:02d}"] == group[f"copy{n + 6:02d}"] == f"artist{n:02d}" for n in range(6))
    assert labels.all_groups == tuple(f"artist{n:02d}" for n in range(6))
    said = "\n".join(labels.notes)
    assert "12 clips are equal to others, as '00.wav', '06.wav'. 12 groups share such clips" in said
    assert "Equal clips are in different splits (6 times)" in said
    assert "1 of 12 clips are silent: '00.wav'." in said


def test_copies_are_one_group_in_groups_of_the_query_too(planted: Store) -> None:
    run_with_copies(planted)
    query = "SELECT clip_id, style, clip_id AS grp FROM clips"
    labels = resolve_labels(planted, planted.run("copies-run"), query)
    assert len(set(labels.groups.tolist())) == 6


def test_labels_in_which_copies_differ_are_named(planted: Store) -> None:
    run_with_copies(planted)
    labels = resolve_labels(planted, planted.run("copies-run"), "SELECT clip_id, take FROM clips")
    (said,) = [note for note in labels.notes if "differ in" in note]
    assert said == "Equal clips differ in 'take' (6 times): '00.wav' is 'first', '06.wav' is 'second'."


def test_whole_numbers_of_too_many_digits_are_no_regression(planted: Store) -> None:
    query = "SELECT clip_id, 1234567890123456789 + row_number() OVER () AS artist FROM clips"
    with pytest.raises(
        InvalidInput, match=r"Label 'artist' holds whole numbers .* CAST\(artist AS VARCHAR\)"
    ):
        resolve_labels(planted, planted.run("songs"), query)


def test_classes_that_differ_in_case_or_blanks_alone_are_noted(planted: Store) -> None:
    query = """
        SELECT clip_id, CASE WHEN row < 20 THEN upper(style) || ' ' ELSE style END AS style
        FROM clips JOIN rows USING (clip_id)
    """
    notes = "\n".join(resolve_labels(planted, planted.run("songs"), query).notes)
    first, second = STYLES[:2]
    for style in (first, second):
        assert f"{style.upper()} ' (" in notes
    assert f"style: '{first}' (" in notes
    assert "differ in case, blanks or Unicode form alone, and count as 2 classes." in notes
