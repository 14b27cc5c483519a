"""Choose how many clips a unit has: as an existing run has it, else by clips, bytes and recordings."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from jobs.extract.spec import ExtractionSpec
from store.arrays.collection import open_collection
from store.arrays.completion import is_completed
from store.arrays.layout import clip_bytes_of, document_key
from store.arrays.plan import Numbers, recording_ends, unit_starts_of
from store.errors import CorruptData, NotFound
from store.objects.ledger import is_recorded
from store.objects.protocol import ObjectStore
from store.records import ArraySpec
from store.run_names import collection_names, run_ids

STEP_CLIPS, MOST_CLIPS = 64, 1024
UNIT_BYTES = 512_000_000
"""What all arrays of a unit may take, unless it has the least number of clips: a worker holds two units."""
LEAST_UNITS = 24
"""A dataset is cut into so many, if it can be: for all workers to have work, and a crash to cost little."""
SIZES = 32
"""From a half of what a unit may have to all of it, about so many sizes are tried on the recordings."""
LOOKED_AT = 2**17
"""Clips at the beginning of a plan that sizes are tried on."""
ENOUGH = 0.03
"""Sizes whose cost, as a share of all clips, differs by less are equally good: the largest is taken."""


def cut(
    spec: ExtractionSpec, objects: ObjectStore, clips: pa.Table, *, most: int | None = None
) -> ExtractionSpec:
    """The same with a size of its units, and of those of the codes it reads.

    A run that differs in nothing else keeps its size, however many clips its dataset has by now. Codes of
    all clips that are stored are read as they are cut, since to encode them again costs more. With `most`
    units have about so many clips, whatever else would be good for them.
    """
    ends = recording_ends(clips["uri"])
    if most is not None:
        size = most if is_recorded(objects, document_key(f"runs/{spec.run_id()}")) else fitting(ends, most)
        return replace(spec, unit_clips=size, codes_unit_clips=size)
    sizes = dict(_stored_codes(spec, objects))
    if existing := _existing(spec, objects, set(sizes.values())):
        return existing
    longest = int(np.diff(ends, prepend=0).max())
    wanted = fitting(ends, unit_clips_for(spec.arrays(), len(clips), longest))
    whole = [size for key, size in sizes.items() if is_completed(objects, f"codes/{key}")]
    codes = wanted if wanted in sizes.values() or not whole else max(whole)
    return replace(spec, unit_clips=wanted, codes_unit_clips=codes)


def unit_clips_for(arrays: list[ArraySpec], clips: int, longest: int = 1) -> int:
    """A multiple of 64 up to 1,024: as large as few objects want it, within memory and number of units.

    Units hold the `longest` recording, whose clips these are, also where there are fewer units for it.
    """
    fit = UNIT_BYTES // sum(clip_bytes_of(array) for array in arrays)
    whole = -(-longest // STEP_CLIPS) * STEP_CLIPS
    size = min(fit, max(clips // LEAST_UNITS, whole), MOST_CLIPS)
    return max(STEP_CLIPS, size - size % STEP_CLIPS)


def fitting(ends: Numbers, most: int) -> int:
    """The size up to `most` that costs least where recordings, which end at these places, are long.

    A recording in two units is fetched and decoded by two workers, and rows that no clip fills are stored.
    """
    if most < SIZES:
        return most
    seen = ends[: max(1, int(np.searchsorted(ends, LOOKED_AT)))]
    sizes = range(most, most // 2, -max(1, most // SIZES))
    costs = {size: _cost(seen, size) for size in sizes}
    return next(size for size in sizes if costs[size] <= min(costs.values()) + ENOUGH)


def _cost(ends: Numbers, size: int) -> float:
    """Clips that are fetched again and rows that are left empty, as a share of all clips."""
    starts = unit_starts_of(ends, size)[1:]
    places = np.searchsorted(ends, starts, side="right")
    begins = np.append(0, ends)[places]
    again = (ends[places] - begins)[starts != begins].sum()
    return float((again + (len(starts) * size - (starts[-1] if len(starts) else 0))) / ends[-1])


def unit_bytes(spec: ExtractionSpec) -> int:
    """What the arrays of one unit take; of frames and segments what is held of them, one shard."""
    from store.arrays.layout import array_layout
    from store.arrays.shards import shard_bytes

    return sum(shard_bytes(array_layout(array, spec.unit_clips)) for array in spec.arrays())


def _existing(spec: ExtractionSpec, objects: ObjectStore, codes_sizes: set[int]) -> ExtractionSpec | None:
    """The specification of the largest units of which there is a run already."""
    found = []
    for name in run_ids(objects):
        if not name.startswith(spec.run_prefix()):
            continue
        try:
            size = open_collection(objects, f"runs/{name}").unit_clips
        except (CorruptData, NotFound):  # opening it says so, if it is the one
            continue
        for codes_size in codes_sizes | {size}:
            same = replace(spec, unit_clips=size, codes_unit_clips=codes_size)
            found += [same] if same.run_id() == name else []
    return max(found, key=lambda one: one.unit_clips, default=None)


def _stored_codes(spec: ExtractionSpec, objects: ObjectStore) -> Iterator[tuple[str, int]]:
    """Key and unit size of the codes that the same clips and codec have already."""
    if not spec.has_codes:
        return
    for key in collection_names(objects, "codes"):
        if key.startswith(f"{spec.dataset}-"):
            try:
                size = open_collection(objects, f"codes/{key}").unit_clips
            except (CorruptData, NotFound):  # likewise
                continue
            if replace(spec, codes_unit_clips=size).codes_key() == key:
                yield key, size
