"""Maps of a store with a planted style: drawing, picking, directions, sounds, files for other programs."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from click.testing import CliRunner
from numpy.typing import NDArray

import undertone as ut
from jobs.cli.main import undertone
from jobs.maps import drawing
from store.errors import InvalidInput, NotFound
from store.opening import Store

STYLE = "SELECT clip_id, style FROM clips"


@pytest.fixture
def planted(planted_store: Store) -> ut.Store:
    return ut.open_store(planted_store.url)


@pytest.fixture
def plane(planted: ut.Store) -> ut.ClipMap:
    return ut.clip_map(planted.run("toy"), layer=2)


def test_the_map_is_that_of_the_whole_layer(planted: ut.Store, plane: ut.ClipMap) -> None:
    values, ids = planted.run("toy").layer("resid.mean", 2)
    wide = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    left, lengths, _ = np.linalg.svd(wide, full_matrices=False)
    np.testing.assert_allclose(np.abs(plane.points), np.abs(left[:, :2] * lengths[:2]), atol=1e-4)
    assert plane.shares == pytest.approx((lengths**2 / (lengths**2).sum())[:2], rel=1e-5)
    assert (plane.clip_ids, plane.clips, plane.notes) == (ids, len(ids), ())
    assert 0.5 < plane.trust <= 1


def test_of_more_clips_some_are_drawn_by_lot_and_it_is_said(planted: ut.Store) -> None:
    found = ut.clip_map(planted.run("toy"), layer=2, clips=50)
    assert len(found.points) == len(set(found.clip_ids)) == 50
    assert found.notes == ("50 of 120 clips are drawn, chosen by lot.",)
    assert ut.clip_map(planted.run("toy"), layer=1, clips=50).clip_ids == found.clip_ids


def test_a_lasso_picks_what_sql_counts(planted: ut.Store, plane: ut.ClipMap) -> None:
    x0, y0 = plane.points.mean(axis=0)
    box = [(x0, y0), (1e6, y0), (1e6, 1e6), (x0, 1e6)]
    (counted,) = planted.sql(
        "SELECT count(*) AS n FROM map JOIN clips USING (clip_id) WHERE map.x > $x AND map.y > $y",
        tables={"map": plane.table().arrow().select(["clip_id", "x", "y"])},
        x=x0,
        y=y0,
    )["n"]
    assert 0 < len(plane.inside(box)) == counted < 120


def test_a_query_colours_clips_and_says_nothing_of_the_others(plane: ut.ClipMap) -> None:
    told = plane.values("SELECT clip_id, style FROM clips WHERE style != 'polka'")
    numbers = [int(clip_id.removeprefix("clip")) for clip_id in plane.clip_ids]
    assert told == [("rock", "jazz", None)[number % 30 % 3] for number in numbers]
    with pytest.raises(InvalidInput, match="gives clip_id and one more column"):
        plane.values("SELECT clip_id, style, mood FROM clips")


def test_errors_are_those_of_a_probe_on_clips_that_it_had_not_seen(
    planted: ut.Store, plane: ut.ClipMap
) -> None:
    known = planted.run("toy").table("resid.mean", 2, labels=STYLE)
    probe = ut.probe(known.X, known.y, groups=known.groups, controls=0)
    errors = plane.errors(STYLE)
    assert np.mean([one for one in errors if one is not None]) == pytest.approx(1 - probe.score)
    assert {*errors} <= {0.0, 1.0}
    tempo = plane.errors("SELECT clip_id, tempo FROM clips WHERE tempo < 100")
    assert [one is None for one in tempo] == [
        int(clip_id.removeprefix("clip")) >= 40 for clip_id in plane.clip_ids
    ]


def auc(projections: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    return float(np.mean(projections[positive][:, np.newaxis] > projections[~positive]))


def test_the_direction_of_picked_clips_finds_what_was_planted(planted: ut.Store, plane: ut.ClipMap) -> None:
    jazz = np.array(plane.values(STYLE)) == "jazz"
    found = plane.direction_of([one for one, is_in in zip(plane.clip_ids, jazz, strict=True) if is_in])
    values, _ = planted.run("toy").layer("resid.mean", 2)
    assert found.score is not None
    assert found.score == pytest.approx(auc(values @ found.vector, jazz), abs=0.05)
    assert found.score > 0.95
    assert found.within_random is False
    assert (found.site, found.layer, found.positive, found.negative) == ("resid", 2, "picked", "others")
    assert found.model_fingerprint == "f00d"
    groups = np.arange(120) % 30
    lot = np.random.default_rng(0).permutation(30)[:10]
    drawn = [f"clip{n:04d}" for n in range(120) if groups[n] in lot]
    nothing = ut.clip_map(planted.run("toy"), layer=0).direction_of(drawn)
    assert nothing.within_random is True, "clips that were picked by lot share nothing"


def test_none_or_all_of_the_clips_have_no_direction(plane: ut.ClipMap) -> None:
    for picked in ((), plane.clip_ids, ("nobody",)):
        with pytest.raises(InvalidInput, match="a direction needs some that are, and some that are not"):
            plane.direction_of(picked)


def test_a_map_of_neighbours_is_made_once_and_kept_unless_nothing_may_be_written(
    planted: ut.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def layout(coordinates: NDArray[np.float64], **_: object) -> NDArray[np.float64]:
        made.append(len(coordinates))
        return coordinates[:, 1:3]

    monkeypatch.setattr(drawing, "neighbour_map", layout)
    run = planted.run("toy")
    ut.clip_map(run, layer=2, method="umap", keep=False)
    assert "clip_maps" not in planted.results
    first = ut.clip_map(run, layer=2, method="umap")
    again = ut.clip_map(run, layer=2, method="umap")
    assert made == [120, 120]
    assert (again.clip_ids, again.trust, again.clips) == (first.clip_ids, first.trust, 120)
    assert again.points.tolist() == first.points.tolist()
    assert planted.sql("SELECT count(*) AS n, any_value(method) AS m FROM clip_maps").rows() == [
        {"n": 120, "m": "umap"}
    ]


def test_layers_are_turned_to_each_other(planted: ut.Store, plane: ut.ClipMap) -> None:
    before = ut.clip_map(planted.run("toy"), layer=1)
    turned = before.turned_to(plane)
    assert np.linalg.norm(turned.points - plane.points) < np.linalg.norm(before.points - plane.points)


def test_selections_are_labels_for_every_query_and_a_name_is_replaced(planted: ut.Store) -> None:
    assert ut.save_selection(planted, "odd", {"yes": ["clip0001", "clip0003"], "no": ["clip0002"]}) == 3
    assert ut.save_selection(planted, "odd", {"yes": ["clip0005"]}) == 1
    assert planted.sql("SELECT label, clip_id FROM selections WHERE selection = 'odd'").rows() == [
        {"label": "yes", "clip_id": "clip0005"}
    ]
    with pytest.raises(NotFound, match="lists a clip 'nobody'"):
        ut.save_selection(planted, "odd", {"yes": ["nobody"]})
    with pytest.raises(InvalidInput, match="two labels"):
        ut.save_selection(planted, "odd", {"yes": ["clip0001"], "no": ["clip0001"]})
    with pytest.raises(InvalidInput, match="needs a name"):
        ut.save_selection(planted, " ", {"yes": ["clip0001"]})


def test_an_exported_map_has_coordinates_labels_and_sounds(store: str, audio: Path, tmp_path: Path) -> None:
    opened = ut.open_store(store)
    ids = opened.sql("SELECT clip_id FROM clips ORDER BY uri")["clip_id"]
    drawn = drawing.Drawn(pa.array(ids), np.arange(2.0 * len(ids)).reshape(-1, 2), None, 1.0, len(ids))
    from jobs.maps.exporting import export_map

    export_map(opened.opened, drawn, tmp_path / "map.parquet", audio=True)
    table = pq.read_table(tmp_path / "map.parquet")
    assert table["x"].to_pylist() == drawn.points[:, 0].tolist()
    assert {"clip_id", "y", "label", "uri", "audio"} <= set(table.column_names)
    first = table["audio"][0].as_py()
    samples, rate = soundfile.read(io.BytesIO(first["bytes"]))
    assert (first["path"], rate) == (f"{ids[0]}.wav", 32_000)
    heard = ut.clip_sound(store, ids[0])
    np.testing.assert_allclose(samples, heard.samples, atol=2**-15)
    whole, original_rate = soundfile.read(audio / table["uri"][0].as_py())
    assert len(samples) / rate == len(whole) / original_rate
    with pytest.raises(InvalidInput, match=r"must end in \.parquet"):
        export_map(opened.opened, drawn, tmp_path / "map.csv")
    assert [one.name for one in tmp_path.glob(".*")] == []
    with pytest.raises(NotFound, match="lists a clip 'nobody'"):
        ut.clip_sound(store, "nobody")


def test_the_command_prints_the_map_or_writes_it(
    planted: ut.Store, plane: ut.ClipMap, tmp_path: Path
) -> None:
    command = ["map", planted.url, "toy", "--layer", "2"]
    said = CliRunner().invoke(undertone, [*command, "--format", "csv"])
    assert said.exit_code == 0, said.output
    assert said.stdout.splitlines()[0] == "clip_id,x,y"
    assert len(said.stdout.splitlines()) == 121
    path = tmp_path / "map.parquet"
    said = CliRunner().invoke(undertone, [*command, "--clips", "30", "--export", str(path)])
    assert said.exit_code == 0, said.output
    assert "note: 30 of 120 clips are drawn, chosen by lot." in said.stderr
    assert pq.read_table(path).num_rows == 30
    assert pq.read_table(plane.save(path)).num_rows == 120
    said = CliRunner().invoke(undertone, [*command, "--with-audio"])
    assert said.exit_code == 2
    assert "--with-audio writes sounds into a file" in said.stderr
