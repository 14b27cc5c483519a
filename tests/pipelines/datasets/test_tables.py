"""One reader for tables: every row decides, whatever the format and whichever way in."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.audio.files import open_root
from pipelines.datasets.tables import read_arrow_table, read_table
from store.errors import InvalidInput


def rows_of(folder: Path, name: str, content: str | bytes) -> list[dict[str, Any]]:
    """Rows of a new table, which are the same both ways."""
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    rows = [dict(row) for row in read_table(open_root(folder), name)]
    assert read_arrow_table(open_root(folder), name).to_pylist() == rows
    return rows


def remarks_of(folder: Path, name: str) -> list[str]:
    """What both ways say of the columns."""
    remarks: list[str] = []
    list(read_table(open_root(folder), name, remarks.append))
    again: list[str] = []
    read_arrow_table(open_root(folder), name, again.append)
    assert again == remarks
    return remarks


def test_the_last_of_many_rows_still_decides_the_type_of_its_column(tmp_path: Path) -> None:
    lines = ["bpm,code"] + [f"{100 + row % 40},{10_000 + row}" for row in range(25_000)] + ["100.6,00003"]
    rows = rows_of(tmp_path, "t.csv", "\n".join(lines))
    assert (rows[0], rows[-1]) == ({"bpm": 100.0, "code": "10000"}, {"bpm": 100.6, "code": "00003"})


def test_a_byte_order_mark_mixed_line_ends_and_blank_lines_are_no_content(tmp_path: Path) -> None:
    content = "\ufeffpath;bpm \r\na.wav;1\n\nb.wav;2\r;\r\nc.wav;3\r\n\r\n"
    assert rows_of(tmp_path, "t.csv", content) == [
        {"path": f"{name}.wav", "bpm": bpm} for name, bpm in (("a", 1), ("b", 2), ("c", 3))
    ]


def test_ids_of_clips_are_text_even_if_they_look_like_numbers(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "t.csv", "clip_id,group,v\n1234567890123456,1e3,1e3\n12345678901234e7,1000,1\n")
    assert rows == [
        {"clip_id": "1234567890123456", "group": "1e3", "v": 1000.0},
        {"clip_id": "12345678901234e7", "group": "1000", "v": 1.0},
    ]


def test_an_index_without_a_name_is_called_by_its_number(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "t.csv", ",path\n0,a.wav\n") == [{"column_1": 0, "path": "a.wav"}]


def test_a_table_without_rows_has_columns_if_its_header_names_them(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "t.csv", "clip_id,mood\n") == []
    assert read_arrow_table(open_root(tmp_path), "t.csv").column_names == ["clip_id", "mood"]
    (tmp_path / "t.jsonl").write_text("\n")
    with pytest.raises(InvalidInput, match=r"'t\.jsonl' has no rows"):
        read_arrow_table(open_root(tmp_path), "t.jsonl")


def test_a_decimal_comma_and_too_many_digits_are_remarked_upon(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("bpm;artist;ok\n120,5;12345678901234567890;1\n98;1;2\n")
    comma, digits = remarks_of(tmp_path, "t.csv")
    assert "'bpm'" in comma
    assert "'120,5' in row 1" in comma
    assert "'artist'" in digits
    assert "12345678901234567890" in digits


def test_json_keeps_every_digit_and_its_own_text(tmp_path: Path) -> None:
    lines = [
        '{"id": 12345678901234567890, "n": 9007199254740993, "x": 1.50, "s": "007", "t": [1, {"a": 2.5}]}'
    ]
    lines += ['{"id": 1, "n": null, "x": 2, "s": "N/A", "t": true}']
    assert rows_of(tmp_path, "t.jsonl", "\r\n".join(lines)) == [
        {"id": "12345678901234567890", "n": 9007199254740993, "x": 1.5, "s": "007", "t": '[1, {"a": 2.5}]'},
        {"id": "1", "n": None, "x": 2.0, "s": None, "t": "true"},
    ]


def test_a_json_array_is_read_like_lines(tmp_path: Path) -> None:
    rows = [{"path": "a.wav", "v": 1}, {"path": "b.wav", "v": 2}]
    assert rows_of(tmp_path, "t.json", json.dumps(rows)) == rows
    assert rows_of(tmp_path, "u.json", "\n".join(map(json.dumps, rows))) == rows


def test_unsigned_and_decimal_columns_of_parquet_are_whole_numbers_or_text(tmp_path: Path) -> None:
    table = pa.table(
        {
            "small": pa.array([1, 2**63 - 1], pa.uint64()),
            "large": pa.array([1, 2**64 - 1], pa.uint64()),
            "decimal": pa.array([Decimal(7), Decimal(10**19)], pa.decimal128(20, 0)),
            "word": ["None", "jazz"],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    found = read_arrow_table(open_root(tmp_path), "t.parquet").to_pydict()
    assert found == {
        "small": [1, 2**63 - 1],
        "large": ["1", str(2**64 - 1)],
        "decimal": ["7", str(10**19)],
        "word": [None, "jazz"],
    }


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_nan_is_missing_in_parquet_as_in_csv_whoever_reads_it(tmp_path: Path, kind: pa.DataType) -> None:
    numbers = np.array([1.5, np.nan, 0.0], kind.to_pandas_dtype())
    with_null = pa.array([numbers[0], None, numbers[2], *numbers], kind)
    pq.write_table(pa.table({"bpm": with_null}), tmp_path / "t.parquet")
    expected = [1.5, None, 0.0] * 2
    assert read_arrow_table(open_root(tmp_path), "t.parquet")["bpm"].to_pylist() == expected
    assert [row["bpm"] for row in read_table(open_root(tmp_path), "t.parquet")] == expected
    assert read_arrow_table(open_root(tmp_path), "t.parquet")["bpm"].type == kind
    (tmp_path / "t.csv").write_text("bpm,x\n" + "1.5,\nNaN,\n0.0,\n" * 2)
    assert read_arrow_table(open_root(tmp_path), "t.csv")["bpm"].to_pylist() == expected


def test_names_of_classes_come_with_a_parquet_of_hugging_face(tmp_path: Path) -> None:
    features = {"genre": {"names": ["blues", "rock"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"path": ["a.wav", "b.wav", "c.wav"], "genre": [1, 0, -1]})
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "t.parquet")
    rows = [row["genre"] for row in read_table(open_root(tmp_path), "t.parquet")]
    assert rows == ["rock", "blues", None]
    assert read_arrow_table(open_root(tmp_path), "t.parquet")["genre"].to_pylist() == rows


def test_bytes_are_no_labels_and_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": ["a.wav"], "cover": [b"\x00" * 10_000]}), tmp_path / "t.parquet")
    assert [dict(row) for row in read_table(open_root(tmp_path), "t.parquet")] == [{"path": "a.wav"}]
    (remark,) = remarks_of(tmp_path, "t.parquet")
    assert "cover" in remark
    assert len(remark) < 200


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "no first line"),
        ("t.csv", b"a,b,a\n1,2,3\n", "names a column twice: a"),
        ("t.csv", b"a, a\n1,2\n", "names a column twice: a"),
        ("t.csv", b"a,b\n1,2\n3\n", "Line 3 of 't.csv' has 1 field,"),
        ("t.csv", b'a,b\n1,"2\n', "Line 2 of 't.csv' cannot be read as CSV"),
        ("t.csv", "a,b\n1,ä\n".encode("utf-16"), "not UTF-8"),
        ("t.csv", "a,b\n1,ä\n".encode("latin-1"), "not UTF-8"),
        ("t.jsonl", b'{"a": 1}\n{"a": Infinity}\n', "Line 2 of 't.jsonl' holds Infinity"),
        ("t.jsonl", b'{"a": 1, "a": 2}\n', "Line 1 of 't.jsonl' names 'a' twice"),
        ("t.jsonl", b'{"a": 01}\n', "Line 1 of 't.jsonl' cannot be read as JSON"),
        ("t.jsonl", b"[" * 100_000, "cannot be read as JSON"),
        ("t.json", b"[1, 2]", "Row 1 of 't.json' is not a JSON object"),
        ("t.xlsx", b"", "is not a table"),
    ],
)
def test_what_cannot_be_read_is_a_sentence_with_its_place(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    for reader in (read_table, read_arrow_table):
        with pytest.raises(InvalidInput, match=said):
            list(reader(open_root(tmp_path), name))


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8) | st.sampled_from(
    ["1", "2.5", "NA", "true", "007", "1e3", "9007199254740993", "NULL", ""]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12))
def test_any_csv_says_the_same_both_ways_and_its_text_comes_back(
    tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("one", "two"), *rows])
    found = rows_of(tmp_path, "t.csv", text.getvalue())
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    for row, cells in zip(found, kept, strict=True):
        for value, cell in zip(row.values(), cells, strict=True):
            if isinstance(value, str):
                assert value == cell
