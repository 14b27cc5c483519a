"""A user's own file becomes a table."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.fitting.user_tables import read_user_table, read_user_tables
from store.errors import InvalidInput, NotFound

ROWS = [{"clip_id": "a", "mood": "calm", "energy": 0.5}, {"clip_id": "b", "mood": "wild", "energy": 1.0}]
TEXTS = {
    "mine.csv": "clip_id,mood,energy\na,calm,0.5\nb,wild,1.0\n",
    "semicolons.csv": "clip_id;mood;energy\na;calm;0.5\nb;wild;1.0\n",
    "mine.tsv": "clip_id\tmood\tenergy\na\tcalm\t0.5\nb\twild\t1.0\n",
    "mine.jsonl": '{"clip_id":"a","mood":"calm","energy":0.5}\n{"clip_id":"b","mood":"wild","energy":1.0}\n',
    "mine.json": '[{"clip_id":"a","mood":"calm","energy":0.5},{"clip_id":"b","mood":"wild","energy":1.0}]',
    "what [1]* it's für.CSV": "clip_id,mood,energy\na,calm,0.5\nb,wild,1.0\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_files_are_read_with_detected_delimiter_and_types(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TEXTS[name])
    assert read_user_table(str(tmp_path / name))[0].to_pylist() == ROWS


def test_a_pattern_in_a_name_does_not_match_other_files(tmp_path: Path) -> None:
    (tmp_path / "part[1].csv").write_text("x\n1\n")
    (tmp_path / "part1.csv").write_text("x\n2\n")
    assert read_user_table(str(tmp_path / "part[1].csv"))[0].to_pydict() == {"x": [1]}


def test_parquet_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "mine.parquet")
    assert read_user_table(str(tmp_path / "mine.parquet"))[0].to_pylist() == ROWS


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere\.csv"):
        read_user_table(str(tmp_path / "nowhere.csv"))[0]


def test_an_unknown_ending_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "mine.xlsx").write_bytes(b"")
    with pytest.raises(InvalidInput, match=r"mine\.xlsx.*\.csv.*\.jsonl.*\.parquet"):
        read_user_table(str(tmp_path / "mine.xlsx"))[0]


@pytest.mark.parametrize("name", ["mine.parquet", "mine.json"])
def test_a_damaged_file_is_named_on_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{not a table")
    with pytest.raises(InvalidInput, match=name) as error:
        read_user_table(str(tmp_path / name))[0]
    assert "\n" not in str(error.value)


def test_remarks_on_columns_name_their_table(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("clip_id;bpm\na;120,5\n")
    (note,) = read_user_tables([f"m={tmp_path / 'mine.csv'}"]).notes
    assert note.startswith("Table m: Column 'bpm' is text")


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("clip_id\na\n")
    with pytest.raises(InvalidInput, match="the name m is given to two tables"):
        read_user_tables([f"m={tmp_path / 'mine.csv'}"] * 2)
