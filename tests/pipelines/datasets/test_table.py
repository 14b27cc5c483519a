"""Tables of audio files: any columns are labels, mistakes are named."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.audio.files import Root, open_root
from pipelines.datasets.table import list_recordings
from store.errors import InvalidInput
from store.records import Failure, Recording


def recordings_of(folder: Path, table: str) -> list[Recording | Failure]:
    return list(list_recordings(open_root(folder), table))


def write_csv(folder: Path, text: str, name: str = "songs.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return name


def test_a_csv_row_is_a_recording_and_its_other_columns_are_labels(tmp_path: Path) -> None:
    table = write_csv(
        tmp_path,
        "\ufeffpath,artist,split,genre,bpm,loudness,live,code,comment\r\n"
        'a b.wav,Ann,train,jazz,120,-3.5,true,007,"two\nlines, ""quoted"""\r\n'
        "x/é.wav,Ben,test,rock,,2,False,12,\r\n",
    )
    assert recordings_of(tmp_path, table) == [
        Recording(
            "a b.wav",
            group="Ann",
            split="train",
            labels={
                "artist": "Ann",
                "genre": "jazz",
                "bpm": 120,
                "loudness": -3.5,
                "live": True,
                "code": "007",
                "comment": 'two\nlines, "quoted"',
            },
        ),
        Recording(
            "x/é.wav",
            group="Ben",
            split="test",
            labels={
                "artist": "Ben",
                "genre": "rock",
                "bpm": None,
                "loudness": 2.0,
                "live": False,
                "code": "12",
                "comment": None,
            },
        ),
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2", "x"], ["1", "2", "x"]),
        (["1", "2.5", ""], [1.0, 2.5, None]),
        (["1", "true"], ["1", "true"]),
        (["TRUE", "false"], [True, False]),
        (["1e3", "-0.5"], [1000.0, -0.5]),
        (["0", "-7"], [0, -7]),
        (["", "nan"], [None, None]),
        (["1.0", "01.5"], ["1.0", "01.5"]),
        (["1", "123456789012345678901234567890"], ["1", "123456789012345678901234567890"]),
    ],
)
def test_a_csv_column_has_the_narrowest_type_that_all_its_rows_share(
    tmp_path: Path, values: list[str], expected: list[object]
) -> None:
    table = write_csv(tmp_path, "path,v\n" + "".join(f"{i}.wav,{value}\n" for i, value in enumerate(values)))
    found = [r.labels["v"] for r in recordings_of(tmp_path, table) if isinstance(r, Recording)]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ";"), ("t.tsv", "\t"), ("t.csv", "\t")])
def test_other_separators_are_recognised(tmp_path: Path, name: str, delimiter: str) -> None:
    table = write_csv(tmp_path, f"path{delimiter}genre\na.wav{delimiter}jazz, cool\n", name)
    assert recordings_of(tmp_path, table) == [
        Recording("a.wav", group="a.wav", labels={"genre": "jazz, cool"})
    ]


def test_parquet_and_json_lines_keep_their_types(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"file_name": "a.wav", "year": 1959, "tags": ["cool", "é"], "score": 0.5, "live": True},
        {"file_name": "b.wav", "year": None, "tags": [], "score": float("nan"), "live": False},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    lines = [json.dumps(row | {"score": None if row["score"] != 0.5 else 0.5}) for row in rows]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    expected = [
        Recording(
            "a.wav", "a.wav", None, {"year": 1959, "tags": '["cool", "é"]', "score": 0.5, "live": True}
        ),
        Recording("b.wav", "b.wav", None, {"year": None, "tags": "[]", "score": None, "live": False}),
    ]
    assert recordings_of(tmp_path, "t.parquet") == expected
    assert recordings_of(tmp_path, "t.jsonl") == expected


def test_a_folder_with_metadata_csv_needs_no_table_name(tmp_path: Path) -> None:
    write_csv(tmp_path, "file_name,text\na.wav,hello\n", "metadata.csv")
    assert recordings_of(tmp_path, "") == [Recording("a.wav", group="a.wav", labels={"text": "hello"})]


def test_an_absolute_path_inside_the_folder_becomes_relative(tmp_path: Path) -> None:
    table = write_csv(tmp_path, f"path\n{tmp_path}/sub/a.wav\n./b.wav\n")
    assert [r.uri for r in recordings_of(tmp_path, table) if isinstance(r, Recording)] == [
        "sub/a.wav",
        "b.wav",
    ]


@pytest.mark.parametrize("path", ["../a.wav", "/somewhere/a.wav", "sub/../../a.wav"])
def test_a_path_outside_the_folder_is_refused_with_its_row(tmp_path: Path, path: str) -> None:
    table = write_csv(tmp_path, f"path\nb.wav\n{path}\n")
    with pytest.raises(InvalidInput, match=r"Row 2 of 'songs\.csv' names .* outside the table's folder"):
        recordings_of(tmp_path, table)


@pytest.mark.parametrize("url", ["", "https://example.org/music"])
@pytest.mark.parametrize(
    ("path", "shown", "said"),
    [
        ("http://elsewhere.org/x.wav", "http://elsewhere.org/x.wav", "names files of its own folder"),
        ("s3://bucket/x.wav", "s3://bucket/x.wav", "names files of its own folder"),
        ("https://example.org/music/x.wav?sig=SECRET", "https://example.org/music/x.wav", "with a token"),
        ("https://SECRET@elsewhere.org/x.wav", "https://elsewhere.org/x.wav", "with a token"),
    ],
)
def test_a_row_that_names_a_url_of_another_place_or_a_token_is_a_failure_wherever_the_table_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, path: str, shown: str, said: str
) -> None:
    write_csv(tmp_path, f"path\na.wav\n{path}\n")
    root = open_root(tmp_path)
    if url:  # the same table, as if it had been read from there
        monkeypatch.setattr(Root, "_open_file", lambda _root, uri, *_reading: (tmp_path / uri).open("rb"))
        root = Root(url)
    first, second = list_recordings(root, "songs.csv")
    assert isinstance(first, Recording)
    assert isinstance(second, Failure)
    assert (second.stage, second.item, second.uri) == ("list", shown, shown)
    assert f"Row 2 of 'songs.csv' names '{shown}'" in second.message
    assert said in second.message
    assert "SECRET" not in repr(second)


def test_a_table_without_a_path_column_is_told_which_it_needs(tmp_path: Path) -> None:
    table = write_csv(tmp_path, "track,genre\na.wav,jazz\n")
    with pytest.raises(InvalidInput, match=r"It has track, genre; name that column one of path, file_name"):
        recordings_of(tmp_path, table)


def test_a_row_without_a_path_is_refused(tmp_path: Path) -> None:
    table = write_csv(tmp_path, "path,genre\n,jazz\n")
    with pytest.raises(InvalidInput, match=r"Row 1 of 'songs\.csv' has no path"):
        recordings_of(tmp_path, table)


def test_a_file_named_twice_counts_once(tmp_path: Path) -> None:
    table = write_csv(tmp_path, "path,genre\na.wav,jazz\n./a.wav,rock\n")
    first, second = recordings_of(tmp_path, table)
    assert isinstance(first, Recording)
    assert isinstance(second, Failure)
    assert (second.item, second.stage) == ("a.wav", "list")
    assert "Row 2" in second.message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"path,genre\na.wav\n", "Line 2 of 't.csv' has 1 field,"),
        ("t.csv", b"path,path\na.wav,b.wav\n", "names a column twice"),
        ("t.csv", b"path,genre\na.wav,\xff\xfe\n", "cannot be read as .csv"),
        ("t.csv", b'path,genre\na.wav,"jazz\n', "cannot be read as CSV"),
        ("t.jsonl", b'{"path": "a.wav"\n', "cannot be read as JSON"),
        ("t.jsonl", b'["a.wav"]\n', "Line 1 of 't.jsonl' is not a JSON object"),
        ("t.parquet", b"PAR1 not really", "cannot be read as Parquet"),
    ],
)
def test_a_damaged_table_says_what_is_wrong(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        recordings_of(tmp_path, name)
