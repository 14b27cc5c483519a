"""`undertone similar` beside numpy on the same store, exactly and by an index that is kept."""

import json

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import undertone as ut
from jobs.cli.main import undertone
from jobs.similar.indexes import _specification
from jobs.similar.options import SimilarOptions
from jobs.similar.running import find_similar
from store.errors import InvalidInput, NotFound
from store.opening import Store


@pytest.fixture
def layer(planted_store: Store) -> tuple[NDArray[np.float64], list[str]]:
    values, ids = planted_store.run("toy").read_layer("resid.mean", 2)
    return values.astype(np.float64), ids


def by_cosine(values: NDArray[np.float64], place: int) -> tuple[list[int], NDArray[np.float64]]:
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    distances = 1 - unit @ unit[place]
    order = [one for one in np.argsort(distances, kind="stable").tolist() if one != place]
    return order, distances


def test_the_nearest_clips_are_numpys_in_python_and_on_the_command_line(
    planted_store: Store, layer: tuple[NDArray[np.float64], list[str]]
) -> None:
    values, ids = layer
    order, distances = by_cosine(values, 3)
    found = ut.similar(ut.open_store(planted_store.url).run("toy"), ids[3], layer=2, count=6)
    assert found["clip_id"] == [ids[one] for one in order[:6]]
    np.testing.assert_allclose(found["distance"], distances[order[:6]], atol=1e-6)
    assert found["uri"] == [f"{int(ids[one].removeprefix('clip'))}.wav" for one in order[:6]]
    said = CliRunner().invoke(
        undertone,
        ["similar", planted_store.url, "toy", ids[3], "--layer", "2", "--count", "6", "--format", "json"],
    )
    assert said.exit_code == 0, said.output
    assert [row["clip_id"] for row in json.loads(said.stdout)] == found["clip_id"]


def test_a_vector_of_ones_own_is_compared_too(
    planted_store: Store, layer: tuple[NDArray[np.float64], list[str]]
) -> None:
    values, ids = layer
    run = ut.open_store(planted_store.url).run("toy")
    found = ut.similar(run, values[5] * 2, layer=2, count=1)
    assert found["clip_id"] == [ids[5]]
    assert found["distance"][0] == pytest.approx(0, abs=1e-6)


def test_an_index_is_made_once_kept_and_says_its_recall(
    planted_store: Store, layer: tuple[NDArray[np.float64], list[str]]
) -> None:
    _, ids = layer
    options = SimilarOptions(planted_store.url, "toy", 2, ids[3], indexed=True, cells=6, nprobe=6)
    first, again = find_similar(options), find_similar(options)
    assert first.index is not None
    assert again.index is not None
    assert (first.index.made_now, again.index.made_now) == (True, False)
    assert first.index.recall == again.index.recall == 1  # all cells: nothing can be missed
    exact = find_similar(SimilarOptions(planted_store.url, "toy", 2, ids[3]))
    assert first.table == again.table == exact.table
    shown = ut.open_store(planted_store.url).sql(
        "SELECT sum(len(members)) AS clips, any_value(recall) AS recall FROM neighbour_cells"
    )
    assert shown.rows() == [{"clips": len(ids), "recall": 1.0}]


def test_without_a_clip_an_index_is_made_and_nothing_else(planted_store: Store) -> None:
    said = CliRunner().invoke(undertone, ["similar", planted_store.url, "toy", "--layer", "2", "--indexed"])
    assert said.exit_code == 0, said.output
    assert said.stdout == ""
    assert "index of 11 cells over 120 clips, made and kept" in said.stderr
    refused = CliRunner().invoke(undertone, ["similar", planted_store.url, "toy", "--layer", "2"])
    assert refused.exit_code == 2
    assert "Missing argument 'CLIP'" in refused.stderr


def test_what_cannot_be_compared_is_refused_with_a_reason(planted_store: Store) -> None:
    with pytest.raises(NotFound, match=r"Clip 'nobody' has no vector in resid\.mean"):
        find_similar(SimilarOptions(planted_store.url, "toy", 2, "nobody"))
    with pytest.raises(
        InvalidInput, match=r"5 vectors per clip; take an array with one, such as resid\.mean"
    ):
        find_similar(SimilarOptions(planted_store.url, "toy", 2, "clip0000", array="resid.frames"))
    with pytest.raises(InvalidInput, match="give 24 finite numbers"):
        find_similar(SimilarOptions(planted_store.url, "toy", 2), np.zeros(3))


def test_a_layer_is_a_table_of_sql_in_python_too(
    planted_store: Store, layer: tuple[NDArray[np.float64], list[str]]
) -> None:
    values, ids = layer
    store = ut.open_store(planted_store.url)
    found = store.sql(
        "SELECT clip_id, vector[1] AS first FROM x WHERE clip_id = $clip",
        tables={"x": store.run("toy").vectors("resid.mean", 2)},
        clip=ids[4],
    )
    assert found.rows() == [{"clip_id": ids[4], "first": pytest.approx(values[4, 0])}]


def test_sql_tells_near_copies_apart_when_vectors_are_cast_to_double(planted_store: Store) -> None:
    random = np.random.default_rng(0)
    copies = (random.standard_normal(24) + 1e-4 * random.standard_normal((300, 24))).astype(np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(copies.ravel()), 24)
    found = ut.open_store(planted_store.url).sql(
        "SELECT b.n, list_cosine_distance(a.vector::DOUBLE[], b.vector::DOUBLE[]) AS distance "
        "FROM x a, x b WHERE a.n = 7 AND a.n != b.n ORDER BY distance LIMIT 50",
        tables={"x": pa.table({"n": np.arange(300), "vector": vectors})},
    )
    order, _ = by_cosine(copies.astype(np.float64), 7)
    assert found["n"] == order[:50]


def test_ids_of_indexes_are_made_of_the_words_that_stores_know(planted_store: Store) -> None:
    """Another word, as that of an option, would make every kept index anew."""
    scan = ut.open_store(planted_store.url).run("toy").vectors("resid.mean", 2)
    words = "run array layer committed metric cells probes seed version"
    assert set(_specification(scan, "cosine", 6, 3)) == set(words.split())
