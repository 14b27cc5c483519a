"""The arrays without any code of ours: zarr-python, TensorStore, xarray and pyarrow, as FORMAT.md says."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorstore
import xarray
import zarr

from store.opening import open_store

FAILED = ["clip0004", "clip0018"]
ARRAYS = ["resid.mean", "resid.frames", "mlp.segments", "mlp.std", "codes"]


@pytest.fixture
def run(tmp_path: Path, world: Any) -> Path:
    """A run on disk: two failed clips retried, one of them in vain, and one unit not computed."""
    store = open_store(tmp_path / "store", create=True)
    collection = world.create(store.objects)
    for unit in collection.units()[:2]:
        world.write(collection, unit, failed=FAILED)
    retried = collection.append_units([clip for clip in world.clips if clip.clip_id in FAILED])
    world.write(collection, retried[0], failed=FAILED[1:])
    return tmp_path / "store/runs/world"


def committed_rows(run: Path) -> dict[str, int]:
    """The recipe of FORMAT.md with nothing but pyarrow and json."""
    rows = {}
    for part in sorted((run / "plan").glob("part-*.parquet")):
        for entry in pq.read_table(part).to_pylist():
            marker = run / "commits" / f"{entry['unit_id']}.json"
            if marker.exists():
                document = json.loads(marker.read_text())
                clip = document["clips"][entry["row"] - document["first_row"]]
                assert clip["clip_id"] == entry["clip_id"]
                rows[entry["clip_id"]] = entry["row"] if clip["state"] != "failed" else None
    return {clip: row for clip, row in rows.items() if row is not None}


def test_the_example_of_the_format_reads_a_run_and_refuses_what_is_damaged(run: Path, world: Any) -> None:
    text = (Path(__file__).parents[2] / "store/FORMAT.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    program = example.replace("STORE", str(run.parents[1])).replace("RUN", "world")
    found: dict[str, Any] = {}
    exec(compile(program, "FORMAT.md", "exec"), found)

    assert found["rows"] == committed_rows(run)
    np.testing.assert_array_equal(found["values"], world.values("resid.mean", list(found["rows"])))
    marker = run / "commits/unit-000000.json"
    marker.write_bytes(marker.read_bytes().replace(b"clip0001", b"clip0002", 1))
    with pytest.raises(AssertionError, match=r"unit-000000\.json is damaged"):
        exec(compile(program, "FORMAT.md", "exec"), {})


def _flipped(run: Path, key: str) -> None:
    path = run / "activations.zarr" / key
    data = bytearray(path.read_bytes())
    data[9] ^= 1
    path.write_bytes(data)


def test_other_libraries_refuse_a_chunk_that_is_damaged(run: Path) -> None:
    _flipped(run, "resid.mean/c.0.0.0")
    array: Any = zarr.open_group(run / "activations.zarr", mode="r")["resid.mean"]
    with pytest.raises(ValueError, match="checksum"):
        array[0, 0]
    url = f"file://{run / 'activations.zarr' / 'resid.mean'}/"
    other = tensorstore.open({"driver": "zarr3", "kvstore": url}, open=True, read=True).result()
    with pytest.raises(ValueError, match=r"CRC|checksum|digest"):
        other[0, 0].read().result()


@pytest.mark.parametrize("name", ARRAYS)
def test_zarr_python_and_pyarrow_read_a_run(run: Path, world: Any, name: str) -> None:
    rows = committed_rows(run)
    array: Any = zarr.open_group(run / "activations.zarr", mode="r")[name]

    assert len(rows) == 16
    assert rows["clip0004"] == 24
    assert array.shape[0] == 32
    values = array[:][list(rows.values())]
    np.testing.assert_array_equal(values, world.values(name, list(rows)))


@pytest.mark.parametrize("name", ARRAYS)
def test_rows_that_nobody_filled_are_nan(run: Path, name: str) -> None:
    array: Any = zarr.open_array(run / "activations.zarr" / name, mode="r")
    empty = array[16:24]

    assert (empty == -1).all() if name == "codes" else np.isnan(empty).all()
    assert (array[25] == -1).all() if name == "codes" else np.isnan(array[25]).all()


@pytest.mark.parametrize("name", ARRAYS)
def test_tensorstore_reads_the_same(run: Path, world: Any, name: str) -> None:
    url = f"file://{run / 'activations.zarr' / name}/"
    array = tensorstore.open({"driver": "zarr3", "kvstore": url}, open=True, read=True).result()
    rows = committed_rows(run)

    assert array.domain.labels[0] == "clip"
    values = array[list(rows.values())].read().result()
    np.testing.assert_array_equal(values, world.values(name, list(rows)))


def test_xarray_opens_the_group_with_named_dimensions(run: Path, world: Any) -> None:
    group = xarray.open_zarr(
        run / "activations.zarr", consolidated=False, chunks=None, drop_variables="codes"
    )
    rows = committed_rows(run)

    assert group["resid.frames"].dims == ("clip", "layer", "time", "feature")
    assert group["resid.mean"].attrs["layers"] == [0, 3, 7]
    values = group["resid.mean"].isel(clip=list(rows.values()), layer=1).values
    np.testing.assert_array_equal(values, world.values("resid.mean", list(rows))[:, 1])


def test_array_documents_are_the_ones_that_zarr_python_would_write(run: Path, tmp_path: Path) -> None:
    for name in ARRAYS:
        ours: Any = zarr.open_array(run / "activations.zarr" / name, mode="r")
        copy = zarr.create_array(
            tmp_path / "copy",
            name=name,
            shape=ours.shape,
            dtype=ours.dtype,
            shards=ours.shards,
            chunks=ours.chunks,
            compressors=ours.compressors,
            fill_value=ours.fill_value,
            dimension_names=ours.metadata.dimension_names,
            chunk_key_encoding={"name": "default", "separator": "."},
            attributes=dict(ours.attrs),
        )
        assert copy.metadata.to_dict() == ours.metadata.to_dict()


@pytest.mark.parametrize("name", ["resid.mean", "resid.frames", "codes"])
def test_zarr_python_writes_the_same_inner_chunks(run: Path, tmp_path: Path, name: str) -> None:
    ours: Any = zarr.open_array(run / "activations.zarr" / name, mode="r")
    copy = zarr.open_group(tmp_path / "copy", mode="w").create_array(
        name,
        shape=ours.shape,
        dtype=ours.dtype,
        shards=ours.shards,
        chunks=ours.chunks,
        compressors=ours.compressors,
    )
    copy[:8] = ours[:8]
    theirs = (tmp_path / "copy" / name / "c" / "/".join(["0"] * ours.ndim)).read_bytes()
    own = (run / "activations.zarr" / name / ".".join(["c", *["0"] * ours.ndim])).read_bytes()

    assert len(own) == len(theirs)
    assert _chunks(own, ours) == _chunks(theirs, ours)


def _chunks(data: bytes, array: Any) -> list[bytes]:
    """Inner chunks in the order of their grid, wherever they lie in the shard."""
    count = int(np.prod(array.shards)) // int(np.prod(array.chunks))
    index = np.frombuffer(data[-16 * count - 4 : -4], "<u8").reshape(-1, 2)
    return [data[int(start) : int(start + length)] for start, length in index]


def test_a_run_in_an_object_store_opens_as_zarr_and_xarray(s3_url: str, world: Any) -> None:
    store = open_store(s3_url, create=True)
    collection = world.create(store.objects)
    world.write_all(collection, failed=["clip0002"])
    ids = [clip.clip_id for clip in world.clips if clip.clip_id != "clip0002"]

    np.testing.assert_array_equal(
        collection.as_zarr()["resid.frames"][3:5], world.values("resid.frames", ["clip0003", "clip0004"])
    )
    array = collection.as_xarray("mlp.segments")
    assert array.dims == ("clip", "layer", "segment", "feature")
    assert array.coords["clip_id"].values.tolist() == ids
    np.testing.assert_array_equal(array.sel(layer=7).values, world.values("mlp.segments", ids)[:, 2])


def test_the_group_that_we_open_is_read_only(run: Path, world: Any) -> None:
    group: Any = open_store(run.parents[1]).run("world").as_zarr()

    with pytest.raises(ValueError, match=r"read-only|read_only"):
        group["resid.mean"][0] = 0.0
