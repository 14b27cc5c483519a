"""Arrays of bfloat16 and int8: written as floats, read as float32, beside torch's rounding and a bound."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr

from store import open_store
from store.arrays.collection import Collection
from store.arrays.encodings import from_bfloat16, stored_as, to_bfloat16
from store.arrays.verification import verify
from store.catalog.activation_table import ActivationTable, activation_table
from store.errors import CorruptData, InvalidInput
from store.opening import Store
from store.records import ArraySpec, ClipStatus, Failure, PlannedClip

LAYERS, FRAMES, WIDTH = [2, 5], 7, 5
FAILED = 3
SPEC = ArraySpec(
    "resid.frames", ("layer", "time", "feature"), (2, FRAMES, WIDTH), "float16", {"layers": LAYERS}
)


def _values() -> Any:
    generator = np.random.default_rng(1)
    loudness = np.exp(generator.normal(0, 3, (10, 2, 1, WIDTH)))
    found = (generator.standard_normal((10, 2, FRAMES, WIDTH)) * loudness).astype(np.float32)
    found[:, :, :, 4] = 0  # a channel that is silent
    found[FAILED] = np.nan
    return found


def _written(folder: Path, dtype: str, compression: Any) -> tuple[Store, Collection]:
    store = open_store(folder, create=True)
    arrays = [replace(one, compression=compression) for one in stored_as(SPEC, dtype)]
    clips = [PlannedClip(f"c{number}", f"{number}.wav", 0.0, 1.0) for number in range(10)]
    run = store.create_run("r", document={}, arrays=arrays, clips=clips, unit_clips=4)
    values, failure = _values(), Failure("c3", "decode", "AudioError", "broken")
    for unit in run.missing_units():
        with run.begin(unit, provenance={}) as pending:
            last = unit.first_row + len(unit.clips)
            for name in run.arrays:
                for start in range(unit.first_row, last, 3):
                    pending.add(name, start - unit.first_row, values[start : min(start + 3, last)])
            states = ("failed" if clip.clip_id == "c3" else "ok" for clip in unit.clips)
            pending.commit(
                [
                    ClipStatus(clip.clip_id, state, failure if state == "failed" else None)  # type: ignore[arg-type]
                    for clip, state in zip(unit.clips, states, strict=True)
                ],
                {},
            )
    run.note_complete()
    return store, store.run("r")


def _as_stored(values: Any, dtype: str) -> Any:
    """What may be read again: torch's bfloat16, or any number within half a step of int8."""
    if dtype == "bfloat16":
        return torch.from_numpy(values).bfloat16().float().numpy(), 0.0
    return values, np.abs(values).max(axis=-2, keepdims=True) / 127 * 0.5001


@pytest.mark.parametrize(("dtype", "compression"), [("bfloat16", "none"), ("int8", "none"), ("int8", "zstd")])
def test_every_reader_gets_float32_of_encoded_arrays(tmp_path: Path, dtype: str, compression: str) -> None:
    store, run = _written(tmp_path / "s", dtype, compression)
    assert list(run.arrays) == ["resid.frames"]
    kept = [number for number in range(10) if number != FAILED]
    expected, bound = _as_stored(_values()[kept], dtype)

    def agrees(found: Any, part: slice | int = slice(None)) -> None:
        near = bound[:, part] if dtype == "int8" else 0.0
        assert found.dtype == np.float32
        assert (np.abs(found - expected[:, part]) <= near).all()

    layer, ids = run.read_layer("resid.frames", 5)
    assert ids == [f"c{number}" for number in kept]
    agrees(layer, 1)
    agrees(run.read_layer("resid.frames", 5, verify=False)[0], 1)
    agrees(run.read_clips("resid.frames", ids))
    agrees(np.concatenate([block for block, _ in run.iter_layer("resid.frames", 2, block_clips=4)]), 0)
    shuffled = list(run.iter_layer("resid.frames", 2, block_clips=4, shuffle=0))
    back = np.argsort([int(clip[1:]) for _, of_block in shuffled for clip in of_block])
    agrees(np.concatenate([block for block, _ in shuffled])[back], 0)
    scan = activation_table(store, ActivationTable("r", "resid.frames", 5, "x"))
    agrees(scan.read(np.arange(len(scan))).reshape(len(kept), FRAMES, WIDTH), 1)
    assert np.isnan(run.read_rows("resid.frames", np.array([FAILED]))).all()
    assert verify(run) == []
    lazy = run.as_xarray("resid.frames")
    agrees(lazy.values)
    one = lazy.isel(clip=[4, 1], time=3).sel(layer=5)
    np.testing.assert_array_equal(one.values, run.read_clips("resid.frames", ids)[[4, 1], 1, 3])


def test_any_zarr_reader_can_decode_both(tmp_path: Path) -> None:
    _, eight = _written(tmp_path / "a", "int8", "none")
    _, brain = _written(tmp_path / "b", "bfloat16", "none")
    group = zarr.open_group(tmp_path / "a/runs/r/activations.zarr", mode="r")
    steps, scales = group["resid.frames"], group["resid.frames.scale"]
    assert (steps.dtype, scales.shape) == (np.int8, (12, 2, WIDTH))  # type: ignore[union-attr]
    decoded = np.asarray(steps[0]) * np.asarray(scales[0])[:, None]  # type: ignore[index]
    np.testing.assert_array_equal(decoded, eight.read_clips("resid.frames", ["c0"])[0])
    bits = np.asarray(zarr.open_group(tmp_path / "b/runs/r/activations.zarr", mode="r")["resid.frames"][0])  # type: ignore[index]
    decoded = (bits.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(decoded, brain.read_clips("resid.frames", ["c0"])[0])


def test_bfloat16_is_rounded_as_torch_does_and_never_becomes_infinite() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 4096, dtype=np.uint32)
    ties = np.array([0x3F808000, 0x3F818000, 0x00000000, 0x80000000, 0x00018000], np.uint32)
    values = np.concatenate([bits, ties]).view(np.float32)
    values = values[np.abs(values) < 3.38e38]
    expected = torch.from_numpy(values).bfloat16().float().numpy()
    np.testing.assert_array_equal(from_bfloat16(to_bfloat16(values)), expected)
    largest = np.array([3.4028235e38, -3.4028235e38], np.float32)
    assert np.isfinite(from_bfloat16(to_bfloat16(largest))).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, dtype: str) -> None:
    store = open_store(tmp_path / "s", create=True)
    clips = [PlannedClip("c", "c.wav", 0.0, 1.0)]
    run = store.create_run("r", document={}, arrays=stored_as(SPEC, dtype), clips=clips, unit_clips=1)
    values = np.zeros((1, *SPEC.shape), np.float32)
    values[0, 1, 3, 2] = np.inf
    with run.begin(run.missing_units()[0], provenance={}) as pending:  # noqa: SIM117
        with pytest.raises(InvalidInput, match=r"resid\.frames.*cannot hold: NaN or out of range"):
            pending.add("resid.frames", 0, values)


def test_an_array_of_int8_without_its_scales_is_damage(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s", create=True)
    clips = [PlannedClip("c", "c.wav", 0.0, 1.0)]
    with pytest.raises((CorruptData, InvalidInput), match=r"resid\.frames\.scale"):
        store.create_run("r", document={}, arrays=stored_as(SPEC, "int8")[:1], clips=clips, unit_clips=1)
