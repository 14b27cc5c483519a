"""`undertone vectors`: files that other tools read and that come back unchanged, and the overlap."""

import json
import re
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file, save_file

from jobs.cli.main import undertone
from jobs.directions.fitting import run_directions
from jobs.directions.options import DirectionOptions
from jobs.directions.stored import SCHEMA, read_vectors
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput
from store.objects.ledger import commit, never
from store.objects.parquet import parquet_bytes
from store.opening import Store, open_store
from tests.store_copies import linked_copy


@pytest.fixture
def fitted_store(fitted_original: Path, tmp_path: Path) -> Store:
    """Three styles and two moods at three layers of one site, by two methods."""
    return linked_copy(fitted_original, tmp_path / "planted.store")


@pytest.fixture(scope="module")
def fitted_original(planted_original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `fitted_store` is a copy of; nothing may be written to it."""
    folder = Path(shutil.copytree(planted_original, tmp_path_factory.mktemp("fitted") / "fitted.store"))
    labels = "SELECT clip_id, style, mood FROM clips"
    run_directions(
        DirectionOptions(
            str(folder), "toy", labels, methods="diffmean,random", sites="resid", engine="inline"
        )
    )
    return folder


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(undertone, ["vectors", *map(str, arguments)])
    assert result.exit_code == code, f"{result.output}\n{result.exception}"
    return result


@pytest.mark.parametrize("form", ["safetensors", "npy"])
def test_what_was_exported_comes_back_as_it_was(fitted_store: Store, tmp_path: Path, form: str) -> None:
    where = "concept = 'style' AND method = 'diffmean' AND positive <> 'rock'"
    before = read_vectors(fitted_store, where)
    run("export", fitted_store.url, tmp_path / "out", "--as", form, "--where", where)
    other = open_store(tmp_path / "other.store", create=True)
    files = sorted((tmp_path / "out").glob(f"*.{form}"))
    assert len(files) == 2
    for file in [*files, files[0]]:
        run("import", other.url, file)
    for one, two in zip(before, read_vectors(other), strict=True):
        mine, theirs = asdict(one), asdict(two)
        np.testing.assert_array_equal(mine.pop("vector"), theirs.pop("vector"))
        assert mine == theirs


def test_a_file_needs_nothing_of_ours_to_be_read(fitted_store: Store, tmp_path: Path) -> None:
    where = "concept = 'style' AND positive = 'jazz' AND method = 'diffmean'"
    run("export", fitted_store.url, tmp_path, "--where", where)
    run("export", fitted_store.url, tmp_path, "--where", where, "--as", "npy")
    by_layer = {vector.layer: vector.vector for vector in read_vectors(fitted_store, where)}
    (file,) = tmp_path.glob("style.jazz.*.safetensors")
    tensors = load_file(file)
    assert tensors.keys() == {f"direction.{layer}" for layer in by_layer}
    for layer, vector in by_layer.items():
        np.testing.assert_array_equal(tensors[f"direction.{layer}"], vector)
    (array,) = tmp_path.glob("style.jazz.*.npy")
    document = json.loads(array.with_suffix(".json").read_text())
    assert document["layers"] == list(by_layer)
    np.testing.assert_array_equal(np.load(array, allow_pickle=False), np.stack(list(by_layer.values())))
    assert {row["model_fingerprint"] for row in document["vectors"]} == {"f00d"}


def test_a_direction_of_another_tool_is_told_where_it_belongs(fitted_store: Store, tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32)
    save_file(
        {"layers.1.weight": values[np.newaxis], "layers.2.weight": -values}, tmp_path / "happy.safetensors"
    )
    given = ("--run", "toy", "--concept", "valence", "--positive", "happy", "--site", "attn")
    run("import", fitted_store.url, tmp_path / "happy.safetensors", *given)
    one, two = read_vectors(fitted_store, "concept = 'valence'")
    assert (one.layer, one.site, one.method, one.model_fingerprint) == (1, "attn", "imported", "f00d")
    assert one.norm == pytest.approx(np.linalg.norm(values))
    np.testing.assert_allclose(one.vector, values / np.linalg.norm(values), rtol=1e-6)
    np.testing.assert_array_equal(two.vector, -one.vector)
    assert (one.score, one.mean_positive) == (None, None)


def test_files_that_cannot_be_directions_are_refused(fitted_store: Store, tmp_path: Path) -> None:
    given = ("--run", "toy", "--positive", "x")

    def refusal(name: str, *options: str) -> str:
        result = CliRunner().invoke(
            undertone, ["vectors", "import", fitted_store.url, str(tmp_path / name), *options]
        )
        assert result.exit_code == 1
        return str(result.exception)

    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 no header at all")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "wide.npy", np.ones((1, 25), np.float32))
    np.save(tmp_path / "deep.npy", np.ones((9, 24), np.float32))
    np.save(tmp_path / "zero.npy", np.zeros((1, 24), np.float32))
    save_file({"happy": np.ones(24, np.float32)}, tmp_path / "nowhere.safetensors")
    np.save(tmp_path / "fine.npy", np.ones((1, 24), np.float32))
    assert "cannot be read as directions" in refusal("broken.safetensors", *given)
    assert "cannot be read as directions" in refusal("objects.npy", *given)
    assert "25 entries" in refusal("wide.npy", *given)
    assert "layer 3" in refusal("deep.npy", *given)
    assert "length 0" in refusal("zero.npy", *given)
    assert "no layer number" in refusal("nowhere.safetensors", *given)
    assert "say --run and --positive" in refusal("fine.npy")
    assert "no file" in refusal("missing.npy", *given)
    assert "neither .safetensors nor .npy" in refusal("planted.store/undertone.json", *given)
    assert read_vectors(fitted_store, "method = 'imported'") == []


def test_a_file_that_was_changed_is_not_taken_for_what_it_says(fitted_store: Store, tmp_path: Path) -> None:
    run(
        "export",
        fitted_store.url,
        tmp_path,
        "--as",
        "npy",
        "--where",
        "positive = 'jazz' AND method = 'diffmean'",
    )
    (file,) = tmp_path.glob("*.npy")
    np.save(file, 2 * np.load(file))
    other = open_store(tmp_path / "other.store", create=True)
    result = CliRunner().invoke(undertone, ["vectors", "import", other.url, str(file)])
    assert "length 1" in str(result.exception)


@pytest.mark.parametrize("form", ["safetensors", "npy"])
def test_long_names_of_classes_make_files_that_can_be_written_and_read(
    planted_store: Store, tmp_path: Path, form: str
) -> None:
    long = "é" * 300
    labels = f"SELECT clip_id, CASE WHEN style = 'jazz' THEN '{long}' ELSE 'other' END AS style FROM clips"
    run_directions(
        DirectionOptions(planted_store.url, "toy", labels, methods="diffmean", layers="0", engine="inline")
    )
    run("export", planted_store.url, tmp_path / "out", "--as", form)
    other = open_store(tmp_path / "other.store", create=True)
    for file in (tmp_path / "out").glob(f"*.{form}"):
        run("import", other.url, file)
    assert {vector.positive for vector in read_vectors(other)} == {long, "other"}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("created_at", "yesterday", "created_at 'yesterday', which is no date"),
        ("model_fingerprint", 7, "model_fingerprint 7, which is no string"),
        ("layer", "deep", "layer 'deep', which is no int64"),
        ("width", None, "lacks width"),
        ("score", [0.5], r"score \[0.5\], which is no double"),
    ],
)
def test_a_description_with_a_wrong_value_is_refused_by_its_name(
    fitted_store: Store, tmp_path: Path, column: str, value: object, message: str
) -> None:
    run("export", fitted_store.url, tmp_path, "--as", "npy", "--where", "positive = 'jazz' AND layer = 1")
    file = next(tmp_path.glob("*.npy"))
    document = json.loads(file.with_suffix(".json").read_text())
    document["vectors"][0][column] = value
    file.with_suffix(".json").write_text(json.dumps(document))
    result = CliRunner().invoke(undertone, ["vectors", "import", fitted_store.url, str(file)])
    assert isinstance(result.exception, InvalidInput)
    assert re.search(message, str(result.exception))


def test_what_older_files_do_not_know_is_null(fitted_store: Store, tmp_path: Path) -> None:
    where = "positive = 'jazz' AND layer = 1 AND method = 'diffmean'"
    run("export", fitted_store.url, tmp_path, "--as", "npy", "--where", where)
    (file,) = tmp_path.glob("*.npy")
    document = json.loads(file.with_suffix(".json").read_text())
    assert isinstance(document["vectors"][0].pop("within_random"), bool)
    file.with_suffix(".json").write_text(json.dumps(document))
    other = open_store(tmp_path / "other.store", create=True)
    run("import", other.url, file)
    assert [vector.within_random for vector in read_vectors(other)] == [None]


@pytest.mark.parametrize(
    ("name", "layer"),
    [("direction.2", 2), ("layers-2.weight", 2), ("block_1-2", 2), ("layer.-1", None), ("-2", None)],
)
def test_a_dash_before_a_layer_is_a_sign_only_where_no_name_ends(
    fitted_store: Store, tmp_path: Path, name: str, layer: int | None
) -> None:
    save_file({name: np.ones(24, np.float32)}, tmp_path / "happy.safetensors")
    given = ("--run", "toy", "--concept", "valence", "--positive", "happy")
    arguments = ["vectors", "import", fitted_store.url, str(tmp_path / "happy.safetensors"), *given]
    result = CliRunner().invoke(undertone, arguments)
    if layer is None:
        assert "layers count from 0" in str(result.exception)
        assert read_vectors(fitted_store, "concept = 'valence'") == []
    else:
        assert [one.layer for one in read_vectors(fitted_store, "concept = 'valence'")] == [layer]


def test_overlap_is_measured_within_a_place_and_a_method(fitted_store: Store) -> None:
    listed = json.loads(run("superposition", fitted_store.url, "--format", "json").output)
    at = [row for row in listed if row["layer"] == 2 and row["method"] == "diffmean"]
    vectors = read_vectors(fitted_store, "layer = 2 AND method = 'diffmean' AND positive <> 'wild'")
    assert {row["vector_id"] for row in at} == {vector.vector_id for vector in vectors}, (
        "wild is calm, turned"
    )
    gram = np.abs(np.stack([v.vector for v in vectors]) @ np.stack([v.vector for v in vectors]).T)
    off_diagonal = gram[~np.eye(len(vectors), dtype=bool)]
    assert at[0]["mean_cosine"] == pytest.approx(off_diagonal.mean(), abs=1e-5)
    assert at[0]["largest_cosine"] == pytest.approx(off_diagonal.max(), abs=1e-5)
    assert at[0]["random_cosine"] == pytest.approx(np.sqrt(2 / (np.pi * 24)))
    left = {row["positive"]: row["norm_left"] for row in at}
    assert left["jazz"] == pytest.approx(0, abs=1e-3), "one style against the rest follows from the others"
    assert left["calm"] > 0.5
    query = "SELECT mean_cosine, largest_cosine, participation_ratio FROM superposition WHERE layer = 2"
    arguments = ["sql", fitted_store.url, f"{query} AND method = 'diffmean'", "--format", "json"]
    (in_sql,) = json.loads(CliRunner().invoke(undertone, arguments).stdout)
    assert in_sql == pytest.approx({name: at[0][name] for name in in_sql}, abs=1e-5)


def test_refits_are_one_direction_in_the_overlap_and_told_apart_in_the_list(planted_store: Store) -> None:
    """The same contrast on fewer clips and with other folds: not another direction, but a newer one."""
    half = "SELECT clip_id, style FROM clips WHERE clip_id < 'clip0060'"
    common = {"methods": "diffmean", "sites": "resid", "layers": "2", "engine": "inline"}
    for labels, folds in (("SELECT clip_id, style FROM clips", 5), (half, 5), (half, 4)):
        run_directions(DirectionOptions(planted_store.url, "toy", labels, folds=folds, **common))  # type: ignore[arg-type]
    listed = json.loads(run("list", planted_store.url, "--format", "json").output)
    assert len({(row["clips"], row["folds"], row["created_at"]) for row in listed}) == 3
    assert {row["run_id"] for row in listed} == {"toy"}
    newest = {row["vector_id"] for row in listed if row["folds"] == 4}
    overlap = json.loads(run("superposition", planted_store.url, "--format", "json").output)
    assert {row["vector_id"] for row in overlap} == newest
    assert max(abs(row["cosine"]) for row in overlap) < 0.9
    older = json.loads(
        run("superposition", planted_store.url, "--where", "folds = 5", "--format", "json").output
    )
    assert {row["vector_id"] for row in older} == {
        row["vector_id"] for row in listed if (row["folds"], row["clips"]) == (5, 60)
    }
    catalog = refresh_catalog(planted_store)
    in_sql = run_query(catalog, "SELECT DISTINCT vector_id FROM cosines")["vector_id"].to_pylist()
    assert set(in_sql) == newest
    assert run_query(catalog, "SELECT directions FROM superposition")["directions"].to_pylist() == [3]


def test_the_whole_report_can_be_asked_in_sql_as_a_table(fitted_store: Store, tmp_path: Path) -> None:
    file = tmp_path / "overlap.parquet"
    file.write_bytes(run("superposition", fitted_store.url, "--format", "parquet").stdout_bytes)
    query = """
        SELECT o.effective_rank, o.norm_left, o.participation_ratio, s.participation_ratio AS of_view
        FROM overlap o JOIN superposition s USING (run_id, site, reduction, layer, method)
    """
    arguments = ["sql", fitted_store.url, "--table", f"overlap={file}", query, "--format", "json"]
    rows = json.loads(CliRunner().invoke(undertone, arguments).stdout)
    assert len(rows) == len(json.loads(run("superposition", fitted_store.url, "--format", "json").stdout))
    for row in rows:
        assert 1 <= row["effective_rank"] <= 5
        assert 0 <= row["norm_left"] <= 1
        assert row["of_view"] == pytest.approx(row["participation_ratio"], rel=1e-4)


def test_pairs_and_classes_against_the_rest_are_not_counted_together(fitted_store: Store) -> None:
    options = DirectionOptions(
        fitted_store.url, "toy", "SELECT clip_id, style FROM clips", methods="diffmean", sites="resid",
        pairs=("rock:jazz", "jazz:polka"), layers="2", engine="inline",
    )  # fmt: skip
    where = "layer = 2 AND method = 'diffmean'"
    query = f"SELECT pairs, directions FROM superposition WHERE {where} ORDER BY pairs"
    alone = run_query(refresh_catalog(fitted_store), query).to_pylist()
    run_directions(options)
    both = run_query(refresh_catalog(fitted_store), query).to_pylist()
    assert both == [*alone, {"pairs": True, "directions": 2}]
    listed = json.loads(run("superposition", fitted_store.url, "--where", where, "--format", "json").output)
    assert {(row["negative"] is not None, row["directions"]) for row in listed} == {
        (row["pairs"], row["directions"]) for row in both
    }


def test_classes_that_are_equally_far_apart_overlap_as_their_baseline_says(tmp_path: Path) -> None:
    """Corners of a simplex of 4 classes in 12 dimensions, and a concept of 2 classes at right angles."""
    store = open_store(tmp_path / "s", create=True)
    corners = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 12)))[0]
    means = {name: corners[number] for number, name in enumerate("abcd")}
    against_rest = {
        (name, None): mean - np.mean([other for key, other in means.items() if key != name], axis=0)
        for name, mean in means.items()
    }
    pairs = {(one, other): means[one] - means[other] for one, other in ("ab", "bc", "cd")}
    mood = corners[8] - corners[9]
    directions = [("style", *names, vector) for names, vector in (against_rest | pairs).items()]
    directions += [("mood", "calm", None, mood), ("mood", "wild", None, -mood)]
    rows = {
        "vector_id": [str(number) for number in range(len(directions))],
        "concept": [concept for concept, *_ in directions],
        "positive": [positive for _, positive, _, _ in directions],
        "negative": [negative for _, _, negative, _ in directions],
        "vector": [(vector / np.linalg.norm(vector)).tolist() for *_, vector in directions],
    }
    place = {
        "run_id": "r",
        "site": "resid",
        "reduction": "mean",
        "layer": 0,
        "method": "diffmean",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    table = pa.table(rows | {name: [value] * len(directions) for name, value in place.items()})
    commit(store.objects, "results/vectors/a.parquet", parquet_bytes(table), kind="results", sound=never)
    catalog = refresh_catalog(store)
    query = "SELECT * FROM cosines WHERE concept = other_concept AND concept = 'style'"
    for row in run_query(catalog, query).to_pylist():
        assert abs(row["cosine"]) == pytest.approx(row["dependent_cosine"] or 0.0, abs=1e-6)
    rest, paired = run_query(catalog, "FROM superposition ORDER BY pairs").to_pylist()
    random = np.sqrt(2 / (np.pi * 12))
    assert (rest["directions"], rest["mean_cosine"]) == (5, pytest.approx(6 / 10 / 3))
    assert rest["baseline_cosine"] == pytest.approx((6 / 3 + 4 * random) / 10)
    assert paired["baseline_cosine"] == pytest.approx((2 * 0.5 + random) / 3)
    assert paired["times_baseline"] == pytest.approx(paired["mean_cosine"] / paired["baseline_cosine"])


def test_random_directions_of_one_concept_depend_on_nothing(fitted_store: Store) -> None:
    query = """
        SELECT DISTINCT method, dependent_cosine FROM cosines
        WHERE concept = 'style' AND other_concept = 'style'
    """
    assert sorted(map(str, run_query(refresh_catalog(fitted_store), query).to_pylist())) == [
        "{'method': 'diffmean', 'dependent_cosine': 0.5}",
        "{'method': 'random', 'dependent_cosine': None}",
    ]


def test_a_store_without_directions_says_how_to_fit_some(planted_store: Store) -> None:
    for command in ("list", "superposition"):
        result = CliRunner().invoke(undertone, ["vectors", command, planted_store.url])
        assert "no directions yet" in str(result.exception)
        assert "undertone directions" in str(result.exception)


def test_the_catalog_declares_every_column_of_vectors(planted_store: Store) -> None:
    """A store that was filled before a column existed shows it as NULL."""
    query = "SELECT * FROM typed.vectors LIMIT 0"
    assert run_query(refresh_catalog(planted_store), query).column_names == SCHEMA.names


def test_the_list_shows_the_best_first_and_an_empty_choice_says_so(fitted_store: Store) -> None:
    listed = json.loads(run("list", fitted_store.url, "--format", "json").output)
    assert len(listed) == 2 * 3 * 5
    scores = [row["score"] for row in listed]
    assert scores == sorted(scores, reverse=True)
    for command in ("export", "superposition"):
        folder = ["nowhere"] if command == "export" else []
        result = CliRunner().invoke(
            undertone, ["vectors", command, fitted_store.url, *folder, "--where", "layer = 99"]
        )
        assert "No direction meets" in str(result.exception)
