"""What SQL from outside can and cannot do."""

import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import psutil
import pyarrow as pa
import pytest

from store.catalog import query_worker
from store.catalog.query import describe_views, run_query
from store.catalog.query_messages import Question
from store.catalog.sandbox import locked_connection
from store.errors import InvalidInput, QueryRefused

SECRET = "the-secret-line"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalog in a folder whose name needs care, with one view of three clips."""
    folder = tmp_path / "über 'my' store"
    folder.mkdir()
    _write_catalog(folder / "catalog.duckdb", ["rock", "jazz", "jazz"])
    (folder / "secret.csv").write_text(f"column\n{SECRET}\n")
    return folder / "catalog.duckdb"


def _write_catalog(path: Path, genres: list[str]) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE rows_of_clips (clip_id INTEGER, genre VARCHAR)")
        for clip_id, genre in enumerate(genres):
            connection.execute("INSERT INTO rows_of_clips VALUES (?, ?)", [clip_id, genre])
        connection.execute("CREATE VIEW clips AS SELECT * FROM rows_of_clips")
        connection.execute("COMMENT ON VIEW clips IS 'one row per clip'")
        connection.execute("COMMENT ON COLUMN clips.genre IS 'what it sounds like'")


def _state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_select_returns_its_rows(catalog: Path) -> None:
    table = run_query(catalog, "SELECT genre, count(*) AS clips FROM clips GROUP BY genre ORDER BY genre")
    assert table.to_pydict() == {"genre": ["jazz", "rock"], "clips": [2, 1]}


def test_a_result_without_rows_keeps_its_columns(catalog: Path) -> None:
    assert run_query(catalog, "SELECT genre FROM clips WHERE false").column_names == ["genre"]


def test_given_tables_can_be_joined(catalog: Path) -> None:
    mine = pa.table({"id": [0, 2], "mood": ["calm", "wild"]})
    table = run_query(
        catalog, "SELECT genre, mood FROM clips JOIN mine ON id = clip_id ORDER BY id", tables={"mine": mine}
    )
    assert table.to_pylist() == [{"genre": "rock", "mood": "calm"}, {"genre": "jazz", "mood": "wild"}]


@pytest.mark.parametrize("seconds", [float("inf"), 1e300, float("nan"), 0.0, -1.0, 1e7])
def test_a_timeout_that_nobody_can_wait_for_is_refused(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(InvalidInput, match=r"timeout of .* a number of seconds above 0, 1000000"):
        run_query(tmp_path / "none.duckdb", "SELECT 1", timeout_seconds=seconds)


@pytest.mark.parametrize(
    "statement",
    [
        "DESCRIBE clips",
        "SUMMARIZE clips",
        "SHOW TABLES",
        "FROM clips",
        "VALUES (1), (2)",
        "WITH jazz AS (SELECT * FROM clips WHERE genre = 'jazz') SELECT count(*) FROM jazz",
        "PIVOT clips ON genre IN ('rock', 'jazz') USING count(*)",
        "SELECT clip_id, row_number() OVER (PARTITION BY genre ORDER BY clip_id) FROM clips",
        "SELECT list_transform([1, 2], lambda x: x + 1), unnest([1, 2])",
        "SELECT * FROM range(3), generate_series(1, 2)",
        "SELECT clip_id FROM clips UNION ALL SELECT clip_id FROM clips; -- done",
        "SELECT table_name FROM information_schema.tables",
        "SELECT column_name, comment FROM duckdb_columns() WHERE NOT internal",
    ],
)
def test_reading_statements_are_allowed(catalog: Path, statement: str) -> None:
    assert run_query(catalog, statement).num_columns > 0


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("COPY (SELECT 'PIVOT') TO 'x'", False),
        ("ATTACH 'pivot'", False),
        ("EXPLAIN SELECT 1", False),
        ("PIVOT clips ON genre USING count(*)", True),
        ("SELECT * FROM (PIVOT clips ON genre USING count(*))", True),
    ],
)
def test_only_a_pivot_is_told_how_to_write_one(catalog: Path, statement: str, *, told: bool) -> None:
    with pytest.raises(QueryRefused, match="only one SELECT") as refused:
        run_query(catalog, statement)
    assert ("PIVOT needs its values" in str(refused.value)) is told


OTHER_FILES = [
    "SELECT * FROM '{folder}/secret.csv'",
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM read_text('{folder}/secret.csv')",
    "SELECT * FROM read_blob('{folder}/secret.csv')",
    "SELECT * FROM sniff_csv('{folder}/secret.csv')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM read_duckdb('{folder}/catalog.duckdb', table_name := 'rows_of_clips')",
    "SELECT (SELECT content FROM read_text('{folder}/secret.csv'))",
    "SELECT * FROM query('FROM read_text(''{folder}/secret.csv'')')",
    "SELECT * FROM query_table('{folder}/secret.csv')",
    "SELECT * FROM 'https://example.org/table.csv'",
    "ATTACH '{folder}/other.duckdb'",
    "ATTACH '{folder}/catalog.duckdb' AS again",
    "ATTACH ':memory:' AS other",
    "IMPORT DATABASE '{folder}'",
]
WRITES = [
    "COPY clips TO '{folder}/out.csv'",
    "COPY clips TO '{folder}/catalog.duckdb'",
    "COPY (SELECT 1) TO '{folder}/catalog.duckdb.wal'",
    "COPY (SELECT 1) TO '{folder}/catalog.duckdb.tmp/out.csv'",
    "EXPORT DATABASE '{folder}/export'",
    "CALL enable_logging(storage = 'file', storage_path = '{folder}/logs')",
    "SELECT * FROM enable_logging(storage = 'file', storage_path = '{folder}/logs')",
    "SELECT write_log('x')",
]
CHANGES = [
    "INSERT INTO rows_of_clips VALUES (9, 'pop')",
    "UPDATE rows_of_clips SET genre = 'pop'",
    "DELETE FROM rows_of_clips",
    "WITH gone AS (DELETE FROM rows_of_clips RETURNING *) SELECT * FROM gone",
    "WITH new AS (INSERT INTO rows_of_clips VALUES (9, 'pop') RETURNING *) SELECT * FROM new",
    "DROP VIEW clips",
    "CREATE TABLE memory.main.mine AS SELECT 1",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "ALTER TABLE rows_of_clips ADD COLUMN x INTEGER",
    "COMMENT ON VIEW clips IS 'mine'",
    "VACUUM",
    "CHECKPOINT",
    "SELECT * FROM checkpoint()",
]
SETTINGS = [
    "SET memory_limit = '100GB'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "PRAGMA threads = 64",
    "PRAGMA enable_profiling",
    "SET VARIABLE x = 1",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE SECRET (TYPE s3)",
    "EXPLAIN ANALYZE INSERT INTO rows_of_clips VALUES (9, 'pop')",
    "PREPARE later AS SELECT 1",
    "BEGIN",
    "DETACH catalog",
]
PLACES = [
    "PRAGMA database_list",
    "PRAGMA database_size",
    "SELECT * FROM duckdb_databases",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM System.Main.Duckdb_Databases()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM pragma_database_list",
    "SELECT current_setting('allowed_paths')",
    "SELECT Current_Setting('allowed_paths') OVER ()",
    "SELECT json_serialize_plan('SELECT current_setting(''allowed_paths'')', optimize := true)",
    "SELECT * FROM (SUMMARIZE duckdb_databases)",
    "WITH hidden AS MATERIALIZED (SELECT 1 WHERE 'x' IN (SELECT path FROM duckdb_databases())) FROM hidden",
]
SEVERAL = ["SELECT 1; SELECT 2", "SELECT 1; DROP VIEW clips", "", "  -- nothing"]


@pytest.mark.parametrize("statement", [*OTHER_FILES, *WRITES, *CHANGES, *SETTINGS, *PLACES, *SEVERAL])
def test_everything_but_one_reading_statement_is_refused(catalog: Path, statement: str) -> None:
    before = _state(catalog.parent)
    with pytest.raises(QueryRefused) as refusal:
        run_query(catalog, statement.format(folder=str(catalog.parent).replace("'", "''")))
    assert SECRET not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert _state(catalog.parent) == before


# What DuckDB's own locks leave open: only the guard closes it.
ONLY_GUARDED = {
    *PLACES,
    *SEVERAL[:1],
    *SEVERAL[2:],
    "SELECT * FROM read_duckdb('{folder}/catalog.duckdb', table_name := 'rows_of_clips')",
    "ATTACH ':memory:' AS other",
    "COPY clips TO '{folder}/catalog.duckdb'",
    "COPY (SELECT 1) TO '{folder}/catalog.duckdb.wal'",
    "CALL enable_logging(storage = 'file', storage_path = '{folder}/logs')",
    "SELECT * FROM enable_logging(storage = 'file', storage_path = '{folder}/logs')",
    "SELECT write_log('x')",
    "CREATE TABLE memory.main.mine AS SELECT 1",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "VACUUM",
    "CHECKPOINT",
    "SELECT * FROM checkpoint()",
    "PRAGMA enable_profiling",
    "SET VARIABLE x = 1",
    "USE memory",
    "PREPARE later AS SELECT 1",
    "BEGIN",
    "DETACH catalog",
}


def _answered_here(catalog: Path, statement: str) -> None:
    """Run a statement in this process, where a test can take the guard away."""
    list(query_worker.answer(Question(catalog, statement, 10**9, {}), []))


@pytest.mark.parametrize(
    "statement", [text for text in [*OTHER_FILES, *WRITES, *CHANGES, *SETTINGS] if text not in ONLY_GUARDED]
)
def test_the_connection_refuses_most_of_it_without_the_guard(
    catalog: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_worker, "check_reads_only", lambda *_: None)
    before = _state(catalog.parent)
    with pytest.raises(QueryRefused):
        _answered_here(catalog, statement.format(folder=str(catalog.parent).replace("'", "''")))
    assert _state(catalog.parent) == before


def test_the_guard_is_needed_because_the_connection_lets_the_catalog_s_log_be_overwritten(
    catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_worker, "check_reads_only", lambda *_: None)
    log = f"{catalog}.wal".replace("'", "''")
    _answered_here(catalog, f"COPY (SELECT 'garbage' AS line) TO '{log}' (FORMAT csv)")
    assert "garbage" in Path(f"{catalog}.wal").read_text()


def test_variables_of_the_program_are_not_tables(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_worker, "hidden", pa.table({"line": [SECRET]}), raising=False)
    with pytest.raises(QueryRefused, match="hidden"):
        _answered_here(catalog, "SELECT * FROM hidden")


def test_no_system_view_shows_where_the_catalog_lies(catalog: Path) -> None:
    with duckdb.connect() as connection:
        views = connection.execute(
            "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE internal"
        ).fetchall()
    assert len(views) > 40
    shown = [str(_result_or_refusal(catalog, f"SELECT * FROM {name}")) for (name,) in views]
    assert not [text for text in shown if catalog.parent.name in text]


def _result_or_refusal(catalog: Path, statement: str) -> object:
    try:
        return run_query(catalog, statement).to_pylist()
    except QueryRefused as refusal:
        return refusal


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM range(1_000_000_000_000)",
        "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range + b.range = 1.5",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT count(*) FROM r",
        # Minutes within one value, which DuckDB cannot interrupt.
        "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))",
    ],
)
def test_a_query_that_takes_too_long_is_stopped_and_leaves_nothing_behind(
    catalog: Path, statement: str
) -> None:
    run_query(catalog, "SELECT 1")
    threads, memory = threading.active_count(), _held_bytes()
    started = time.monotonic()
    with pytest.raises(QueryRefused, match=r"longer than 0\.3 s"):
        run_query(catalog, statement, timeout_seconds=0.3)
    assert time.monotonic() - started < 5
    assert threading.active_count() <= threads
    assert _held_bytes() - memory < 50e6
    assert _running_queries() == []
    assert run_query(catalog, "SELECT 1 AS x").to_pylist() == [{"x": 1}]


def _held_bytes() -> int:
    """Resident memory in use: other tests of this process may have told malloc to keep what is freed."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return int(psutil.Process().memory_info().rss)


def _running_queries() -> list[psutil.Process]:
    """Processes of this one that answer SQL and are not merely waiting for the next question."""
    found = [child for child in psutil.Process().children() if "query_worker" in " ".join(child.cmdline())]
    before = [child.cpu_times().user for child in found]
    time.sleep(0.2)
    return [child for child, spent in zip(found, before, strict=True) if child.cpu_times().user > spent + 0.1]


ASK_FOREVER = """
import sys
from pathlib import Path
from store.catalog.query import run_query
run_query(Path(sys.argv[1]), "SELECT 1")
print("asking", flush=True)
run_query(Path(sys.argv[1]), "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_query_ends_with_the_process_that_asked(catalog: Path, number: signal.Signals) -> None:
    asking = subprocess.Popen(
        [sys.executable, "-c", ASK_FOREVER, str(catalog)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert asking.stdout is not None
    assert asking.stdout.readline() == b"asking\n"
    (answering,) = psutil.Process(asking.pid).children()
    asking.send_signal(number)
    asking.communicate(timeout=10)
    answering.wait(timeout=10)


def test_a_process_that_was_killed_while_it_waited_is_replaced(catalog: Path) -> None:
    run_query(catalog, "SELECT 1")
    for child in psutil.Process().children():
        if "query_worker" in " ".join(child.cmdline()):
            child.kill()
    assert run_query(catalog, "SELECT 1 AS x").to_pylist() == [{"x": 1}]


def test_a_process_that_dies_of_a_query_is_told(catalog: Path) -> None:
    def kill() -> None:
        time.sleep(1)
        for child in psutil.Process().children():
            if "query_worker" in " ".join(child.cmdline()):
                child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(QueryRefused, match="ended from outside or needed more"):
        run_query(catalog, "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))")
    killer.join()


def test_memory_that_duckdb_does_not_count_is_limited_too(catalog: Path) -> None:
    greedy = "SELECT length(string_agg(repeat('x', 1000000), '')) FROM range(100000)"
    with pytest.raises(QueryRefused, match=r"Out of Memory|needed more than|too long"):
        run_query(catalog, greedy, memory_bytes=100_000_000)


def test_a_query_with_bytes_that_are_no_utf8_is_refused_in_a_sentence(catalog: Path) -> None:
    latin = os.fsdecode(b"SELECT 'caf\xe9'")
    with pytest.raises(QueryRefused, match=r"no UTF-8, after .*caf.*iconv"):
        run_query(catalog, latin)


def test_a_query_of_an_ascii_locale_is_read_as_utf8(catalog: Path) -> None:
    escaped = "SELECT 'café' AS x".encode().decode("ascii", "surrogateescape")
    assert run_query(catalog, escaped).to_pylist() == [{"x": "café"}]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT list(range) FROM range(100_000_000)",
        "SELECT range, random() FROM range(100_000_000) ORDER BY 2",
    ],
)
def test_a_query_that_wants_too_much_memory_is_refused(catalog: Path, statement: str) -> None:
    with pytest.raises(QueryRefused, match="Out of Memory"):
        run_query(catalog, statement, memory_bytes=100_000_000)


def test_a_result_that_does_not_fit_is_refused_while_it_streams(catalog: Path) -> None:
    with pytest.raises(QueryRefused, match=r"larger than 0\.1 GB; add LIMIT"):
        run_query(catalog, "SELECT * FROM range(100_000_000_000)", memory_bytes=100_000_000)


def test_an_unknown_table_is_answered_with_the_tables_there_are(catalog: Path) -> None:
    with pytest.raises(QueryRefused) as refusal:
        run_query(catalog, "SELECT * FROM clip", tables={"mine": pa.table({"x": [1]})})
    assert "Table with name clip does not exist" in str(refusal.value)
    assert "tables: clips, mine" in str(refusal.value)


def test_an_unknown_column_is_answered_with_a_near_one(catalog: Path) -> None:
    with pytest.raises(QueryRefused, match=r'"genr" not found.*"genre"'):
        run_query(catalog, "SELECT genr FROM clips")


def test_a_mistake_of_syntax_is_named(catalog: Path) -> None:
    with pytest.raises(QueryRefused, match='at or near "SELEC"'):
        run_query(catalog, "SELEC genre FROM clips")


@pytest.mark.parametrize("name", ["two words", "1st", "clips", "CLIPS", "duckdb_databases", "a;b", ""])
def test_a_given_table_needs_a_free_and_simple_name(catalog: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="table"):
        run_query(catalog, "SELECT 1", tables={name: pa.table({"x": [1]})})


def test_a_swapped_file_is_seen_while_an_old_reader_is_open(catalog: Path) -> None:
    reader = locked_connection(catalog, 10**9)
    _write_catalog(catalog.with_name("new"), ["pop"])
    catalog.with_name("new").replace(catalog)
    assert run_query(catalog, "SELECT genre FROM clips").to_pydict() == {"genre": ["pop"]}
    assert reader.execute("SELECT count(*) FROM clips").fetchall() == [(3,)]
    reader.close()


def test_queries_of_several_threads_do_not_meet(catalog: Path) -> None:
    answers: dict[int, object] = {}

    def ask(number: int) -> None:
        mine = pa.table({"number": [number]})
        answers[number] = run_query(catalog, "SELECT number FROM mine", tables={"mine": mine}).to_pydict()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: {"number": [number]} for number in range(8)}


def test_views_are_described_with_their_comments(catalog: Path) -> None:
    (view,) = describe_views(catalog)
    assert (view.name, view.comment) == ("clips", "one row per clip")
    assert [(column.name, column.type, column.comment) for column in view.columns] == [
        ("clip_id", "INTEGER", ""),
        ("genre", "VARCHAR", "what it sounds like"),
    ]
