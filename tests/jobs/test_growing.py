"""A run follows its dataset: what a later version brought is computed behind what is there, no more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.extract import growing
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from pipelines.audio.recordings import Recordings
from store import open_store
from store.arrays.collection import Collection
from store.catalog.asking import Catalog
from store.upkeep.inspection import inspect

RATE = 16_000


def extract(store: str, **options: Any) -> dict[str, Any]:
    settings = {"model": "pocket-random", "engine": "inline", "unit_clips": 4, "batch_clips": 2, **options}
    return run_extraction(ExtractOptions(store, "tones", **settings))


def write_noise(path: Path, seed: int) -> None:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(RATE)
    soundfile.write(path, samples, RATE, subtype="PCM_16")


def grow(store: str, audio: Path) -> None:
    """One file more, one with another content, one less."""
    write_noise(audio / "high/new.wav", 1)
    write_noise(audio / "low/00.wav", 2)
    (audio / "low/01.wav").unlink()
    assert add_dataset(AddRequest(store, "tones", str(audio), clip_seconds=1.0))["version"] == 2


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files whose clips were decoded."""
    seen: list[str] = []
    decode = Recordings.decode

    def counting(self: Recordings, clip: Any) -> Any:
        seen.append(clip.uri)
        return decode(self, clip)

    monkeypatch.setattr(Recordings, "decode", counting)
    return seen


def test_only_what_is_new_is_computed_and_old_rows_stay(
    make_store: Callable[[str], str], audio: Path, decoded: list[str]
) -> None:
    store = make_store("a")
    first = extract(store)
    run = open_store(store).run(first["run"])
    ids = {clip.uri: clip.clip_id for clip in open_store(store).dataset("tones").clips()}
    kept = [identity for uri, identity in ids.items() if uri not in ("low/00.wav", "low/01.wav")]
    before, rows = run.read_clips("resid.mean", kept), dict(zip(*_rows(run), strict=True))
    old = run.read_clips("resid.mean", [ids["low/00.wav"]])
    gone = run.read_clips("resid.mean", [ids["low/01.wav"]])
    grow(store, audio)
    decoded.clear()
    assert "11 of 11 (1 no longer in the dataset)" in _printed("status", store)

    second = extract(store)
    assert (second["run"], second["complete"]) == (first["run"], True)
    assert "12 of 12 (1 no longer in the dataset)" in _printed("status", store), "each clip counts once"
    assert sorted(decoded) == ["high/new.wav", "low/00.wav"]
    run = open_store(store).run(second["run"])
    np.testing.assert_array_equal(run.read_clips("resid.mean", kept), before)
    now = dict(zip(*_rows(run), strict=True))
    assert {identity: now[identity] for identity in kept} == {identity: rows[identity] for identity in kept}
    assert not np.allclose(run.read_clips("resid.mean", [ids["low/00.wav"]]), old)
    np.testing.assert_array_equal(run.read_clips("resid.mean", [ids["low/01.wav"]]), gone)

    decoded.clear()
    assert extract(store)["run"] == first["run"]
    assert decoded == []
    assert inspect(open_store(store).objects) == []
    answer = Catalog.of(open_store(store)).ask("SELECT clips, committed, complete FROM runs").to_pylist()
    assert answer == [{"clips": 12, "committed": 12, "complete": True}]


def _printed(*command: str) -> str:
    return CliRunner(env={"COLUMNS": "200"}).invoke(undertone, command).output


def _rows(run: Collection) -> tuple[list[str], list[int]]:
    table = run.rows()
    return table["clip_id"].to_pylist(), table["row"].to_pylist()


def test_what_is_computed_of_a_grown_dataset_is_what_a_run_of_its_own_has(
    make_store: Callable[[str], str], audio: Path
) -> None:
    grown = make_store("a")
    extract(grown)
    grow(grown, audio)
    anew = make_store("b")  # of the files as they are now
    mine, theirs = (open_store(store).run(extract(store)["run"]) for store in (grown, anew))
    ids = [clip.clip_id for clip in open_store(anew).dataset("tones").clips()]
    np.testing.assert_allclose(
        mine.read_clips("resid.mean", ids), theirs.read_clips("resid.mean", ids), atol=2e-4
    )


def test_another_model_reads_the_grown_codes(
    make_store: Callable[[str], str], audio: Path, decoded: list[str]
) -> None:
    store = make_store("a")
    extract(store)
    grow(store, audio)
    extract(store)
    decoded.clear()
    assert extract(store, reduce="last")["complete"]
    assert decoded == []


def test_a_driver_that_died_between_two_parts_of_a_plan_is_finished(
    make_store: Callable[[str], str], audio: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store("a")
    run_id = extract(store)["run"]
    grow(store, audio)
    append = Collection.append_units

    def dying(self: Collection, clips: Any, **said: Any) -> Any:
        if said.get("is_new"):
            raise KeyboardInterrupt
        return append(self, clips, **said)

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "append_units", dying)
        with pytest.raises(KeyboardInterrupt):
            extract(store)
    run = open_store(store).run(run_id)
    assert growing.planned_version(run) == 1
    decoded.clear()
    assert extract(store)["complete"]
    assert sorted(decoded) == ["high/new.wav", "low/00.wav"]
    run = open_store(store).run(run_id)
    changed = next(c.clip_id for c in open_store(store).dataset("tones").clips() if c.uri == "low/00.wav")
    for collection in (run, open_store(store).codes(run.document["codes"])):
        assert growing.planned_version(collection) == 2
        assert collection.plan().clip_ids.to_pylist().count(changed) == 2
