"""The report answers first: what was found in words with its numbers, then what to hear."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jobs.report.answers import open_answers
from jobs.report.building import _undecided
from jobs.report.page import Page, Section
from jobs.report.rendering import render
from jobs.report.subjects import subjects
from jobs.report.words import of_best
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.opening import Store

Node = Any
BEST: dict[str, Any] = {
    "concept": "instrument", "site": "resid", "layer": 5, "metric": "accuracy", "score": 0.94,
    "score_low": 0.91, "score_high": 0.97, "control": 0.09, "verdict": "better than both",
    "handcrafted": 0.7, "handcrafted_site": "mel",
}  # fmt: skip


def test_a_concept_is_told_with_its_interval_and_what_it_is_held_against() -> None:
    assert of_best(BEST) == (
        "instrument is read best at resid 5: accuracy 0.94 [0.91, 0.97], against 0.70 from mel and 0.09 on "
        "shuffled labels. Surely better than those features."
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"handcrafted": 0.93}, "No layer is surely better than those features."),
        ({"verdict": "not better than shuffled labels"}, "Undecided: not better than shuffled labels."),
        ({"handcrafted": None}, "against 0.09 on shuffled labels."),
    ],
)
def test_what_is_not_sure_is_said(changed: dict[str, Any], said: str) -> None:
    assert of_best(BEST | changed).endswith(said)


def test_the_head_has_the_numbers_of_sql_before_any_figure(fitted_store: Store, report_page: Node) -> None:
    (head,) = report_page.all("header")
    sentences = [item.words() for item in next(head.all("section", class_="found")).all("li")]
    sql = "FROM layers WHERE concept = 'style' ORDER BY score DESC LIMIT 1"
    (best,) = run_query(refresh_catalog(fitted_store), sql).to_pylist()
    beginning = (
        f"style is read best at {best['site']} {best['layer']}: accuracy {best['score']:.2f} "
        f"[{best['score_low']:.2f}, {best['score_high']:.2f}]"
    )
    assert any(sentence.startswith(beginning) for sentence in sentences)
    assert any(sentence.startswith("steering folk → metal at layer 5, α 0.8") for sentence in sentences)


def test_the_first_sounds_are_those_of_a_chosen_setting_with_their_controls(
    fitted_store: Store, report_page: Node
) -> None:
    (head,) = report_page.all("header")
    players = list(head.all("audio"))
    roles = [str(player.attributes["aria-label"]).rpartition(": ")[2] for player in players]
    assert roles == ["unsteered", "steered", "random direction", "asked for in words"]
    target = "disco" if "disco" in str(players[0].attributes["aria-label"]) else "metal"
    heard = base64.b64decode(str(players[1].attributes["src"]).partition(",")[2])
    assert heard == fitted_store.objects.get(f"audio/{target}steered.flac")
    pictures = [image.attributes for image in head.all("img")]
    assert len(pictures) == 4
    assert all(str(one["src"]).startswith("data:image/png") and one["alt"] for one in pictures)


def test_sections_in_which_nothing_was_decided_are_folded(parse_page: Callable[[str], Node]) -> None:
    sections = [Section("a", "A"), Section("b", "B", folded=True)]
    page = parse_page(render(Page("Report", "", sections=sections), generator=""))
    (folded,) = page.all("details", class_="folded")
    assert "Undecided" in folded.words()


def test_a_concept_that_beats_no_control_is_undecided(fitted_store: Store) -> None:
    subject = subjects(open_answers(fitted_store), "3f2a9c10")[0]
    verdicts = (None, "better than both", "not better than shuffled labels")
    assert [_undecided(replace(subject, verdict=one)) for one in verdicts] == [False, False, True]
