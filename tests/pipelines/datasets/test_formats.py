"""Which format a path is in, and what is said when it is in none."""

from pathlib import Path

import pytest

from pipelines.datasets.formats import open_source
from store.errors import InvalidInput, NotFound
from store.extensions import DATASETS


def test_a_folder_of_some_genres_is_not_gtzan(tmp_path: Path) -> None:
    for genre in ("blues", "jazz", "rock"):
        (tmp_path / genre).mkdir()
    assert open_source(tmp_path).format.name == "folder"


def test_an_info_csv_of_something_else_is_not_syntheory(tmp_path: Path) -> None:
    (tmp_path / "info.csv").write_text("a,b\n", encoding="utf-8")
    assert open_source(tmp_path).format.name == "folder"


def test_a_table_is_read_from_the_folder_that_it_lies_in(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b/songs é.csv").write_text("path\nx.wav\n", encoding="utf-8")
    source = open_source(tmp_path / "a b/songs é.csv")
    assert (source.format.name, source.root.url, source.member) == ("table", f"{tmp_path}/a b", "songs é.csv")
    (tmp_path / "a b/metadata.csv").write_text("file_name\nx.wav\n", encoding="utf-8")
    assert open_source(f"{tmp_path}/a b/").format.name == "table"


def test_a_named_format_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name\nx.wav\n", encoding="utf-8")
    assert open_source(tmp_path, "folder").format.name == "folder"


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="auto or one of " + ", ".join(DATASETS.names())):
        open_source(tmp_path, "musdb")


def test_a_path_where_nothing_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        open_source(tmp_path / "nothing")
    with pytest.raises(NotFound, match=r"songs\.csv"):
        list(open_source(tmp_path / "songs.csv").list_recordings())


def test_a_file_that_is_no_table_is_told_what_tables_are_called(tmp_path: Path) -> None:
    (tmp_path / "songs.txt").write_text("path\nx.wav\n")
    with pytest.raises(
        InvalidInput, match=r"songs\.txt is a file, and no table.* ends in \.csv, .*\.parquet"
    ):
        open_source(tmp_path / "songs.txt")
