"""`undertone sql` as a user calls it: arguments in, text and exit code out."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs.cli.main import main
from store.opening import open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

ROOT = Path(__file__).parents[2]
GENRES = ("rock", "jazz", "jazz")
Sql = Callable[..., subprocess.CompletedProcess[bytes]]


ANNOUNCE = """
from store.catalog import query
ask = query.ask
def announced(*arguments):
    print("running", flush=True)
    return ask(*arguments)
query.ask = announced
"""
RUN = "import sys; from jobs.cli.main import main; main(['sql', *sys.argv[1:], '--timeout', '60'])"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips with two-dimensional activations, in a folder with an awkward name."""
    path = tmp_path_factory.mktemp("sql") / "my 'müsic' store"
    store = open_store(path, create=True)
    clips = [
        Clip(f"clip{n}", f"{n}.wav", 0.0, 4.0, f"g{n}", "train", f"{n:064x}", 0.0, {"genre": genre})
        for n, genre in enumerate(GENRES)
    ]
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    store.add_dataset("songs", info, clips, [])
    array = ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32", {"layers": [7]})
    planned = [PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips]
    run = store.create_run("3f2a", document={}, arrays=[array], clips=planned)
    with run.begin(run.units()[0], provenance={}) as pending:
        pending.add("resid.mean", 0, np.array([[[1, 0]], [[1, 1]], [[-1, 0]]], np.float32))
        pending.commit([ClipStatus(clip.clip_id, "ok") for clip in clips], {})
    run.note_complete()
    return path


def _undertone_sql(*arguments: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "jobs.cli", "sql", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.run(command, capture_output=True, cwd=folder, env=environment, timeout=120, check=False)


@pytest.fixture
def sql(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Sql:
    """The same in this process, which has imported everything already."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        with pytest.raises(SystemExit) as ended:
            main(["sql", *map(str, arguments)])
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, *capfdbinary.readouterr())

    return run


def test_without_a_query_but_with_a_format_it_lists_documented_views(sql: Sql, store: Path) -> None:
    shown = sql(store, "--format", "table")
    text = shown.stdout.decode()
    assert shown.returncode == 0, shown.stderr
    assert "clips: one row per clip" in text
    assert "genre" in text
    assert "label of songs" in text
    listed = json.loads(sql(store, "--format", "json").stdout)
    assert {"table": "clips", "column": "genre", "type": "VARCHAR", "description": "label of songs"} in listed


def test_a_query_is_answered_from_any_folder(store: Path, tmp_path: Path) -> None:
    shown = _undertone_sql(
        store, "SELECT genre, count(*) AS clips FROM clips GROUP BY 1 ORDER BY 1", folder=tmp_path
    )
    assert shown.returncode == 0, shown.stderr
    assert [line.split() for line in shown.stdout.decode().splitlines()] == [
        ["genre", "clips"], ["jazz", "2"], ["rock", "1"], ["(2", "rows)"],
    ]  # fmt: skip


def test_programs_get_csv_json_and_parquet(sql: Sql, store: Path, tmp_path: Path) -> None:
    query = "SELECT clip_id, genre FROM clips ORDER BY clip_id"
    expected = [{"clip_id": f"clip{n}", "genre": genre} for n, genre in enumerate(GENRES)]
    as_csv = sql(store, query, "--format", "csv").stdout.decode()
    assert list(csv.DictReader(io.StringIO(as_csv))) == expected
    assert json.loads(sql(store, query, "--format", "json").stdout) == expected
    piped = sql(store, query, "--format", "parquet").stdout
    assert pq.read_table(io.BytesIO(piped)).to_pylist() == expected
    target = tmp_path / "out.parquet"
    assert sql(store, query, "--format", "parquet", "--output", target).stdout == b""
    assert pq.read_table(target).to_pylist() == expected


def test_the_nearest_clips_are_one_statement(sql: Sql, store: Path) -> None:
    shown = sql(
        store,
        "--activations",
        "3f:resid.mean:7=x",
        "SELECT b.clip_id, round(array_cosine_similarity(a.vector, b.vector), 3) AS similarity "
        "FROM x a, x b WHERE a.clip_id = 'clip0' ORDER BY similarity DESC",
        "--format",
        "json",
    )
    assert json.loads(shown.stdout) == [
        {"clip_id": "clip0", "similarity": 1.0},
        {"clip_id": "clip1", "similarity": 0.707},
        {"clip_id": "clip2", "similarity": -1.0},
    ]


def test_a_user_s_own_table_can_be_joined(store: Path, tmp_path: Path) -> None:
    (tmp_path / "moods.csv").write_text("clip,mood\nclip1,calm\n")
    query = "SELECT genre, mood FROM clips JOIN moods ON clip = clip_id"
    shown = _undertone_sql(store, query, "--table", "moods=moods.csv", "--format", "json", folder=tmp_path)
    assert json.loads(shown.stdout) == [{"genre": "jazz", "mood": "calm"}]


def test_rebuild_works_without_a_query_and_with_one(sql: Sql, store: Path) -> None:
    alone = sql(store, "--rebuild")
    assert alone.returncode == 0
    assert b"Rebuilt" in alone.stdout
    asked = sql(store, "SELECT count(*) AS n FROM clips", "--rebuild", "--format", "json")
    assert json.loads(asked.stdout) == [{"n": 3}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SELECT * FROM clip"], 'Did you mean "clips"'),
        (["DELETE FROM clips"], "only one SELECT"),
        (["SELECT * FROM range(1_000_000_000_000)", "--timeout", "0.2"], "longer than 0.2 s"),
        (["SELECT 1", "--activations", "3f:resid.mean=x"], "RUN:SITE.REDUCTION:LAYER=NAME"),
        (["SELECT 1", "--activations", "3f:resid.mean:8=x"], "Layer 8"),
        (["SELECT 1", "--table", "moods"], "NAME=PATH"),
        (["SELECT 1", "--table", "moods=none.csv"], "none.csv"),
        (
            ["SELECT 1", "--activations", "3f:resid.mean:7=x", "--activations", "3f:resid.mean:7=x"],
            "two tables",
        ),
    ],
)
def test_mistakes_end_with_one_line_and_exit_code_1(
    sql: Sql, store: Path, arguments: list[str], message: str
) -> None:
    shown = sql(store, *arguments)
    assert shown.returncode == 1
    assert shown.stdout == b""
    assert message in shown.stderr.decode()
    assert len(shown.stderr.decode().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--timeout", "0"], ["SELECT 1", "--format", "xml"], ["a", "b"]])
def test_wrong_usage_ends_with_exit_code_2(sql: Sql, store: Path, arguments: list[str]) -> None:
    assert sql(store, *arguments).returncode == 2


def test_ctrl_c_stops_a_running_query_with_exit_code_130(store: Path) -> None:
    forever = "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE hash(a.range, b.range) = 1"
    command = [sys.executable, "-c", f"{ANNOUNCE}\n{RUN}", str(store), forever]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)  # the query alone would go on for 60 s
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130


def test_the_catalog_is_offered_to_other_programs(sql: Sql, store: Path) -> None:
    shown = sql(store, "--catalog")
    with duckdb.connect(shown.stdout.decode().strip(), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM clips").fetchall() == [(3,)]


def test_damage_is_told_in_one_line_and_other_questions_are_answered_with_a_note(
    store: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    (copy / "runs/3f2a/run.json").write_bytes(b"{")
    refused = _undertone_sql(copy, "SELECT * FROM runs")
    assert (refused.returncode, refused.stdout, refused.stderr.count(b"\n")) == (1, b"", 1)
    assert b"runs/3f2a/run.json, which is damaged" in refused.stderr
    assert b"undertone verify" in refused.stderr
    answered = _undertone_sql(copy, "SELECT count(*) AS n FROM clips", "--format", "json")
    assert json.loads(answered.stdout) == [{"n": 3}]
    assert answered.stderr.startswith(b"Note: runs/3f2a/run.json cannot be read")
    assert answered.stderr.count(b"\n") == 1


def test_a_link_to_somebody_s_files_takes_away_only_what_would_be_read_through_it(
    store: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    shutil.rmtree(copy / "datasets")
    (copy / "datasets").symlink_to(tmp_path)
    refused = _undertone_sql(copy, "SELECT * FROM clips")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (1, 1)
    assert b"symbolic link" in refused.stderr
    answered = _undertone_sql(copy, "SELECT run_id FROM runs", "--format", "json")
    assert [row["run_id"] for row in json.loads(answered.stdout)]
    assert answered.stderr.startswith(b"Note: datasets/")


@pytest.mark.parametrize("query", [b"SELECT 'caf\xe9'", "SELECT 'café' AS x".encode()])
def test_bytes_of_any_locale_are_answered_or_refused_in_a_line(store: Path, query: bytes) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    for environment in (os.environ | {"PYTHONPATH": str(ROOT)}, os.environ | ascii_only):
        command: list[str | bytes] = [sys.executable, "-m", "jobs.cli", "sql", os.fsencode(store), query]
        shown = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, check=False)
        if b"\xe9" in query:
            assert (shown.returncode, shown.stderr.count(b"\n")) == (1, 1)
            assert b"no UTF-8" in shown.stderr
        else:
            assert "café" in shown.stdout.decode()


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from jobs.cli.main import main
main(["sql", sys.argv[2], "SELECT count(*) FROM clips"])
"""


@pytest.mark.parametrize("budget", [0, 5_000, 100_000, 600_000])
def test_a_full_disk_while_the_catalog_is_written_is_told_and_leaves_no_litter(
    store: Path, tmp_path: Path, budget: int
) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-c", FULL, str(budget), store], capture_output=True, env=environment, check=False
    )
    assert shown.returncode == 1
    assert shown.stderr.count(b"\n") == 1, shown.stderr.decode()
    assert f"Cannot write the catalog in {tmp_path}".encode() in shown.stderr
    assert b"XDG_CACHE_HOME" in shown.stderr
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in left if path.suffix != ".lock" or path.stat().st_size] == []


def test_a_folder_that_is_no_store_is_not_made_one(sql: Sql, tmp_path: Path) -> None:
    shown = sql(tmp_path / "nothing", "SELECT 1")
    assert shown.returncode == 1
    assert b"no Undertone store" in shown.stderr
    assert not (tmp_path / "nothing").exists()


def test_a_query_that_cannot_be_interrupted_ends_with_its_process(sql: Sql, store: Path) -> None:
    slow = "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))"  # minutes within one value
    answer = sql(store, slow, "--timeout", "1")
    assert answer.returncode == 1
    assert b"ran longer than 1 s" in answer.stderr


def test_a_statement_nested_too_deeply_is_refused_in_one_line(store: Path) -> None:
    answer = _undertone_sql(store, "SELECT " + "+".join(["1"] * 990))
    assert (answer.returncode, answer.stderr.count(b"\n")) == (1, 1)
    assert b"nested too deeply" in answer.stderr


def test_the_ending_of_the_output_file_says_its_format(sql: Sql, store: Path, tmp_path: Path) -> None:
    assert sql(store, "SELECT clip_id FROM clips", "--output", tmp_path / "a.csv").returncode == 0
    assert (tmp_path / "a.csv").read_text().splitlines() == ["clip_id", "clip0", "clip1", "clip2"]
    assert b"say --format" in sql(store, "SELECT 1", "--output", tmp_path / "a.txt").stderr
    answer = sql(store, "SELECT 1", "--output", tmp_path / "nowhere" / "a.csv")
    assert (answer.returncode, answer.stderr.count(b"\n")) == (1, 1)
