"""Files of sweeps that no command can do: each is refused at once, with a sentence."""

import math
import time
from pathlib import Path
from typing import Any

import pytest

from jobs.sweep.configuration import find_sweep, parse_sweep, read_sweep
from jobs.sweep.grid import Grid, expand, read_pairs
from jobs.user_files import check_output, read_json, read_text, read_toml
from store.errors import InvalidInput, NotFound, UndertoneError

CONCEPT = "[[concepts]]\nname = 'style'\n"
NUMBERS = [
    *("inf", "-inf", "nan", "1e400", "1" + "0" * 400, "-1" + "0" * 400, "9" * 5000),
    *("-1", "-9223372036854775809", "1.5", "true", "'x'", "[]", "[[inf]]", "{}"),
]
PLACES = {
    "layers": CONCEPT + "[grid]\nlayers = [{}]",
    "one layer": CONCEPT + "[grid]\nlayers = {}",
    "layers together": CONCEPT + "[grid]\nlayers = [[0, {}]]",
    "alphas": CONCEPT + "[grid]\nalphas = [{}]",
    "random_states": "random_states = [{}]\n" + CONCEPT,
    "seconds": "seconds = {}\n" + CONCEPT,
    "audio_seconds": "audio_seconds = {}\n" + CONCEPT,
    "guidance": CONCEPT + "[sampling]\nguidance = {}",
    "temperature": CONCEPT + "[sampling]\ntemperature = {}",
    "top_k": CONCEPT + "[sampling]\ntop_k = {}",
    "top_p": CONCEPT + "[sampling]\ntop_p = {}",
    "methods": CONCEPT + "[grid]\nmethods = ['mse:{}']",
    "schedules": CONCEPT + "[grid]\nschedules = ['linear-down:{}']",
    "monitors": CONCEPT + "[grid]\nmonitors = ['{}']",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_number_that_is_none_is_a_sentence_wherever_a_file_takes_numbers(
    place: str, tmp_path: Path
) -> None:
    """Whatever is read holds numbers that the grid can use; whatever is not is refused in a sentence."""
    path = tmp_path / "mine.toml"
    for number in NUMBERS:
        path.write_text(PLACES[place].format(number.replace("'", "")), encoding="utf-8")
        try:
            sweep = read_sweep(path)
        except UndertoneError as error:
            message = str(error)
            assert len(message) < 500, "a number of 5,000 digits is not repeated"
            continue
        assert all(layer >= 0 for layers in sweep.grid.layers for layer in layers)
        assert all(math.isfinite(alpha) for alpha in sweep.grid.alphas if not isinstance(alpha, str))
        assert all(0 <= state < 2**63 for state in sweep.random_states)
        assert 0 < sweep.seconds <= 3600


def test_layers_that_are_no_whole_numbers_are_not_rounded(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for layers in ("[inf]", "[1.5]", "[-1]", "[nan]", "3", "[1" + "0" * 30 + "]", "'some'"):
        path.write_text(f"{CONCEPT}[grid]\nlayers = {layers}", encoding="utf-8")
        with pytest.raises(InvalidInput, match="whole numbers and lists"):
            read_sweep(path)


def test_a_billion_settings_are_refused_before_one_is_written_down() -> None:
    began = time.process_time()
    thousand = [round(0.001 * number, 3) for number in range(1, 1001)]
    schedules = [f"linear-down:{number}" for number in range(1, 1001)]
    monitors = [f"0.{number:04d}" for number in range(1, 1001)]
    grid = {"alphas": thousand, "schedules": schedules, "monitors": monitors}
    with pytest.raises(InvalidInput, match="1,000,000,000 settings"):
        parse_sweep({"name": "x", "concepts": [{"name": "s"}], "grid": grid})
    several = {"alphas": thousand, "schedules": schedules[:100]}
    with pytest.raises(InvalidInput, match="100,000,000 generations"):
        parse_sweep(
            {"name": "x", "concepts": [{"name": "s"}], "grid": several, "random_states": list(range(1000))}
        )
    assert time.process_time() - began < 2


def test_what_the_file_does_not_tell_is_counted_before_it_is_written_down() -> None:
    classes = [str(number) for number in range(100_000)]
    with pytest.raises(InvalidInput, match=r"pairs of 's'"):
        read_pairs("s", ("all",), classes)
    pairs = read_pairs("s", ("all",), classes[:150])
    with pytest.raises(InvalidInput, match="settings"):
        expand(Grid(), pairs, {"resid": range(48)})


def test_long_lists_are_checked_for_repetition_in_no_time() -> None:
    began = time.process_time()
    document: dict[str, Any] = {"name": "x", "concepts": [{"name": "s"}]}
    states = [*range(200_000), 7]
    with pytest.raises(InvalidInput, match="7 stands there twice"):
        parse_sweep(document | {"random_states": states})
    assert time.process_time() - began < 2


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "mine.toml").write_bytes(mark + find_sweep("first-look").read_bytes())
    assert read_sweep(tmp_path / "mine.toml").concepts == read_sweep(find_sweep("first-look")).concepts
    (tmp_path / "a.json").write_bytes(mark + b'{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_a_file_that_is_no_utf8_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes("name = 'x'\nquestion = 'café?'".encode("latin-1"))
    for read in (read_toml, read_json, read_text):
        with pytest.raises(InvalidInput, match=r"not UTF-8 \(line 2 holds the byte 0xe9\): save it as UTF-8"):
            read(path)


def test_other_files_that_cannot_be_read_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a = " + "[" * 100_000)
    for read in (read_toml, read_json):
        with pytest.raises(NotFound):
            read(tmp_path / "nothing")
        with pytest.raises(InvalidInput, match="directory"):
            read(tmp_path)
        with pytest.raises(InvalidInput):
            read(tmp_path / "deep")


def test_a_place_where_no_file_can_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a folder"):
        check_output(tmp_path)
    with pytest.raises(NotFound, match="does not exist"):
        check_output(tmp_path / "nowhere" / "a.flac")
    check_output(tmp_path / "a.flac")
