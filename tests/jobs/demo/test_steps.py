"""What the demo says around its steps, and that its questions fit a narrow terminal."""

import pytest

from jobs.demo import questions
from jobs.demo.steps import EXPECTED_SECONDS, Steps


def test_steps_are_numbered_with_an_expected_time_and_end_in_a_line_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = Steps(clips=100)
    steps.announce()
    for title in ("Render", "List"):
        with steps.next(title):
            pass
    lines = capsys.readouterr().out.split("\n")
    count = len(EXPECTED_SECONDS)
    assert lines[0].startswith(f"{count} steps, about 3 minutes")
    assert lines[2:4] == [f"1/{count} Render (about 3 s)", f"1/{count} done in 0.0 s."]
    assert lines[5:7] == [f"2/{count} List (about 1 s)", f"2/{count} done in 0.0 s."]


def test_every_question_s_sql_fits_80_columns() -> None:
    texts = [value for value in vars(questions).values() if isinstance(value, str)]
    shown = [text for text in texts if text.startswith("SELECT")]
    assert len(shown) == 7
    assert [line for sql in shown for line in sql.splitlines() if len(line) > 80] == []
