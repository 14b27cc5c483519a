"""Features of the audio beside the layers: computed once, kept, and done without where there is no audio."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from jobs.fitting.labels import LabelledRows, resolve_labels
from jobs.probe.handcrafted import handcrafted_sources
from jobs.probe.options import ProbeOptions
from jobs.probe.running import probe_run
from pipelines.audio.recordings import Recordings
from pipelines.scorers.features import FEATURE_KINDS, SAMPLE_RATE, compute_features
from store.arrays.collection import open_collection
from store.errors import InvalidInput
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

CLIPS = 6


@pytest.fixture
def small(tmp_path: Path) -> Store:
    """Six clips of half a second, the last of which has no file."""
    store = open_store(tmp_path / "small.store", create=True)
    clips = [
        Clip(f"clip{n}", f"{n}.wav", 0.0, 0.5, f"g{n}", None, f"{n:064x}", 0.0, {"high": n % 2 == 1})
        for n in range(CLIPS)
    ]
    info = {"format": "folder", "clip_seconds": 0.5, "hop_seconds": 0.5, "root": {"kind": "local"}}
    dataset = store.add_dataset("tones", info, clips, [])
    run = store.create_run(
        "tones-run",
        document={"dataset": {"name": "tones", "fingerprint": dataset.fingerprint}, "clip_seconds": 0.5},
        arrays=[ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32")],
        clips=[PlannedClip(clip.clip_id, clip.uri, 0.0, 0.5) for clip in clips],
    )
    with run.begin(run.units()[0], provenance={}) as pending:
        pending.add("resid.mean", 0, np.zeros((CLIPS, 1, 2), np.float32))
        pending.commit([ClipStatus(clip.clip_id, "ok") for clip in clips], {})
    run.note_complete()
    return store


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    folder = tmp_path / "tones"
    folder.mkdir()
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    for number in range(CLIPS - 1):
        samples = 0.5 * np.sin(2 * np.pi * 220 * (number + 1) * time)
        soundfile.write(folder / f"{number}.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    return folder


def labelled(store: Store, where: str = "true") -> LabelledRows:
    return resolve_labels(store, store.run("tones"), f"SELECT clip_id, high FROM clips WHERE {where}")


def test_features_are_those_of_the_decoded_clips_and_are_kept(small: Store, tones: Path) -> None:
    labels = labelled(small, "uri <> '5.wav'")
    sources, notes = handcrafted_sources(small, small.run("tones"), labels, [f"tones={tones}"])
    assert [source.site for source in sources] == ["mel", "mfcc", "chroma"]
    assert notes == []
    samples, _ = soundfile.read(tones / "3.wav", dtype="float32")
    for source in sources:
        kept = open_collection(small.objects, source.prefix).read_clips(source.array, ["clip3"])[0]
        np.testing.assert_allclose(kept, compute_features(samples, FEATURE_KINDS[sources.index(source)]))
    for path in tones.iterdir():
        path.unlink()
    assert handcrafted_sources(small, small.run("tones"), labels, []) == (sources, [])


def test_every_clip_is_decoded_once_for_all_kinds(
    small: Store, tones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    decode = Recordings.decode

    def counted(self: Recordings, clip: PlannedClip) -> NDArray[np.float32]:
        decoded.append(clip.clip_id)
        return decode(self, clip)

    monkeypatch.setattr(Recordings, "decode", counted)
    handcrafted_sources(small, small.run("tones"), labelled(small), [f"tones={tones}"])
    assert sorted(decoded) == [f"clip{number}" for number in range(CLIPS)]


def test_without_audio_they_are_left_out_with_a_word(small: Store) -> None:
    sources, notes = handcrafted_sources(small, small.run("tones"), labelled(small), [])
    assert sources == []
    assert len(notes) == 1
    assert "left out" in notes[0]
    assert "--root tones=PATH" in notes[0]


def test_a_kind_that_lacks_labelled_clips_is_left_out_with_their_number(small: Store, tones: Path) -> None:
    sources, notes = handcrafted_sources(small, small.run("tones"), labelled(small), [f"tones={tones}"])
    assert sources == []
    assert notes[0] == "mel, mfcc, chroma statistics are left out: 1 labelled clips have none."


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ("high", {"folds": 6}, "6 folds cannot be made of 5 groups"),
        ("high", {"penalties": "much"}, "much"),
        ("length(uri) * start_seconds + ascii(uri) AS number", {"loss": "logistic"}, "numbers alone"),
    ],
)
def test_what_can_be_refused_is_refused_before_any_audio_is_read(
    small: Store, tones: Path, labels: str, options: dict[str, Any], message: str
) -> None:
    query = f"SELECT clip_id, {labels}, least(group_id, 'g4') AS grp FROM clips"
    asked = ProbeOptions(small.url, "tones", query, engine="inline", roots=(f"tones={tones}",), **options)
    with pytest.raises(InvalidInput, match=message):
        probe_run(asked)
    assert not list(small.objects.list("features"))
