"""Vectors of one layer in SQL, compared with numpy on the same numbers."""

import numpy as np
import pytest

from store.catalog.activation_table import ActivationTable, activation_table, parse_activation_table
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, NotFound
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
    for unit in run.units():
        rows = slice(unit.first_row, unit.first_row + len(unit.clips))
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, vectors[rows])
            pending.add(
                "attn.frames", 0, np.repeat(vectors[rows, :, None], FRAMES, axis=2).astype(np.float16)
            )
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
    table = activation_table(store, ActivationTable("3f2a77", "resid.mean", 2, "x"))
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


def test_frames_are_refused_with_what_to_do_instead(store: Store) -> None:
    with pytest.raises(InvalidInput, match=r"more than one vector.*use resid\.mean, or read it in Python"):
        activation_table(store, ActivationTable("3f", "attn.frames", 12, "x"))
