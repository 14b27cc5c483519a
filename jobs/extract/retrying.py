"""Plans failed clips once more, as additional units of a run and of the codes it reads."""

from collections.abc import Sequence
from dataclasses import replace

from pipelines.audio.recordings import Recordings
from store.arrays.collection import Collection
from store.records import PlannedClip, Unit


def append_failed(
    run: Collection, codes: Collection, clips: Sequence[PlannedClip], recordings: Recordings
) -> list[Unit]:
    """Plan failed clips again, as supplementary units; those planned already but not done yet are left.

    A recording may have been mended since it was added: the new part of the plan names the checksum that its
    file has now.
    """
    pending = {clip.clip_id for unit in run.missing_units() for clip in unit.clips}
    statuses = run.statuses()
    failed = [
        replace(clip, sha256=recordings.checksum_now(clip.uri) or clip.sha256)
        for clip in clips
        if clip.clip_id not in pending
        and clip.clip_id in statuses
        and statuses[clip.clip_id].state == "failed"
    ]
    if not failed:
        return []
    units = run.append_units(failed)
    known = codes.statuses()
    waiting = {clip.clip_id for unit in codes.missing_units() for clip in unit.clips}
    for unit in units:
        without = [c for c in unit.clips if c.clip_id in known and known[c.clip_id].state == "failed"]
        if len(without) == len(unit.clips) and not any(c.clip_id in waiting for c in without):
            codes.append_units([replace(clip, text="") for clip in unit.clips])
    return units
