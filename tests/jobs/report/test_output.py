"""A file that cannot be a report is refused before anything is read."""

from pathlib import Path

import pytest

from jobs.report.options import ReportOptions
from jobs.report.writing import write_report
from store.errors import InvalidInput, NotFound


@pytest.mark.parametrize("name", ["report.pdf", "report", "html"])
def test_a_name_that_says_it_is_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"{name} .* ends in \.html or \.htm"):
        write_report(ReportOptions("no.store", tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere, where to write report\.HTM, does not exist"):
        write_report(ReportOptions("no.store", tmp_path / "nowhere" / "report.HTM"))
