"""A sweep or a pair without a chosen setting is shown, and the report says why there is none."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs.report.answers import Answers, open_answers
from jobs.report.sweeps import sweeps_of, warnings_of
from store import open_store
from store.results.parts import write_results
from store.results.schemas import TABLES

NOW = datetime(2026, 11, 22, tzinfo=UTC).replace(tzinfo=None)
ROW: dict[str, Any] = {
    "sweep": "strength", "sweep_id": "5eed", "run_id": "songs", "concept": "style", "source": "rock",
    "target": "jazz", "setting_id": "one", "split": "selection", "metric": "transfer", "scorer": "clap",
    "value": 0.2, "created_at": NOW, "chosen": True, "chosen_by": "clap",
}  # fmt: skip
NOBODY: dict[str, Any] = {"chosen": None, "chosen_by": None}


def answers_of(folder: Path, *rows: dict[str, Any]) -> Answers:
    store = open_store(folder / "music.store", create=True)
    write_results(
        store,
        "effects",
        {},
        pa.Table.from_pylist([ROW | row for row in rows], schema=TABLES["effects"].schema()),
    )
    return open_answers(store)


@pytest.mark.parametrize(
    ("rows", "scorer", "said"),
    [
        ([{}, {"setting_id": "two", "chosen": False}], "clap", ""),
        (
            [{}, *({"target": "folk", "chosen": False, "setting_id": one} for one in ("one", "two"))],
            "clap",
            "rock → folk: no setting is chosen. Of 2 none moves towards the target",
        ),
        ([NOBODY | {"metric": "change", "scorer": "descriptors"}], "", "nothing that tells classes"),
        ([NOBODY | {"value": None}], "", "the selection split of its prompts and random states has no"),
        ([NOBODY | {"target": "folk"}, {}], "clap", ""),
        (
            [{"without_limit": "unheard"}, {"setting_id": "two", "chosen": False}],
            "clap",
            "Damage limit not applied to 1 of 2 settings: unheard.",
        ),
        ([{"without_limit": "unheard", "split": "evaluation"}], "clap", ""),
    ],
)  # fmt: skip
def test_why_nothing_is_chosen_is_said(
    rows: list[dict[str, Any]], scorer: str, said: str, tmp_path: Path
) -> None:
    answers = answers_of(tmp_path, *rows)
    (sweep,) = sweeps_of(answers, "songs")
    assert (sweep.name, sweep.sweep_id, sweep.scorer) == ("strength", "5eed", scorer)
    warnings = warnings_of(answers, sweep)
    assert len(warnings) == bool(said)
    assert said in "".join(warnings)
