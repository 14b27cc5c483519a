"""Ratings come into the store once and whole, beside what each sound is and what CLAP says of it."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.listen.importing import import_ratings
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import Conflict, InvalidInput, NotFound
from store.opening import Store, open_store

Row = dict[str, Any]
Answer = Callable[..., dict[str, Any]]


def alpha(row: Row) -> float:
    return float(row["setting_id"].removeprefix("setting"))


def honest(row: Row) -> float:
    """The more steered, the less alike; the random control half as far; the reference is found."""
    return {
        "reference": 100.0, "anchor": 30.0, "steered": 90 - 80 * alpha(row), "random": 90 - 40 * alpha(row)
    }[row["role"]]  # fmt: skip


def keen(row: Row) -> float:
    """Hears the target from α 0.3 on."""
    return {"steered": alpha(row), "unsteered": 0.25, "random": 0.15}[row["role"]]


def misled(row: Row) -> float:
    """Takes the random control for the target."""
    return float(row["role"] == "random")


def ask(store: Store, sql: str) -> list[Row]:
    rows: list[Row] = run_query(refresh_catalog(store), sql).to_pylist()
    return rows


def saved(folder: Path, document: Any, name: str = "answers.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_every_judgement_is_a_row_that_knows_what_was_heard(
    sweep_store: Store, answers: Answer, key: list[Row], tmp_path: Path
) -> None:
    import_ratings(sweep_store.url, [saved(tmp_path, answers("Ada", honest, keen))])
    rows = {row["sound_id"]: row for row in ask(sweep_store, "FROM ratings")}
    assert len(rows) == len(key)
    for sound in key:
        row = rows[sound["sound_id"]]
        assert {name: row[name] for name in sound if name != "created_at"} == {
            name: value for name, value in sound.items() if name != "created_at"
        }
        if sound["kind"] == "rating":
            assert (row["value"], row["alternatives"]) == (pytest.approx(honest(sound)), 4)
    assert {str(row["answered_at"]) for row in rows.values()} == {"2026-11-22 12:10:00"}, "in UTC"
    chosen = [row for row in rows.values() if row["kind"] == "choice" and row["value"] == 1]
    assert sorted((alpha(row), row["role"]) for row in chosen) == [
        (0.1, "unsteered"), (0.2, "unsteered"), (0.3, "steered"), (0.4, "steered"), (0.6, "steered"),
        (0.8, "steered"),
    ]  # fmt: skip


def test_the_view_sums_up_each_setting_beside_clap(
    sweep_store: Store, answers: Answer, tmp_path: Path
) -> None:
    doubting = saved(tmp_path, answers("Bo", honest, lambda row: -keen(row)), "bo.json")
    import_ratings(sweep_store.url, [saved(tmp_path, answers("Ada", honest, keen)), doubting])
    rows = ask(sweep_store, "FROM listening ORDER BY setting_id")
    assert [row["listeners"] for row in rows] == [2] * 6
    assert [row["chosen"] for row in rows] == [0.5, 0.0, 0.5, 0.5, 0.5, 0.5]
    assert {round(row["chance"], 9) for row in rows} == {round(1 / 3, 9)}
    assert [row["likeness"] for row in rows] == pytest.approx([82, 74, 66, 58, 42, 26])
    assert [row["likeness_random"] for row in rows] == pytest.approx([86, 82, 78, 74, 66, 58])
    assert {(row["likeness_reference"], row["likeness_anchor"]) for row in rows} == {(100.0, 30.0)}
    assert [row["clap_transfer"] for row in rows] == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
    assert [row["clap_similarity"] for row in rows] == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.4, 0.2])


def test_who_does_not_find_the_reference_is_left_out(
    sweep_store: Store, answers: Answer, tmp_path: Path
) -> None:
    deaf = answers("Cy", lambda _: 50.0, keen)
    files = [saved(tmp_path, answers("Ada", honest, keen)), saved(tmp_path, deaf, "cy.json")]
    summary = import_ratings(sweep_store.url, files)
    assert (summary["listeners"], summary["left_out"]) == (2, 1)
    assert ask(sweep_store, "SELECT listener, missed, kept FROM listeners ORDER BY ALL") == [
        {"listener": "Ada", "missed": 0.0, "kept": True},
        {"listener": "Cy", "missed": 1.0, "kept": False},
    ]
    assert {row["listeners"] for row in ask(sweep_store, "FROM listening")} == {1}


def test_where_nobody_found_the_reference_it_is_said_that_nobody_counts(
    sweep_store: Store, answers: Answer, tmp_path: Path
) -> None:
    summary = import_ratings(sweep_store.url, [saved(tmp_path, answers("Cy", lambda _: 50.0, keen))])
    assert (summary["listeners"], summary["left_out"]) == (1, 1)
    assert re.match(r"Nobody is kept of Cy: .* hidden reference", summary["strength"])


def test_the_command_says_how_people_and_clap_agree(
    sweep_store: Store, answers: Answer, tmp_path: Path
) -> None:
    paths = [saved(tmp_path, answers(name, honest, misled), f"{name}.json") for name in ("Ada", "Bo", "Cy")]
    result = CliRunner().invoke(undertone, ["listen", "import", sweep_store.url, *map(str, paths)])
    assert result.exit_code == 0, result.output
    assert re.search(r"similarity +agree: rank correlation 1\.00 \(1\.00 to 1\.00\)", result.output)
    assert re.search(r"transfer +undecided: too few settings, or all alike", result.output)


def test_importing_again_changes_nothing(sweep_store: Store, answers: Answer, tmp_path: Path) -> None:
    path = saved(tmp_path, answers("Ada", honest, keen))
    counts = [import_ratings(sweep_store.url, [path])["new"] for _ in range(2)]
    renamed = import_ratings(sweep_store.url, [saved(tmp_path, path.read_text(), "copy.json"), path])
    assert [*counts, renamed["new"]] == [1, 0, 0]
    assert len(list(sweep_store.objects.list("results/ratings"))) == 1


def test_other_answers_of_the_same_listener_are_refused(
    sweep_store: Store, answers: Answer, tmp_path: Path
) -> None:
    import_ratings(sweep_store.url, [saved(tmp_path, answers("Ada", honest, keen))])
    changed = saved(tmp_path, answers("Ada", lambda row: 100 - honest(row), keen))
    with pytest.raises(Conflict, match="'Ada' with seed 7 has given other answers"):
        import_ratings(sweep_store.url, [changed])


def without(document: Row, *path: Any) -> Row:
    *way, last = path
    inner: Any = document
    for step in way:
        inner = inner[step]
    del inner[last]
    return document


def rated(document: Row) -> Row:
    """The first rating of a document."""
    return next(answer for answer in document["answers"] if answer["kind"] == "rating")


def score(document: Row, value: Any) -> Row:
    scores = rated(document)["scores"]
    scores[next(iter(scores))] = value
    return document


def choose(document: Row, value: Any) -> Row:
    next(answer for answer in document["answers"] if answer["kind"] == "choice")["chosen"] = value
    return document


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda document: json.dumps(document)[:100], "is no JSON.*saved whole"),
        (lambda document: [document], "its format is not 'undertone-listening'"),
        (lambda document: {**document, "format": "webMUSHRA"}, "its format is not"),
        (lambda document: {**document, "version": 2}, "has version 2; this reads version 1"),
        (lambda document: {**document, "test": "beef"}, "answers test 'beef'; this store has [0-9a-f]{16}"),
        (lambda document: {**document, "seed": "7"}, "has seed '7'"),
        (lambda document: {**document, "seed": True}, "has seed True"),
        (lambda document: {**document, "seed": 2**70}, "has seed 1180591620717411303424"),
        (lambda document: {**document, "listener": "\ud800"}, "a whole number and a text"),
        (lambda document: {**document, "finished": "0001-01-01T00:00:00+14:00"}, "which is no time"),
        (lambda document: {**document, "finished": None}, "finished at None, which is no time"),
        (lambda document: {**document, "answers": None}, "no list of answers"),
        (lambda document: without(document, "answers", 3), r"lacks an answer to trial '\w+' \(1 of 12\)"),
        (lambda document: {**document, "answers": document["answers"][:1] * 12}, "has two answers to trial"),
        (lambda document: {**document, "answers": [{"trial": "x"}]}, "answers trial 'x'; the test has"),
        (lambda document: {**document, "answers": [{"trial": ["x"]}]}, r"answers trial \['x'\]"),
        (lambda document: score(document, 101), "score 101; it must be a number from 0 to 100"),
        (lambda document: score(document, "80"), "score '80'"),
        (lambda document: score(document, float("nan")), "score nan"),
        (lambda document: score(document, True), "score True"),
        (lambda document: (rated(document)["scores"].popitem(), document)[1], "not one score for each"),
        (lambda document: choose(document, "beef"), "chosen is 'beef'; it must be one of"),
        (lambda document: choose(document, ["a"]), r"chosen is \['a'\]"),
        (lambda document: (rated(document)["shown"].pop(), document)[1], "the sounds shown are not those"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_what_is_wrong_and_nothing_is_imported(
    sweep_store: Store, answers: Answer, tmp_path: Path, spoil: Callable[[Row], Any], message: str
) -> None:
    good = answers("Ada", honest, keen)
    bad = saved(tmp_path, spoil(copy.deepcopy(good)), "bad.json")
    with pytest.raises(InvalidInput, match=rf"bad\.json.*{message}"):
        import_ratings(sweep_store.url, [saved(tmp_path, good), bad])
    assert list(sweep_store.objects.list("results/ratings")) == []


def test_a_file_that_is_not_there_and_a_store_without_tests_are_said(
    sweep_store: Store, key: list[Row], tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match=r"There is no file .*none\.json"):
        import_ratings(sweep_store.url, [tmp_path / "none.json"])
    empty = open_store(tmp_path / "empty.store", create=True)
    with pytest.raises(NotFound, match="undertone listen export"):
        import_ratings(empty.url, [tmp_path / "none.json"])
