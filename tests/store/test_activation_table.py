"""Vectors of one layer in SQL, compared with numpy on the same numbers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from store.catalog.activation_table import (
    ActivationTable,
    LayerScan,
    activation_table,
    parse_activation_table,
)
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.catalog.vector_serving import BLOCK_ROWS
from store.errors import CorruptData, InvalidInput, NotFound, QueryRefused
from store.opening import Store, open_store
from store.records import ArraySpec, ClipStatus, Failure, PlannedClip

CLIPS, LAYERS, FRAMES, WIDTH = 40, (2, 12), 3, 24
FAILED = 5


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """(clip, layer, feature); the fifth clip has none."""
    values = np.random.default_rng(0).normal(size=(CLIPS, len(LAYERS), WIDTH)).astype(np.float32)
    values[FAILED] = np.nan
    return values


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, vectors: np.ndarray) -> Store:
    store = open_store(tmp_path_factory.mktemp("activations"), create=True)
    layers = {"layers": list(LAYERS)}
    arrays = [
        ArraySpec("resid.mean", ("layer", "feature"), (len(LAYERS), WIDTH), "float32", layers),
        ArraySpec(
            "attn.frames", ("layer", "time", "feature"), (len(LAYERS), FRAMES, WIDTH), "float16", layers
        ),
    ]
    clips = [PlannedClip(f"clip{number:02d}", f"{number}.wav", 0.0, 4.0) for number in range(CLIPS)]
    run = store.create_run("3f2a77", document={}, arrays=arrays, clips=clips, unit_clips=16)
    scaled = np.arange(1, FRAMES + 1, dtype=np.float16)
    for unit in run.units():
        rows = slice(unit.first_row, unit.first_row + len(unit.clips))
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, vectors[rows])
            pending.add("attn.frames", 0, vectors[rows, :, None].astype(np.float16) * scaled[:, None])
            pending.commit([_status(clip.clip_id) for clip in unit.clips], {})
    run.note_complete()
    return store


def _status(clip: str) -> ClipStatus:
    if clip == f"clip{FAILED:02d}":
        return ClipStatus(clip, "failed", Failure(clip, "decode", "AudioError", "truncated"))
    return ClipStatus(clip, "ok")


def test_the_nearest_clips_to_a_clip_at_a_layer_are_one_statement(store: Store, vectors: np.ndarray) -> None:
    x = activation_table(store, parse_activation_table("3f2a:resid.mean:12=x"))
    answer = run_query(
        refresh_catalog(store),
        "SELECT b.clip_id, array_cosine_similarity(a.vector, b.vector) AS similarity "
        "FROM x a, x b WHERE a.clip_id = 'clip07' AND b.clip_id <> 'clip07' ORDER BY similarity DESC LIMIT 5",
        tables={"x": x},
    )
    layer = vectors[:, LAYERS.index(12)].astype(np.float64)
    similarity = layer @ layer[7] / np.linalg.norm(layer, axis=1) / np.linalg.norm(layer[7])
    nearest = [n for n in np.argsort(-np.nan_to_num(similarity, nan=-2)) if n != 7][:5]
    assert answer["clip_id"].to_pylist() == [f"clip{number:02d}" for number in nearest]
    np.testing.assert_allclose(answer["similarity"].to_numpy(), similarity[nearest], atol=1e-6)


def test_the_table_holds_the_layer_asked_for_without_failed_clips(store: Store, vectors: np.ndarray) -> None:
    x = activation_table(store, ActivationTable("3f2a77", "resid.mean", 2, "x"))
    table = run_query(refresh_catalog(store), "FROM x ORDER BY clip_id", tables={"x": x})
    kept = [number for number in range(CLIPS) if number != FAILED]
    assert table["clip_id"].to_pylist() == [f"clip{number:02d}" for number in kept]
    found = np.array(table["vector"].to_pylist(), np.float32)
    np.testing.assert_array_equal(found, vectors[kept, 0])


def test_sql_sees_vectors_of_a_fixed_length(store: Store) -> None:
    x = activation_table(store, parse_activation_table("3f2a:resid.mean:2=x"))
    described = run_query(refresh_catalog(store), "DESCRIBE x", tables={"x": x})
    assert described["column_type"].to_pylist() == ["VARCHAR", f"FLOAT[{WIDTH}]"]


def test_a_run_is_named_by_a_part_of_its_id(store: Store) -> None:
    assert parse_activation_table("3f:resid.mean:12=x") == ActivationTable("3f", "resid.mean", 12, "x")
    with pytest.raises(NotFound, match="9999"):
        activation_table(store, ActivationTable("9999", "resid.mean", 12, "x"))


@pytest.mark.parametrize(
    "text",
    ["", "x", "3f:resid.mean:12", "3f:resid.mean=x", "3f:resid.mean:12=", "3f::12=x", "3f:resid.mean:12=a b",
     "3f:resid.mean:-1=x", "3f:resid.mean:last=x", "3f:resid.mean:1:2=x"],
)  # fmt: skip
def test_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"RUN:SITE\.REDUCTION:LAYER=NAME"):
        parse_activation_table(text)


def test_an_array_that_is_not_there_is_answered_with_those_that_are(store: Store) -> None:
    with pytest.raises(NotFound, match=r"mlp\.mean.*attn\.frames, resid\.mean"):
        activation_table(store, ActivationTable("3f", "mlp.mean", 12, "x"))


def test_a_layer_that_is_not_there_is_answered_with_those_that_are(store: Store) -> None:
    with pytest.raises(NotFound, match=r"Layer 3 .*2, 12"):
        activation_table(store, ActivationTable("3f", "resid.mean", 3, "x"))


def test_every_frame_of_a_clip_is_a_vector_with_its_number(store: Store, vectors: np.ndarray) -> None:
    x = activation_table(store, ActivationTable("3f", "attn.frames", 12, "x"))
    query = "SELECT clip_id, frame, vector FROM x ORDER BY clip_id, frame"
    table = run_query(refresh_catalog(store), query, tables={"x": x})
    kept = [number for number in range(CLIPS) if number != FAILED]
    assert list(zip(table["clip_id"].to_pylist(), table["frame"].to_pylist(), strict=True)) == [
        (f"clip{number:02d}", frame) for number in kept for frame in range(FRAMES)
    ]
    scaled = np.arange(1, FRAMES + 1, dtype=np.float16)
    frames = (vectors[kept, 1].astype(np.float16)[:, None] * scaled[:, None]).astype(np.float32)
    np.testing.assert_array_equal(
        np.array(table["vector"].to_pylist(), np.float32).reshape(len(kept), FRAMES, WIDTH), frames
    )


@dataclass(eq=False)
class Watched:
    """A scan that keeps the numbers it is asked for."""

    scan: LayerScan
    asked: list[int] = field(default_factory=list)
    most: int = 0

    def __len__(self) -> int:
        return len(self.scan)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scan, name)

    def read_into(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self.asked += numbers.tolist()
        self.most = max(self.most, len(numbers))
        self.scan.read_into(numbers, vectors)


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("SELECT count(*) FROM x", []),
        ("SELECT max(clip_id) FROM x WHERE clip_id LIKE 'clip1%'", []),
        ("SELECT vector[1] FROM x WHERE clip_id = 'clip07'", [6]),
        ("SELECT vector[1] FROM x WHERE clip_id IN ('clip07', 'clip31') ORDER BY 1", [6, 30]),
    ],
)
def test_only_the_vectors_that_a_query_needs_are_read(store: Store, query: str, read: list[int]) -> None:
    watched = Watched(activation_table(store, ActivationTable("3f", "resid.mean", 12, "x")))
    run_query(refresh_catalog(store), query, tables={"x": watched})
    assert sorted(set(watched.asked) & set(read)) == read
    assert len(watched.asked) <= 2 * len(read)  # what follows a run is read ahead


@dataclass(eq=False)
class Drawn:
    """Vectors that nobody keeps: number n is n everywhere."""

    count: int
    width: int = 512
    points: int = 1
    point: str = ""
    most: int = 0

    def __len__(self) -> int:
        return self.count

    def keys(self) -> pa.Table:
        numbers = pa.array(np.arange(self.count))
        return pa.table({"clip_id": numbers.cast(pa.string()), "row": numbers})

    def read_into(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self.most = max(self.most, len(numbers))
        vectors[...] = numbers[:, None]


def test_memory_does_not_grow_with_the_rows_of_a_table(store: Store) -> None:
    """0.4 GB of vectors pass through DuckDB, which may have 0.1 GB; blocks stay as large as they were."""
    catalog = refresh_catalog(store)
    query = "SELECT clip_id FROM x ORDER BY array_distance(vector, $q::FLOAT[512]), clip_id LIMIT 2"
    for count in (20_000, 200_000):
        drawn = Drawn(count)
        found = run_query(
            catalog, query, tables={"x": drawn}, parameters={"q": [777.0] * 512}, memory_bytes=100_000_000
        )
        assert found["clip_id"].to_pylist() == ["777", "776"]
        assert drawn.most <= BLOCK_ROWS


@pytest.mark.parametrize(
    "query",
    [
        "SELECT row, vector FROM x JOIN y USING (clip_id)",
        "SELECT row, a.vector FROM x a JOIN x b USING (clip_id) JOIN y USING (clip_id)",
        "SELECT unnest(list(row)) AS row, unnest(list(vector)) AS vector FROM x JOIN y USING (clip_id)",
        "SELECT row, vector FROM (SELECT *, lag(vector) OVER () FROM x) JOIN y USING (clip_id) ORDER BY row",
    ],
)
def test_vectors_that_a_query_keeps_are_not_written_over(store: Store, query: str) -> None:
    """DuckDB looks at the memory of a block itself, and more blocks come than there is memory for."""
    drawn = Drawn(20 * BLOCK_ROWS + 5, width=2)
    found = run_query(refresh_catalog(store), query, tables={"x": drawn, "y": drawn.keys()})
    rows = np.asarray(found["row"].combine_chunks())
    vectors = np.asarray(pa.concat_arrays(found["vector"].chunks).flatten()).reshape(-1, 2)
    assert len(np.unique(rows)) == len(drawn)
    np.testing.assert_array_equal(vectors[:, 0], rows)
    np.testing.assert_array_equal(vectors[:, 1], rows)


def test_a_vector_that_cannot_be_read_is_told_of_as_what_it_is(store: Store) -> None:
    class Damaged(Drawn):
        def read_into(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
            raise CorruptData("runs/songs/x is damaged: run `undertone verify`.")

    catalog = refresh_catalog(store)
    with pytest.raises(CorruptData, match=r"^runs/songs/x is damaged: run `undertone verify`\.$"):
        run_query(catalog, "SELECT sum(vector[1]) FROM x", tables={"x": Damaged(10)})
    answer = run_query(catalog, "SELECT sum(vector[1]) AS all FROM x", tables={"x": Drawn(10)})
    assert answer["all"].to_pylist() == [45.0]  # the next question hears nothing of it


def test_a_user_who_asks_for_numbers_that_are_not_there_is_refused(store: Store) -> None:
    catalog = refresh_catalog(store)
    with pytest.raises(QueryRefused, match="numbers that it does not have"):
        run_query(catalog, "SELECT _vectors_of_x(10::BIGINT)[1] FROM x", tables={"x": Drawn(10)})
