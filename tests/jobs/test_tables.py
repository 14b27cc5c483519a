"""The same table for eyes and for programs."""

import csv
import io
import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.terminal.table_formats import TableFormat
from jobs.terminal.tables import _write_as, to_csv, to_json, to_text, unique_names, write_result
from store.errors import InvalidInput

TABLE = pa.table(
    {
        "name": ["Für Elise", None, 'a "quoted", text'],
        "count": [1, 2, None],
        "score": [0.123456789, math.nan, math.inf],
        "sites": [["attn", "resid"], [], None],
        "good": [True, False, None],
    }
)


def test_a_table_for_eyes_aligns_numbers_and_shortens_them() -> None:
    lines = to_text(TABLE, width=200).splitlines()
    assert lines[0].split() == ["name", "count", "score", "sites", "good"]
    assert lines[1].split("  ")[0] == "Für Elise"
    assert "0.123457" in lines[1]
    assert "[attn, resid]" in lines[1]
    assert lines[2].startswith("NULL")
    assert lines[-1] == "(3 rows)"


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_table_for_eyes_keeps_within_the_terminal(width: int) -> None:
    table = pa.table({"text": ["words " * 60], "other": ["x" * 100], "number": [1]})
    text = to_text(table, width=width)
    assert max(len(line) for line in text.splitlines()[:-1]) <= width
    assert text.count("x") >= 100


def test_columns_that_do_not_fit_are_named_below_and_others_stay_readable() -> None:
    table = pa.table({f"column_{number:02d}": [f"value {number}"] for number in range(35)})
    text = to_text(table, width=80)
    head, row, *rest = text.splitlines()
    assert head.split() == [f"column_{number:02d}" for number in range(7)]
    assert row.split() == [word for number in range(7) for word in ("value", str(number))]
    cure = "column_34; a wider terminal shows more, --format csv or json prints all)"
    assert " ".join(rest).endswith(cure)
    assert "(and 28 more columns: column_07, " in " ".join(rest)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(("form", "terminal", "raw"), [
    ("csv", False, True), ("csv", True, False), ("csv-safe", False, False), ("csv-safe", True, False),
])  # fmt: skip
def test_control_characters_reach_no_terminal_and_no_spreadsheet(
    form: TableFormat, terminal: bool, raw: bool
) -> None:
    class Stream(io.BytesIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    _write_as(pa.table({"uri": ["a\x1b]0;PWNED\x07.wav"], "n": [1]}), form, stream)
    written = stream.getvalue().decode()
    assert ("\x1b" in written) is raw
    assert written.splitlines()[0].replace('"', "") == "uri,n"
    if not raw:
        assert r"\x1b]0;PWNED\x07" in written


def test_long_results_are_cut_with_a_note() -> None:
    text = to_text(pa.table({"n": list(range(1000))}), width=80, rows=10)
    *_, last, note = text.splitlines()
    assert last.strip() == "9"
    assert note == "(1000 rows, the first 10 shown; --format csv or json prints all)"


def test_long_texts_are_cut() -> None:
    assert to_text(pa.table({"document": ["x" * 5000]}), width=1000).split()[1] == "x" * 119 + "…"


def test_markup_in_data_is_shown_as_it_is() -> None:
    assert "[bold]x[/bold]" in to_text(pa.table({"[red]": ["[bold]x[/bold]"]}), width=80)


def test_long_vectors_are_abbreviated() -> None:
    text = to_text(pa.table({"vector": [[float(n) for n in range(1024)]]}), width=200)
    assert "[0, 1, 2, 3, … 1024 values]" in text


def test_a_result_without_rows_shows_its_columns() -> None:
    assert to_text(pa.table({"genre": pa.array([], pa.string())}), width=80).split() == [
        "genre",
        "(0",
        "rows)",
    ]


def test_csv_can_be_read_back() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows[0] == ["name", "count", "score", "sites", "good"]
    assert rows[1] == ["Für Elise", "1", "0.123456789", '["attn", "resid"]', "true"]
    assert rows[3] == ['a "quoted", text', "", "inf", "", ""]


TEXTS = ["", None, "a", " a ", "a,b", 'say "x"', "two\nlines", "a\rb", "\r\n", '"', "NULL", "é\u2028"]


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("beside", [["t", "n"], ["t"]])
def test_a_csv_reader_tells_null_from_an_empty_text(safe: bool, beside: list[str], tmp_path: Path) -> None:
    texts = [text for text in TEXTS if not (safe and text and text.startswith("\r"))]
    table = pa.table({"t": texts, "n": [None, *range(1, len(texts))]}).select(beside)
    path = tmp_path / "x.csv"
    path.write_text(to_csv(table, safe=safe), encoding="utf-8", newline="")
    columns = {"t": "VARCHAR", "n": "BIGINT"}
    read = duckdb.read_csv(
        str(path),
        columns={name: columns[name] for name in beside},
        header=True,
        sep=",",
        quotechar='"',
        escapechar='"',
        allow_quoted_nulls=False,
    )
    assert read.fetchall() == list(zip(*table.to_pydict().values(), strict=True))


@given(st.lists(st.tuples(st.none() | st.text(st.characters(exclude_categories=["Cs"])), st.integers())))
def test_python_reads_the_same_fields_from_csv(rows: list[tuple[str | None, int]]) -> None:
    table = pa.table({"t": pa.array([text for text, _ in rows], pa.string()), "n": [n % 9 for _, n in rows]})
    read = list(csv.reader(io.StringIO(to_csv(table), newline=""), strict=True))[1:]
    assert read == [[text or "", str(number % 9)] for text, number in rows]


def test_json_is_strict_and_keeps_types() -> None:
    rows = json.loads(to_json(TABLE.to_pylist()), parse_constant=pytest.fail)
    assert rows[0] == {
        "name": "Für Elise", "count": 1, "score": 0.123456789, "sites": ["attn", "resid"], "good": True,
    }  # fmt: skip
    assert rows[1]["score"] is None
    assert rows[2]["score"] is None
    assert json.loads(to_json([])) == []


def test_single_precision_numbers_are_written_as_short_as_they_are_exact(tmp_path: Path) -> None:
    table = pa.table({"score": pa.array([0.7, None, math.nan], pa.float32())})
    write_result(table, "json", output=tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == [{"score": 0.7}, {"score": None}, {"score": None}]
    write_result(table, "csv", output=tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "score\n0.7\n\nnan\n"


def test_json_knows_times_decimals_and_bytes() -> None:
    row = {
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "sum": Decimal(3),
        "mean": Decimal("0.5"),
        "raw": b"\x01\xff",
    }
    assert json.loads(to_json([row])) == [
        {"at": "2026-01-02T00:00:00+00:00", "sum": 3, "mean": 0.5, "raw": "01ff"}
    ]


DIGITS = "12345678901234567890.123456789012345678"


def test_a_decimal_keeps_all_its_digits_in_every_form() -> None:
    table = pa.table({"x": pa.array([Decimal(DIGITS), Decimal("-0.1"), None], pa.decimal128(38, 18))})
    rows = json.loads(to_json(table.to_pylist()), parse_float=Decimal)
    assert [row["x"] for row in rows] == [Decimal(DIGITS), Decimal("-0.1"), None]
    assert DIGITS in to_text(table, width=80)
    assert DIGITS in to_csv(table)
    nested = {"y": [{"z": Decimal(DIGITS)}]}
    assert json.loads(to_json([nested]), parse_float=Decimal) == [nested]


@pytest.mark.parametrize(
    "interval",
    [
        "INTERVAL 3 DAYS", "INTERVAL 1 DAY", "INTERVAL 0 DAYS", "INTERVAL 14 MONTHS", "INTERVAL (-14) MONTHS",
        "INTERVAL 90 SECONDS", "INTERVAL (-90) SECONDS", "INTERVAL 1500 MILLISECONDS",
        "INTERVAL 1 MICROSECOND", "INTERVAL (-1) DAYS",
        "INTERVAL 30 HOURS + INTERVAL 2 YEARS - INTERVAL 1 DAY", "INTERVAL 123456 HOURS",
    ],
)  # fmt: skip
def test_an_interval_is_written_as_duckdb_writes_it(interval: str) -> None:
    query = f"SELECT i, [i] AS l, CAST(i AS VARCHAR) AS said FROM (SELECT {interval} AS i)"
    table = duckdb.sql(query).to_arrow_table()
    said = table["said"][0].as_py()
    assert json.loads(to_json(table.to_pylist())) == [{"i": said, "l": [said], "said": said}]
    assert said in to_text(table.select(["i"]), width=80)
    assert to_csv(table.select(["i"])) == f"i\n{said}\n"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_1", "a_2"]),
        (["a", "a_1", "a"], ["a", "a_1", "a_2"]),
        (["a", "a", "a_1"], ["a", "a_2", "a_1"]),
    ],
)
def test_columns_of_the_same_name_are_told_apart(names: list[str], expected: list[str]) -> None:
    assert unique_names(names) == expected


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_an_output_file_holds_every_row(tmp_path: Path, form: str) -> None:
    table = pa.table({"n": list(range(1000))})
    path = tmp_path / f"all.{form}"
    write_result(table, form, output=path)  # type: ignore[arg-type]
    if form == "parquet":
        rows = pq.read_table(path).to_pylist()
    else:
        text = path.read_text()
        rows = json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text)))
    assert [int(row["n"]) for row in rows] == list(range(1000))


def test_parquet_keeps_vectors_of_fixed_length(tmp_path: Path) -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2.0, 3.0, 4.0], pa.float32()), 2)
    write_result(pa.table({"vector": vectors}), "parquet", output=tmp_path / "v.parquet")
    assert pq.read_table(tmp_path / "v.parquet")["vector"].type == pa.list_(pa.float32(), 2)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_date_that_python_has_no_word_for_is_a_sentence(form: TableFormat, tmp_path: Path) -> None:
    days = pa.table({"day": pa.array([-800_000], pa.int32()).cast(pa.date32())})
    with pytest.raises(InvalidInput, match=r"CAST\(column AS VARCHAR\)"):
        write_result(days, form, output=tmp_path / "out")
    write_result(days, "parquet", output=tmp_path / "out.parquet")
