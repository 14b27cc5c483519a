"""k-means of a run: against scikit-learn on the stored rows, in memory, in blocks, and after a stop."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

import jobs.kmeans.running as fitting
from analysis.clustering.scaling import Scaling
from jobs.cli.main import undertone
from jobs.fitting.mapping import map_tasks
from jobs.kmeans import passes
from jobs.kmeans.blocks import Block, LayerPoints, pass_over
from jobs.kmeans.options import KmeansOptions
from jobs.kmeans.running import run_kmeans
from jobs.kmeans.state import save_state
from jobs.upkeep.verify_options import VerifyOptions
from jobs.upkeep.verifying import run_verification
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, NotFound
from store.objects.ledger import withdraw
from store.opening import Store

STYLE = "SELECT clip_id, style FROM clips"


def cluster(store: Store, labels: str = STYLE, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"engine": "inline", "starts": 3} | options
    return run_kmeans(KmeansOptions(store.url, "toy", labels, **given)).summary


def rows_of(store: Store, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(store), query).to_pylist()
    return rows


@pytest.fixture
def tiny_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layer is too large, and a block holds a few clips."""
    monkeypatch.setattr(fitting, "MEMORY_BYTES", 0)
    monkeypatch.setattr("jobs.kmeans.blocks.BLOCK_BYTES", 20_000)


def test_every_start_is_what_scikit_learn_finds_with_that_random_state(planted_store: Store) -> None:
    cluster(planted_store, sites="resid", layers="1")
    rows, _ = planted_store.run("toy").read_layer("resid.mean", 1)
    styles = np.array([n % 30 % 3 for n in range(120)])
    found = rows_of(planted_store, "SELECT * FROM clusterings ORDER BY start_seed")
    assert [row["start_seed"] for row in found] == [0, 1, 2]
    for row in found:
        centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
        oracle = KMeans(3, n_init=1, random_state=row["start_seed"]).fit(centred)
        assert row["inertia"] == pytest.approx(oracle.inertia_, rel=1e-5)
        assert row["ari"] == pytest.approx(adjusted_rand_score(styles, oracle.labels_))
        assert (row["k"], row["classes"], row["clips"], row["points"]) == (3, 3, 120, 120)
        assert row["label_silhouette"] == pytest.approx(silhouette_score(centred, styles), abs=1e-4)
    best = min(found, key=lambda row: row["inertia"])
    flags = rows_of(planted_store, "SELECT start_seed FROM clusterings WHERE best AND chosen")
    assert flags == [{"start_seed": best["start_seed"]}]


def test_deeper_layers_cluster_by_style_and_none_by_what_means_nothing(planted_store: Store) -> None:
    cluster(planted_store, "SELECT clip_id, style, mood FROM clips", sites="resid")
    found = rows_of(planted_store, "SELECT concept, layer, k, clips, ari FROM clusterings WHERE chosen")
    styles = {row["layer"]: row["ari"] for row in found if row["concept"] == "style"}
    assert styles[2] > 0.95
    assert abs(styles[0]) < 0.1
    moods = [row for row in found if row["concept"] == "mood"]
    assert {(row["k"], row["clips"]) for row in moods} == {(2, 60)}
    assert max(abs(row["ari"]) for row in moods) < 0.15


def test_of_a_range_the_silhouette_chooses_and_every_k_is_compared(planted_store: Store) -> None:
    cluster(planted_store, k="2:5", sites="resid", layers="2")
    found = rows_of(planted_store, "SELECT * FROM clusterings WHERE best ORDER BY k")
    assert [row["k"] for row in found] == [2, 3, 4, 5]
    assert [row["k"] for row in found if row["chosen"]] == [3]
    assert max(found, key=lambda row: row["silhouette"])["k"] == 3


def test_what_is_stored_is_not_clustered_again(planted_store: Store) -> None:
    assert cluster(planted_store)["fitted"] == 2 * 3 * 3
    assert cluster(planted_store)["fitted"] == 0
    assert cluster(planted_store, starts=4)["fitted"] == 2 * 3
    assert rows_of(planted_store, "SELECT count(*) AS n FROM clusterings")[0]["n"] == 2 * 3 * 4
    assert cluster(planted_store, scaling="zscore")["fitted"] == 2 * 3 * 3


def test_frames_give_each_clip_its_histogram_and_its_majority(planted_store: Store) -> None:
    cluster(planted_store, reduction="frames", sites="resid", layers="2")
    (chosen,) = rows_of(planted_store, "SELECT * FROM clusterings WHERE chosen")
    assert (chosen["points"], chosen["clips"], chosen["reduction"]) == (600, 120, "frames")
    clips = rows_of(planted_store, "SELECT * FROM assignments ORDER BY clip_id")
    assert {row["clustering_id"] for row in clips} == {chosen["clustering_id"]}
    assert len(clips) == 120
    assert all(sum(row["histogram"]) == 5 for row in clips)
    assert all(row["cluster"] == int(np.argmax(row["histogram"])) for row in clips)
    assert all(row["share"] == row["histogram"][row["cluster"]] / 5 for row in clips)
    styles = [int(row["clip_id"].removeprefix("clip")) % 30 % 3 for row in clips]
    assert chosen["ari"] == pytest.approx(adjusted_rand_score(styles, [row["cluster"] for row in clips]))


def test_another_k_that_was_tried_in_a_range_has_its_assignments_and_the_same_choice(
    planted_store: Store,
) -> None:
    """The order of two commands must not decide what is stored, best or chosen."""
    place = {"reduction": "frames", "sites": "resid", "layers": "2"}
    query = "SELECT k, start_seed, chosen FROM clusterings WHERE best AND {} ORDER BY k"
    cluster(planted_store, k="2:4", **place)
    again = cluster(planted_store, k="3", **place)
    assert (again["fitted"], again["known"]) == (0, 3)
    assigned = "clustering_id IN (SELECT clustering_id FROM assignments)"
    found = rows_of(planted_store, query.format(assigned))
    assert [row["k"] for row in found] == [2, 3, 4]
    assert sum(row["chosen"] for row in found) == 1
    assert found == rows_of(planted_store, query.format("true"))


def test_more_starts_leave_one_best_start_and_its_assignments(planted_store: Store) -> None:
    place: dict[str, Any] = {"sites": "resid", "layers": "1", "k": "6", "assignments": True}
    cluster(planted_store, starts=2, **place)
    cluster(planted_store, starts=8, **place)
    (best,) = rows_of(planted_store, "SELECT * FROM clusterings WHERE best")
    (lowest,) = rows_of(planted_store, "SELECT min(inertia) AS inertia, count(*) AS n FROM clusterings")
    assert (best["inertia"], best["chosen"], lowest["n"]) == (lowest["inertia"], True, 8)
    clips = f"SELECT * FROM assignments WHERE clustering_id = '{best['clustering_id']}'"
    assert len(rows_of(planted_store, clips)) == 120


def test_assignments_that_are_asked_for_later_are_computed_once(planted_store: Store) -> None:
    place = {"sites": "resid", "layers": "1"}
    cluster(planted_store, **place)
    assert rows_of(planted_store, "SELECT count(*) AS n FROM typed.assignments") == [{"n": 0}]
    assert cluster(planted_store, assignments=True, **place)["fitted"] == 0
    assert rows_of(planted_store, "SELECT count(*) AS n FROM assignments") == [{"n": 120}]
    parts = list(planted_store.objects.versions("results/assignments"))
    cluster(planted_store, assignments=True, **place)
    assert list(planted_store.objects.versions("results/assignments")) == parts


def test_the_command_says_which_layers_agree_best_and_what_was_stored_already(planted_store: Store) -> None:
    chosen = ["--layers", "0,1", "--starts", "3", "--engine", "inline"]
    arguments = ["kmeans", planted_store.url, "toy", "--labels", STYLE, *chosen]
    first = CliRunner().invoke(undertone, arguments)
    assert first.exit_code == 0, first.output
    best = rows_of(
        planted_store,
        "SELECT site, arg_max(layer, ari) AS layer, max(ari) AS ari FROM clusterings WHERE chosen "
        "GROUP BY site ORDER BY ari DESC, site",
    )
    lines = [line.split() for line in first.stdout.splitlines()[1:3]]
    assert [(line[1], line[2], line[5]) for line in lines] == [
        (f"{row['site']}.mean", str(row["layer"]), f"{row['ari']:.3f}") for row in best
    ]
    assert "12 clusterings of 2 layers (2 arrays), 3 starts each; see the views clusterings" in first.stdout
    second = CliRunner().invoke(undertone, [*arguments, "--format", "json"])
    summary = json.loads(second.stdout)
    assert (summary["fitted"], summary["known"]) == (0, 12)
    assert [(row["site"], row["layer"]) for row in summary["best"]] == [
        (row["site"], row["layer"]) for row in best
    ]
    more = CliRunner().invoke(undertone, [*arguments, "--starts", "4"])
    assert "4 clusterings of 2 layers (2 arrays), 4 starts each, 12 stored already" in more.stdout


@pytest.mark.parametrize("scaling", ["none", "zscore", "l2", "pca"])
@pytest.mark.usefixtures("tiny_memory")
def test_blocks_give_what_memory_gives(
    planted_store: Store, monkeypatch: pytest.MonkeyPatch, scaling: str
) -> None:
    query = """
        SELECT
            start_seed, ari, nmi, iterations, best, coalesce(silhouette, 9) AS silhouette, label_silhouette,
            points, dimensions, inertia
        FROM clusterings ORDER BY start_seed
    """
    options = {"reduction": "frames", "sites": "resid", "layers": "1", "scaling": scaling, "k": "3"}
    cluster(planted_store, **options)
    in_blocks = rows_of(planted_store, query)
    clips_in_blocks = rows_of(planted_store, "SELECT * FROM assignments ORDER BY clip_id")
    for kind in ("clusterings", "assignments"):
        for key, _ in list(planted_store.objects.list(f"results/{kind}")):
            withdraw(planted_store.objects, key, [key])
    monkeypatch.setattr(fitting, "MEMORY_BYTES", 10**9)
    cluster(planted_store, **options)
    for one, other in zip(in_blocks, rows_of(planted_store, query), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    assert rows_of(planted_store, "SELECT * FROM assignments ORDER BY clip_id") == clips_in_blocks


@pytest.mark.usefixtures("tiny_memory")
def test_a_job_that_was_stopped_goes_on_and_ends_with_the_same_bytes(
    planted_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"reduction": "frames", "sites": "attn", "layers": "0", "k": "6"}
    query = "SELECT start_seed, inertia, iterations, ari, silhouette FROM clusterings ORDER BY start_seed"
    iterations: list[int] = []

    def counted(*arguments: Any) -> None:
        save_state(*arguments)
        iterations.append(1)

    def stop_at_the_fourth(*arguments: Any) -> None:
        counted(*arguments)
        if len(iterations) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(passes, "save_state", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        cluster(planted_store, **options)
    assert len(list(planted_store.objects.list("state"))) == 1
    cluster(planted_store, **options)
    resumed = rows_of(planted_store, query)
    assert list(planted_store.objects.list("state")) == []
    total = len(iterations)
    for key, _ in list(planted_store.objects.list("results/clusterings")):
        withdraw(planted_store.objects, key, [key])
    iterations.clear()
    monkeypatch.setattr(passes, "save_state", counted)
    cluster(planted_store, **options)
    assert rows_of(planted_store, query) == resumed
    assert len(iterations) == total, "what was done before the stop was done again"


@pytest.mark.usefixtures("tiny_memory")
def test_blocks_may_come_back_in_any_order(planted_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"reduction": "frames", "sites": "resid", "layers": "1"}
    query = "SELECT start_seed, inertia, iterations FROM clusterings ORDER BY start_seed"
    cluster(planted_store, **options)
    in_turn = rows_of(planted_store, query)
    for key, _ in list(planted_store.objects.list("results/clusterings")):
        withdraw(planted_store.objects, key, [key])

    def reversed_order(function: Any, tasks: list[Block], **rest: Any) -> Iterator[tuple[int, Any]]:
        yield from list(map_tasks(function, tasks, **rest))[::-1]

    monkeypatch.setattr(fitting, "map_tasks", reversed_order)
    cluster(planted_store, **options)
    assert rows_of(planted_store, query) == in_turn


@pytest.mark.usefixtures("tiny_memory")
def test_the_spread_of_all_points_is_measured_in_the_first_pass_alone(
    planted_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[bool] = []

    def noted(source: LayerPoints, scaling: Scaling, centers: Any, measure: bool, block: Block) -> Any:
        measured.append(measure)
        return pass_over(source, scaling, centers, measure, block)

    monkeypatch.setattr(passes, "pass_over", noted)
    cluster(planted_store, reduction="frames", sites="resid", layers="1", k="3")
    blocks = sum(measured)
    assert blocks > 1
    assert len(measured) >= 3 * blocks
    assert measured == [True] * blocks + [False] * (len(measured) - blocks)


@pytest.mark.usefixtures("tiny_memory")
def test_mini_batches_have_rows_of_their_own_and_leave_the_others(planted_store: Store) -> None:
    options: dict[str, Any] = {"reduction": "frames", "sites": "resid", "layers": "1", "k": "3"}
    cluster(planted_store, **options)
    whole = rows_of(planted_store, "SELECT start_seed, inertia, best FROM clusterings ORDER BY start_seed")
    cluster(planted_store, **options, batch_size=20)
    query = "SELECT start_seed, inertia, best FROM clusterings WHERE batch_size {} ORDER BY start_seed"
    assert rows_of(planted_store, query.format("IS NULL")) == whole
    batched = rows_of(planted_store, query.format("= 20"))
    assert [row["start_seed"] for row in batched] == [row["start_seed"] for row in whole]
    least = min(row["inertia"] for row in whole)
    assert least <= min(row["inertia"] for row in batched) * (1 + 1e-6) < 1.5 * least
    assert rows_of(planted_store, "SELECT count(*) AS n FROM clusterings WHERE chosen") == [{"n": 1}]


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_memory")
@pytest.mark.usefixtures("local_ray")
def test_workers_on_ray_give_the_same_bytes_and_verify_them(planted_store: Store) -> None:
    options = {"reduction": "frames", "sites": "resid", "layers": "1"}
    query = "SELECT start_seed, inertia, iterations FROM clusterings ORDER BY start_seed"
    cluster(planted_store, **options)
    inline = rows_of(planted_store, query)
    for key, _ in list(planted_store.objects.list("results/clusterings")):
        withdraw(planted_store.objects, key, [key])
    cluster(planted_store, **options, engine="ray", workers=2)
    assert rows_of(planted_store, query) == inline
    shard = next(Path(planted_store.url).glob("runs/*/activations.zarr/resid.frames/c.*"))
    damaged = bytearray(shard.read_bytes())
    damaged[8] ^= 1
    shard.unlink()  # it is linked to the store that other tests begin with
    shard.write_bytes(damaged)
    verified = run_verification(VerifyOptions(planted_store.url, engine="ray", workers=2))
    assert verified.read == verified.total > 1
    assert [shard.name] == [one.key.rsplit("/", 1)[1] for one in verified.found]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": "1"}, "auto, a number"),
        ({"k": "5:3"}, "range like 2:12"),
        ({"k": "120"}, "120 clips with style cannot make 120 clusters"),
        ({"scaling": "max"}, "none, zscore, l2, pca"),
        ({"reduction": "last"}, "has no last of any site; it has resid.mean"),
        ({"starts": 0}, "--starts is 0; it must be 1 or more"),
        ({"labels": "SELECT clip_id, tempo FROM clips"}, "tempo are numbers"),
    ],
)
def test_mistakes_are_named_with_their_cure(
    planted_store: Store, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((InvalidInput, NotFound), match=message):
        cluster(planted_store, **options)
