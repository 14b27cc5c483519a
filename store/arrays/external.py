"""A collection as zarr-python and xarray see it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from store.arrays.encodings import ENCODED, SCALE, from_bfloat16
from store.arrays.layout import ArrayLayout
from store.errors import InvalidInput
from store.objects.local import LocalObjects
from store.objects.protocol import ObjectStore
from store.objects.remote import RemoteObjects

if TYPE_CHECKING:
    import xarray
    import zarr


def open_zarr(objects: ObjectStore, group: str) -> "zarr.Group":
    """The Zarr group below a key, read-only."""
    import zarr

    return zarr.open_group(_zarr_store(objects, group), path=group, mode="r")


def open_xarray(
    objects: ObjectStore,
    group: str,
    layout: ArrayLayout,
    rows: np.ndarray[Any, np.dtype[np.int64]],
    clip_ids: Sequence[str],
    layers: Sequence[int],
    others: Sequence[str],
) -> "xarray.DataArray":
    """Rows of one array with coordinates; nothing is read before values are asked for.

    The group's `others` are left out: their axes may have other lengths under the same names.
    """
    import xarray

    dataset = xarray.open_zarr(
        _zarr_store(objects, group),
        group=group,
        consolidated=False,
        chunks=None,
        drop_variables=others,
        mask_and_scale=layout.spec.dtype not in ENCODED,
    )
    stored = dataset[layout.spec.name]
    if layout.spec.dtype in ENCODED:
        stored = _decoded(dataset, layout.spec.name)
    array = stored.isel(clip=rows)
    coordinates = {"clip_id": ("clip", list(clip_ids))} | ({"layer": list(layers)} if layers else {})
    named: xarray.DataArray = array.assign_coords(coordinates)
    return named


def _decoded(dataset: "xarray.Dataset", name: str) -> "xarray.DataArray":
    """An encoded array as float32, whose numbers are read and decoded when they are asked for."""
    import xarray
    from xarray.backends import BackendArray
    from xarray.core import indexing

    numbers = dataset[name].variable
    scales = dataset[f"{name}{SCALE}"].variable if f"{name}{SCALE}" in dataset else None

    class Decoded(BackendArray):
        shape, dtype = numbers.shape, np.dtype(np.float32)

        def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
            outer = indexing.IndexingSupport.OUTER
            return indexing.explicit_indexing_adapter(key, self.shape, outer, self._read)

        def _read(self, key: tuple[Any, ...]) -> Any:
            found = numbers[key]
            if scales is None:
                return from_bfloat16(np.asarray(found.values))
            places = dict(zip(numbers.dims, key, strict=True))
            scale = scales[tuple(places[axis] for axis in scales.dims)]
            return (found.astype(np.float32) * scale).transpose(*found.dims).values

    lazy = indexing.LazilyIndexedArray(Decoded())
    return xarray.DataArray(xarray.Variable(numbers.dims, lazy, numbers.attrs), name=name)


def _zarr_store(objects: ObjectStore, group: str) -> Any:
    """Zarr's own view of the storage; it would follow links, so a folder is searched for them first."""
    from zarr.storage import LocalStore
    from zarr.storage import ObjectStore as ZarrObjectStore

    if isinstance(objects, LocalObjects):
        objects.check_plain(group)
        return LocalStore(objects.root, read_only=True)
    if isinstance(objects, RemoteObjects):
        return ZarrObjectStore(objects.backend, read_only=True)
    raise InvalidInput(f"{objects.url} cannot be opened by zarr.")
