"""Failed clips that are planned again have a unit of the codes for each unit of the run."""

from typing import cast

import pytest

from jobs.extract.retrying import append_failed
from jobs.extract.texts import without_text
from jobs.extract.units import ExtractionUnits
from pipelines.audio.recordings import Recordings
from store.arrays.collection import Collection
from store.arrays.plan import clip_table
from store.objects.storage import open_objects
from store.opening import Store
from store.records import ArraySpec, ClipStatus, Failure, PlannedClip

CLIPS = clip_table(
    [PlannedClip(f"{n:016x}", f"{n // 5}.wav", float(n), 1.0, "calm", f"{n:064x}") for n in range(40)]
)
SPEC = ArraySpec("codes", ("one",), (1,), "float32")


class Unchanged:
    """Recordings whose files are as they were."""

    def checksum_now(self, _: str) -> str | None:
        return None


def _all_failed(collection: Collection) -> None:
    for unit in collection.missing():
        with collection.begin(unit, provenance={}) as pending:
            failures = [Failure(clip.clip_id, "decode", "OSError", "gone", clip.uri) for clip in unit.clips]
            pending.commit([ClipStatus(one.item, "failed", one) for one in failures], {})


@pytest.mark.parametrize(("of_run", "of_codes"), [(16, 16), (16, 8), (8, 16), (32, 20)])
def test_what_is_computed_again_is_stored_with_codes_of_any_cut(of_run: int, of_codes: int) -> None:
    """Five clips a recording: units of 16 end with a recording after 15 of them."""
    store = Store(open_objects("memory://"))
    codes = store.create_codes(
        "c", document={}, arrays=[SPEC], clips=without_text(CLIPS), unit_clips=of_codes
    )
    run = store.create_run("r", document={}, arrays=[SPEC], clips=CLIPS, unit_clips=of_run)
    for collection in (codes, run):
        _all_failed(collection)

    append_failed(run, codes, CLIPS, cast("Recordings", Unchanged()))
    units = list(ExtractionUnits(run.missing(), codes))
    assert [clip.clip_id for unit in units for clip in unit.clips] == CLIPS["clip_id"].to_pylist()
    owners = [unit.codes_unit.unit_id if unit.codes_unit else None for unit in units]
    assert owners == [unit.unit_id for unit in codes.missing()], "each has its own, and no other is left over"
