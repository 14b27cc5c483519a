"""A sweep's section opens with its question, and its players say what is recording and what is model."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from jobs.report.answers import Answers, open_answers
from jobs.report.figures.listening import listening_figure, others_figure
from jobs.report.sweeps import question_of, sweeps_of
from store.objects.ledger import commit, never
from store.opening import Store, open_store
from store.results.parts import write_results
from store.results.schemas import TABLES

OLD, NEW = (datetime(2026, 11, day, 9, 30, tzinfo=UTC).replace(tzinfo=None) for day in (21, 22))
CHOSEN: dict[str, Any] = {
    "sweep": "strength", "run_id": "songs", "plan_id": "p", "setting_id": "one", "concept": "style",
    "source": "rock", "target": "jazz", "split": "evaluation", "metric": "transfer", "scorer": "clap",
    "chosen": True, "chosen_by": "clap",
}  # fmt: skip
PLANNED: dict[str, Any] = {
    "sweep": "strength", "sweep_id": "new", "run_id": "songs", "plan_id": "p", "split": "evaluation",
    "source": "rock", "target": "jazz", "template": "{class}", "text": "rock", "random_state": 0,
    "audio_prompt": "drums/loop.wav", "audio_seconds": 2.5, "question": "Does it swing?", "created_at": NEW,
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A sweep that was run, its file changed, and run again: the newer continues a recording."""
    made = open_store(tmp_path / "music.store", create=True)
    counted = [CHOSEN | {"sweep_id": one, "created_at": at} for one, at in (("old", OLD), ("new", NEW))]
    write_results(made, "effects", {}, pa.Table.from_pylist(counted, schema=TABLES["effects"].schema()))
    steered = {"role": "steered", "setting_id": "one", "site": "resid", "layers": [3], "alpha": 0.0722754}
    roles = [
        PLANNED | {"generation_id": "a", "role": "unsteered"},
        PLANNED | steered | {"generation_id": "b"},
    ]
    write_results(
        made,
        "sweep_generations",
        {},
        pa.Table.from_pylist(roles, schema=TABLES["sweep_generations"].schema()),
    )
    sound = io.BytesIO()
    soundfile.write(sound, np.zeros(800), 16_000, format="FLAC")
    for row in roles:
        commit(
            made.objects, f"audio/{row['generation_id']}.flac", sound.getvalue(), kind="sound", sound=never
        )
    return made


@pytest.fixture
def answers(store: Store) -> Answers:
    return open_answers(store)


def test_of_sweeps_with_one_name_the_newest_comes_first_and_older_ones_have_their_date(
    answers: Answers,
) -> None:
    titles = [(sweep.sweep_id, sweep.title) for sweep in sweeps_of(answers, "songs")]
    assert titles == [("new", "strength"), ("old", "strength, as of 2026-11-21 09:30")]


def test_the_question_is_that_of_the_file(answers: Answers) -> None:
    assert [question_of(answers, sweep) for sweep in sweeps_of(answers, "songs")] == ["Does it swing?", ""]


def test_where_nothing_is_chosen_the_setting_that_moves_most_is_heard_and_marked(store: Store) -> None:
    later = NEW + timedelta(days=1)
    unchosen = CHOSEN | {"sweep_id": "new", "chosen": False, "split": "selection", "created_at": later}
    rows = [unchosen | {"setting_id": name, "value": value} for name, value in (("two", -0.2), ("one", -0.1))]
    write_results(
        store, "effects", {"later": 1}, pa.Table.from_pylist(rows, schema=TABLES["effects"].schema())
    )
    answers = open_answers(store)
    (sweep,) = [one for one in sweeps_of(answers, "songs") if one.sweep_id == "new"]
    figure = listening_figure(answers, sweep)
    assert figure is not None
    (group,) = figure.sounds
    assert [sound.name for sound in group.sounds] == ["unsteered", "steered"]
    assert group.flags[0] == "not chosen"


def test_where_nobody_could_choose_there_are_sounds_all_the_same(store: Store) -> None:
    later = NEW + timedelta(days=1)
    rows = [
        CHOSEN
        | {"sweep_id": "new", "chosen": None, "chosen_by": None, "metric": "change", "created_at": later}
    ]
    write_results(
        store, "effects", {"later": 1}, pa.Table.from_pylist(rows, schema=TABLES["effects"].schema())
    )
    answers = open_answers(store)
    (sweep,) = [one for one in sweeps_of(answers, "songs") if one.sweep_id == "new"]
    figure = listening_figure(answers, sweep)
    assert figure is not None
    assert figure.sounds[0].flags == ("not chosen",)


def test_settings_that_were_not_chosen_can_be_heard_too_and_are_marked(store: Store) -> None:
    other = CHOSEN | {"sweep_id": "new", "setting_id": "two", "chosen": False, "created_at": NEW}
    table = pa.Table.from_pylist([other], schema=TABLES["effects"].schema())
    write_results(store, "effects", {"later": 1}, table)
    steered = {"role": "steered", "setting_id": "two", "site": "resid", "layers": [5], "alpha": 0.3}
    row = PLANNED | steered | {"generation_id": "c", "method": "diffmean", "schedule": "constant"}
    schema = TABLES["sweep_generations"].schema()
    write_results(store, "sweep_generations", {"later": 1}, pa.Table.from_pylist([row], schema=schema))
    commit(store.objects, "audio/c.flac", store.objects.get("audio/b.flac"), kind="sound", sound=never)
    answers = open_answers(store)
    (sweep,) = [one for one in sweeps_of(answers, "songs") if one.sweep_id == "new"]
    figure = others_figure(answers, sweep)
    assert figure is not None
    assert figure.folded
    ((group),) = figure.sounds
    assert group.title == "rock → jazz · resid, layer 5, α 0.3 · diffmean"
    assert group.flags == ("not chosen",)
    assert [sound.name for sound in group.sounds] == ["steered"]


def test_players_say_where_the_recording_ends(store: Store, answers: Answers) -> None:
    figure = listening_figure(answers, sweeps_of(answers, "songs")[0])
    assert figure is not None
    assert [sound.note for sound in figure.sounds[0].sounds] == [
        "“rock”; the first 2.5 s are loop.wav",
        "resid, layer 3, α 0.0723; the first 2.5 s are loop.wav",
    ]
