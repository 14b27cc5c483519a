"""Plan failed clips once more, as additional units of a run and of the codes it reads."""

import numpy as np
import pyarrow as pa

from jobs.extract.texts import without_text
from pipelines.audio.recordings import Recordings
from store.arrays.collection import Collection
from store.arrays.commits import FAILED
from store.arrays.plan import clip_table
from store.arrays.rows import places_in
from store.records import Unit


def append_failed(run: Collection, codes: Collection | None, clips: pa.Table, recordings: Recordings) -> None:
    """Plan failed clips again, as supplementary units; those planned already but not done yet are left.

    A recording may have been mended since it was added: the new part of the plan names the checksum that its
    file has now.
    """
    failed = clips.filter(pa.array(_failed(run, clips["clip_id"]) & ~_pending(run, clips["clip_id"])))
    if not len(failed):
        return
    now = [recordings.checksum_now(uri) for uri in failed["uri"].to_pylist()]
    sums = [new or old for new, old in zip(now, failed["sha256"].to_pylist(), strict=True)]
    failed = clip_table(failed.set_column(failed.schema.get_field_index("sha256"), "sha256", pa.array(sums)))
    if codes is None:
        run.append_units(failed)
        return
    ids = failed["clip_id"]
    without, waiting = _failed(codes, ids), _pending(codes, ids)
    start = 0
    for unit in _planned(run, failed, most=codes.unit_clips):
        place = slice(start, start + len(unit.clips))
        if without[place].all() and not waiting[place].any():
            codes.append_units(without_text(failed.slice(start, len(unit.clips))))
        start += len(unit.clips)


def _planned(run: Collection, clips: pa.Table, *, most: int) -> list[Unit]:
    """Units of the run for these clips, of no more clips than a unit of the codes holds: so each has its own.

    Codes that are computed for a unit are stored only where a unit of theirs has just the same clips.
    """
    if run.unit_clips <= most:
        return run.append_units(clips)
    return [
        unit for start in range(0, len(clips), most) for unit in run.append_units(clips.slice(start, most))
    ]


def _failed(collection: Collection, clip_ids: pa.ChunkedArray) -> np.ndarray:
    """Which clips are committed as failed."""
    index = collection.index()
    flags: np.ndarray = np.append(index.states == FAILED, False)[index.find(clip_ids)]
    return flags


def _pending(collection: Collection, clip_ids: pa.ChunkedArray) -> np.ndarray:
    """Which clips are planned in a unit that is not committed."""
    missing, plan = collection.missing(), collection.plan()
    left = np.zeros(len(plan), np.bool_)
    left[missing.numbers] = True
    ids = plan.clip_ids.filter(pa.array(np.repeat(left, plan.lengths))).combine_chunks()
    return places_in(ids, clip_ids) >= 0
