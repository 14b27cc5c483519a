"""Numbers stored in fewer bytes than they are read in: bfloat16, and int8 with scales in an array beside it.

Writers give floats and readers get float32: between them stands this file alone. A scale belongs to a clip, a
layer and a channel, and is the largest magnitude there over 127, so nothing has to be known of other clips
and no number is cut off.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.arrays.layout import BFLOAT16_NAN, INT8_FILL, ArrayLayout
from store.errors import InvalidInput
from store.records import ArraySpec

ENCODED = ("bfloat16", "int8")
SCALE = ".scale"
"""Ends the name of the array that holds the scales of another."""
_STEPS = 127
_EXPONENT = np.uint16(0x7F80)

Array = NDArray[Any]


def stored_as(spec: ArraySpec, dtype: str) -> tuple[ArraySpec, ...]:
    """An array of that type, and behind it the scales it needs."""
    array = replace(spec, dtype=dtype)
    if dtype != "int8":
        return (array,)
    kept = [place for place, axis in enumerate(spec.dimensions) if axis != "time"]
    scales = ArraySpec(
        name=f"{spec.name}{SCALE}",
        dimensions=tuple(spec.dimensions[place] for place in kept),
        shape=tuple(spec.shape[place] for place in kept),
        dtype="float32",
        attributes={**spec.attributes, "scale_of": spec.name},
        compression=spec.compression,
    )
    return array, scales


def read_dtype(spec: ArraySpec) -> str:
    """Type of the numbers that readers get, and that writers give."""
    return "float32" if spec.dtype in ENCODED else spec.dtype


def shown_arrays(layouts: Mapping[str, ArrayLayout]) -> dict[str, ArraySpec]:
    """Arrays without those that only hold the scales of others."""
    scales = {f"{name}{SCALE}" for name, layout in layouts.items() if layout.spec.dtype == "int8"}
    return {name: layout.spec for name, layout in layouts.items() if name not in scales}


def check_scales(layouts: Mapping[str, ArrayLayout]) -> None:
    """Raise `InvalidInput` for an array of int8 that has no fitting scales."""
    for name, layout in layouts.items():
        if layout.spec.dtype != "int8":
            continue
        if "time" not in layout.spec.dimensions:
            raise InvalidInput(f"Array {name!r} is int8 and has no axis time, over which it is scaled.")
        scales = layouts.get(f"{name}{SCALE}")
        wanted = stored_as(layout.spec, "int8")[1]
        if scales is None or (scales.spec.shape, scales.spec.dtype) != (wanted.shape, wanted.dtype):
            raise InvalidInput(f"Array {name!r} is int8, and {wanted.name!r} {wanted.shape} is not there.")


def encoded(layout: ArrayLayout, block: Array) -> Iterator[tuple[str, Array]]:
    """What is stored of a block (clips, *axes) of floats, by array; NaN throughout stays the fill value."""
    spec = layout.spec
    if spec.dtype == "bfloat16" and block.dtype.kind == "f":
        yield spec.name, to_bfloat16(block)
    elif spec.dtype == "int8" and block.dtype.kind == "f":
        numbers, scales = to_int8(block, axis=1 + spec.dimensions.index("time"))
        yield spec.name, numbers
        yield f"{spec.name}{SCALE}", scales
    else:
        yield spec.name, block


def to_bfloat16(values: Array) -> NDArray[np.uint16]:
    """Bits of the nearest bfloat16 numbers, of two equally near ones the even one; none becomes infinite."""
    numbers = np.ascontiguousarray(values, np.float32)
    bits = numbers.view(np.uint32)
    found = ((bits + (np.uint32(0x7FFF) + (bits >> 16 & 1))) >> 16).astype(np.uint16)
    if (found & _EXPONENT == _EXPONENT).any():
        cut = (bits >> 16).astype(np.uint16)
        found = np.where(np.isfinite(numbers), np.where(found & _EXPONENT == _EXPONENT, cut, found), cut)
        found[np.isnan(numbers)] = BFLOAT16_NAN
    return found


def from_bfloat16(bits: Array) -> NDArray[np.float32]:
    """The numbers with these bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_int8(values: Array, *, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers from -127 to 127, and the scales that multiply them, without that axis."""
    numbers = np.asarray(values, np.float32)
    scales = np.maximum(numbers.max(axis=axis), -numbers.min(axis=axis)) / np.float32(_STEPS)
    wide = np.expand_dims(scales, axis)
    with np.errstate(invalid="ignore"):
        steps = np.rint(np.divide(numbers, wide, out=np.zeros_like(numbers), where=wide != 0))
    steps = np.where(np.isnan(steps), INT8_FILL, np.clip(steps, -_STEPS, _STEPS))
    return steps.astype(np.int8), scales


def from_int8(numbers: Array, scales: Array, *, axis: int) -> NDArray[np.float32]:
    """The numbers that were stored as these; NaN where the scale is."""
    return np.asarray(numbers * np.expand_dims(scales.astype(np.float32, copy=False), axis), np.float32)
