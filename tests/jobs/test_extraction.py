"""Extraction in this process, against the model itself."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from jobs.extract.host_copy import start_copy
from jobs.extract.options import ExtractOptions
from jobs.extract.planning import resolve
from jobs.extract.running import run_extraction
from jobs.progress.reporters import StreamReporter
from jobs.progress.reporting import reporting_to
from jobs.upkeep.run_states import detail
from pipelines.audio.clips import decode_clip
from pipelines.audio.files import Root
from pipelines.audio.recordings import Recordings
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.models import musicgen
from pipelines.models.musicgen import MusicGenModel, load_musicgen
from store import open_store
from store.arrays.collection import Collection
from store.arrays.verification import verify
from store.catalog.asking import Catalog
from store.errors import InvalidInput, JobFailed, MissingRows, NotFound, UndertoneError
from store.records import PlannedClip


def extract(store: str, **options: Any) -> dict[str, Any]:
    settings = {"model": "pocket-random", "engine": "inline", "unit_clips": 4, "batch_clips": 2, **options}
    return run_extraction(ExtractOptions(store, "tones", **settings))


def opened(store: str, run: str) -> Collection:
    return open_store(store).run(run)


def array_bytes(store: str) -> dict[str, bytes]:
    """Every shard of every run and of the codes, by key."""
    root = Path(store)
    files = [*root.glob("runs/*/activations.zarr/**/c*"), *root.glob("codes/*/codes.zarr/**/c*")]
    return {str(path.relative_to(root)): path.read_bytes() for path in files if path.is_file()}


def paths_by_uri(store: str) -> dict[str, str]:
    return {clip.uri: clip.clip_id for clip in open_store(store).dataset("tones").clips()}


def test_stored_activations_are_what_the_model_computes_for_each_clip(store: str, audio: Path) -> None:
    summary = extract(store, sites="resid,attn,mlp", reduce="mean,std")
    run = opened(store, summary["run"])
    model = load_musicgen("pocket-random")
    import torch

    for uri, clip_id in paths_by_uri(store).items():
        samples = decode_clip(Root(str(audio)), PlannedClip(clip_id, uri, 0.0, 1.0), sample_rate=16_000)
        codes = model.encode(torch.from_numpy(samples)[None, None])
        spec = CaptureSpec(("resid", "attn", "mlp"), tuple(range(model.info.layers)), ("mean", "std"))
        for name, expected in forward_activations(model, codes, spec).items():
            np.testing.assert_allclose(
                run.read_clips(name, [clip_id])[0], expected[0], atol=2e-4, err_msg=uri
            )


def test_frames_in_int8_are_those_in_float32_within_half_a_step_of_their_channel(store: str) -> None:
    settings = {"sites": "resid", "layers": "1", "reduce": "frames"}
    runs = [opened(store, extract(store, **settings, store_dtype=kept)["run"]) for kept in ("fp32", "int8")]
    whole, small = (run.read_layer("resid.frames", 1)[0] for run in runs)
    assert [detail(run)["arrays"] for run in runs] == [
        {"resid.frames": "(clip, layer, time, feature) (1, 29, 128) float32"},
        {"resid.frames": "(clip, layer, time, feature) (1, 29, 128) int8"},
    ]
    step = np.abs(whole).max(axis=1, keepdims=True) / 127
    assert (np.abs(small - whole) <= 0.501 * step).all()
    assert verify(runs[1]) == []
    with pytest.raises(InvalidInput, match="--store-dtype int8 is of frames, and none are stored"):
        extract(store, sites="resid", store_dtype="int8")


def test_the_summary_counts_clips_and_tells_silence_apart(store: str) -> None:
    summary = extract(store)
    assert (summary["clips"], summary["silent"], summary["failed"], summary["complete"]) == (11, 1, 0, True)
    assert "random weights" in summary["model"]


def test_a_second_run_over_the_same_clips_does_no_encodec_work(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract(store, sites="resid")

    def refuse(model: MusicGenModel, samples: object) -> object:
        raise AssertionError("EnCodec ran although the codes are stored")

    monkeypatch.setattr(MusicGenModel, "encode", refuse)
    monkeypatch.setattr("pipelines.audio.recordings.ClipReader.read", refuse)
    second = extract(store, sites="attn,mlp", layers="2,5")
    assert second["complete"]
    assert first["run"] != second["run"]
    assert opened(store, second["run"]).layers("attn.mean") == [2, 5]


def test_running_the_same_command_again_computes_nothing(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = extract(store)
    before = array_bytes(store)
    monkeypatch.setattr("jobs.extract.running.worker_pool", None)
    assert extract(store)["run"] == summary["run"]
    assert array_bytes(store) == before


def test_a_rerun_elsewhere_gives_the_same_bytes(make_store: Callable[[str], str]) -> None:
    one, two = make_store("one"), make_store("two")
    extract(one)
    extract(two)
    assert array_bytes(one) == array_bytes(two)


def test_a_vanished_recording_is_one_failed_row_and_the_others_keep_their_values(
    make_store: Callable[[str], str], audio: Path
) -> None:
    whole, holed = make_store("whole"), make_store("holed")
    extract(whole)
    lost = audio / "low" / "02.wav"
    lost.rename(audio / "gone.wav")
    summary = extract(holed)
    assert (summary["failed"], summary["complete"]) == (1, True)
    ids = paths_by_uri(holed)
    run, reference = opened(holed, summary["run"]), opened(whole, summary["run"])
    status = run.statuses()[ids["low/02.wav"]]
    assert status.failure is not None
    assert (status.failure.stage, status.failure.uri) == ("decode", "low/02.wav")
    with pytest.raises(MissingRows):
        run.read_clips("resid.mean", [ids["low/02.wav"]])
    others = [clip_id for uri, clip_id in ids.items() if uri != "low/02.wav"]
    np.testing.assert_array_equal(
        run.read_clips("resid.mean", others), reference.read_clips("resid.mean", others)
    )


def test_what_nobody_foresaw_of_one_recording_is_its_failure_and_a_full_disk_is_nobodys(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = Recordings.decode

    def break_one(error: Exception) -> None:
        def broken(recordings: Recordings, clip: PlannedClip) -> np.ndarray:
            if clip.uri == "low/02.wav":
                raise error
            return decode(recordings, clip)

        monkeypatch.setattr(Recordings, "decode", broken)

    break_one(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(JobFailed, match="disk is full"):
        extract(store)
    break_one(AttributeError("'NoneType' object has no attribute 'name'"))
    summary = extract(store)
    assert (summary["failed"], summary["complete"]) == (1, True)
    failure = opened(store, summary["run"]).statuses()[paths_by_uri(store)["low/02.wav"]].failure
    assert failure is not None
    assert (failure.stage, failure.error) == ("decode", "AttributeError")


def test_a_recording_that_changed_since_it_was_added_is_refused(store: str, audio: Path) -> None:
    samples, rate = soundfile.read(audio / "low" / "03.wav")
    soundfile.write(audio / "low" / "03.wav", samples[::-1], rate, subtype="PCM_16")
    summary = extract(store)
    status = opened(store, summary["run"]).statuses()[paths_by_uri(store)["low/03.wav"]]
    assert (summary["failed"], summary["complete"]) == (1, True)
    assert status.failure is not None
    assert "has changed since" in status.failure.message


def test_retrying_accepts_a_mended_recording_and_the_plan_names_its_new_checksum(
    store: str, audio: Path
) -> None:
    samples, rate = soundfile.read(audio / "low" / "03.wav")
    soundfile.write(audio / "low" / "03.wav", samples[::-1], rate, subtype="PCM_16")
    extract(store)
    summary = extract(store, retry_failed=True)
    assert summary["failed"] == 0
    [clip] = opened(store, summary["run"]).units()[-1].clips
    assert clip.sha256 == hashlib.sha256((audio / "low" / "03.wav").read_bytes()).hexdigest()


def test_a_clip_mended_in_one_run_is_mended_in_every_later_run(store: str, audio: Path) -> None:
    (audio / "low" / "02.wav").rename(audio / "kept")
    extract(store)
    (audio / "kept").rename(audio / "low" / "02.wav")
    assert extract(store, retry_failed=True)["failed"] == 0
    assert extract(store, sites="xattn")["failed"] == 0


def test_stored_codes_make_the_audio_needless(store: str, audio: Path, tmp_path: Path) -> None:
    extract(store)
    audio.rename(tmp_path / "moved")
    assert extract(store, sites="xattn")["complete"]
    with pytest.raises(NotFound, match="add --root tones=PATH"):
        extract(store, retry_failed=True)
    fresh = extract(store, unit_clips=3, roots=(f"tones={tmp_path / 'moved'}",))
    assert fresh["failed"] == 0
    assert extract(store, unit_clips=2)["failed"] == 0, "the new place is remembered"


@pytest.mark.parametrize(
    "wrong",
    [
        {"roots": ("tones=/nowhere",)},
        {"roots": ("tunes=/nowhere",)},
        {"roots": ("tones=/nowhere",), "retry_failed": True},
        {"roots": ("tones",)},
        {"model": "no-such-model"},
        {"model": "/nowhere"},
        {"layers": "99"},
        {"sites": "heart"},
        {"reduce": "most"},
        {"device": "cuda"},
        {"dtype": "fp16", "device": "cuda"},
        {"engine": "ray", "address": "127.0.0.1:9"},
        {"text": "a {colour} song"},
    ],
    ids=str,
)
def test_a_refused_extraction_leaves_no_run(
    store: str, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UndertoneError):
        extract(store, **wrong)
    opened = open_store(store)
    assert (opened.runs(), opened.all_codes()) == ([], [])


def test_a_further_run_without_audio_is_refused_before_it_is_written(
    store: str, audio: Path, tmp_path: Path
) -> None:
    first = extract(store)
    audio.rename(tmp_path / "moved")
    with pytest.raises(NotFound, match="add --root tones=PATH"):
        extract(store, sites="xattn", retry_failed=True)
    assert open_store(store).runs() == [first["run"]]


def test_retry_takes_only_failed_clips_again(make_store: Callable[[str], str], audio: Path) -> None:
    whole, holed = make_store("whole"), make_store("holed")
    extract(whole)
    for name in ("low/02.wav", "high/09.wav"):
        (audio / name).rename(audio / f"{Path(name).stem}.kept")
    extract(holed)
    before = array_bytes(holed)
    (audio / "02.kept").rename(audio / "low/02.wav")
    summary = extract(holed, retry_failed=True)
    assert (summary["failed"], summary["complete"]) == (1, True)
    run, reference = opened(holed, summary["run"]), opened(whole, summary["run"])
    assert len(run.units()) == 4
    assert [clip.uri for clip in run.units()[-1].clips] == ["high/09.wav", "low/02.wav"]
    assert before.items() <= array_bytes(holed).items()
    mended = [paths_by_uri(holed)["low/02.wav"]]
    np.testing.assert_allclose(
        run.read_clips("resid.mean", mended), reference.read_clips("resid.mean", mended), atol=2e-4
    )
    (audio / "09.kept").rename(audio / "high/09.wav")
    assert extract(holed, retry_failed=True)["failed"] == 0
    assert extract(holed, retry_failed=True)["complete"]
    assert len(opened(holed, summary["run"]).units()) == 5
    assert not verify(opened(holed, summary["run"]))


def test_a_run_that_is_plainly_sick_stops_and_keeps_what_it_has(store: str, audio: Path) -> None:
    shutil.rmtree(audio / "low")
    (audio / "low").mkdir()
    with pytest.raises(JobFailed, match="--max-failures 1"):
        extract(store, max_failures=1)
    [run] = open_store(store).runs()
    assert opened(store, run).markers()


def test_a_store_names_no_path_of_this_machine(store: str, audio: Path, tmp_path: Path) -> None:
    from pipelines.models.checkpoints import resolve_checkpoint

    checkpoint = tmp_path / "my checkpoint"
    shutil.copytree(resolve_checkpoint("pocket-random").folder, checkpoint)
    summary = extract(store, model=str(checkpoint))
    assert "my-checkpoint" in summary["run"]
    for path in Path(store).rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes(), path


def test_a_text_condition_from_labels_changes_the_run_and_warns_of_the_leak(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with reporting_to(StreamReporter()):
        plain, told = extract(store), extract(store, text="{label} tones")
    assert "can read the prompt" in capsys.readouterr().err
    ids = list(paths_by_uri(store).values())
    values = [opened(store, s["run"]).read_clips("resid.mean", ids) for s in (plain, told)]
    assert np.abs(values[0] - values[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sites": "resid,nose"}, "no site 'nose'; it has embed, resid, attn, head, xattn, mlp"),
        ({"sites": "resid.mean"}, "'resid.mean' is no name of a site"),
        ({"melody": Path("hum.wav")}, "'pocket-random' takes no melody; use one that does"),
        ({"layers": "3,99"}, "layers are 0–7"),
        ({"layers": "x"}, "write all, 0,5,11 or 4-7"),
        ({"reduce": "median"}, "'median' is no reduction"),
        ({"text": "{genre} song"}, "needs 'genre'"),
        ({"text": "{}"}, "plain braces"),
        ({"text": "{label:.2f}"}, "plain braces"),
        ({"text": "{label"}, "cannot be read"),
        ({"gpus_per_worker": -1.0}, "--gpus-per-worker is -1.0"),
        ({"batch_clips": 0}, "--batch-clips is 0"),
        ({"roots": ("tones",)}, "not NAME=PATH"),
        ({"roots": ("tunes=/tmp",)}, "no such dataset; it has tones"),
        ({"engine": "ray", "address": "127.0.0.1:9"}, "No Ray cluster answers at '127.0.0.1:9'"),
    ],
)
def test_a_wrong_option_is_answered_with_the_legal_choices(
    store: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        extract(store, **options)


def test_what_decides_values_decides_the_run_and_nothing_else_does(store: str) -> None:
    def run_id(**options: Any) -> str:
        return resolve(ExtractOptions(store, "tones", model="pocket-random", **options)).spec.run_id()

    changes: list[dict[str, Any]] = [
        {"batch_clips": 3},
        {"threads": 2},
        {"unit_clips": 8},
        {"text": "{label}"},
        {"layers": "0"},
    ]
    assert len({run_id(), *(run_id(**change) for change in changes)}) == 1 + len(changes)
    for change in ({"segments": 5}, {"workers": 3}, {"engine": "inline"}, {"max_failures": 1}):
        assert run_id(**change) == run_id()
    assert run_id(reduce="segments", segments=5) != run_id(reduce="segments", segments=6)


def test_another_resampler_is_another_run_with_other_codes(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ExtractOptions(store, "tones", model="pocket-random")
    own = resolve(wanted).spec
    monkeypatch.setattr("jobs.extract.planning.resampler", lambda: "sinc of another kind")
    other = resolve(wanted).spec
    assert re.fullmatch(r"soxr VHQ, libsoxr \d\S+", own.resampler)
    assert other.document()["resampler"] == other.codes_document()["resampler"] == "sinc of another kind"
    assert own.run_id() != other.run_id()
    assert own.codes_key() != other.codes_key()


def test_a_worker_with_another_resampler_than_the_runs_computes_nothing(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.extract.planning.resampler", lambda: "sinc of another kind")
    with pytest.raises(UndertoneError, match="the run with sinc of another kind"):
        extract(store)


def test_status_says_how_audio_was_resampled(store: str) -> None:
    run = opened(store, extract(store)["run"])
    assert detail(run)["resampler"].startswith("soxr VHQ")


def test_the_model_runs_on_as_many_threads_as_the_run_says(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    seen = []
    forward = MusicGenModel.forward

    def watched(model: MusicGenModel, *arguments: Any) -> Any:
        seen.append(torch.get_num_threads())
        return forward(model, *arguments)

    monkeypatch.setattr(MusicGenModel, "forward", watched)
    extract(store, threads=1)
    extract(store, threads=2)
    assert set(seen[: len(seen) // 2]) == {1}
    assert set(seen[len(seen) // 2 :]) == {2}


@pytest.mark.parametrize("factor", [1e-8, 1e7])
def test_what_leaves_the_range_of_fp16_is_counted_where_it_does(
    store: str, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    """Beside counts of a hook of our own on one block, whose weights are made too large or too small."""
    passed: list[Any] = []
    load = musicgen.load_musicgen_checkpoint

    def loaded(*given: Any, **named: Any) -> MusicGenModel:
        model = load(*given, **named)
        with torch.no_grad():
            model.blocks[1].linear2.weight.mul_(factor)
        model.point("mlp", 1).hook(lambda out: passed.append(out.float().numpy()))
        return model

    monkeypatch.setattr(musicgen, "load_musicgen_checkpoint", loaded)
    summary = extract(store, sites="mlp", layers="0-1", dtype="fp16", max_failures=20)
    asked = "SELECT * FROM number_ranges ORDER BY layer"
    before, there = Catalog.of(open_store(store)).rows(asked)
    rows = np.concatenate([out[:, -29:].reshape(-1) for out in passed])
    assert (there["site"], there["layer"], there["dtype"]) == ("mlp", 1, "float16")
    assert there["values"] == rows.size == before["values"]
    assert there["overflow"] == (~np.isfinite(rows)).sum()
    assert there["underflow"] == (np.abs(rows) < 2.0**-14).sum()
    assert before["overflow"] == 0
    assert ("overflow" in summary) == (factor > 1) == (there["overflow"] > 0)
    assert ("underflow" in summary) == (factor < 1)
    if factor > 1:
        assert "most at mlp layer 1; their clips failed: use --dtype bf16 or fp32" in summary["overflow"]
        assert summary["failed"] > 0


def test_a_value_too_large_for_float16_fails_its_clip_alone(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[Any] = []

    def overflowing(tensors: dict[str, Any]) -> Any:
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
        if not batches:
            tensors["resid.frames"][1, 2, 0, 5] = 1e6
        batches.append(tensors)
        return start_copy(tensors)

    monkeypatch.setattr("jobs.extract.worker.start_copy", overflowing)
    summary = extract(store, sites="resid", reduce="mean,frames", unit_clips=11)
    run = opened(store, summary["run"])
    failures = [status.failure for status in run.statuses().values() if status.failure]
    assert [(failure.stage, failure.error) for failure in failures] == [("forward", "OverflowError")]
    assert "float16" in failures[0].message
    assert (summary["failed"], summary["complete"]) == (1, True)


def test_several_clips_of_one_long_recording_are_rows_of_their_own(tmp_path: Path, recordings: Path) -> None:
    from jobs.dataset.adding import add_dataset
    from jobs.dataset.options import AddRequest

    parts = [soundfile.read(recordings / "low" / f"{i:02d}.wav")[0] for i in range(3)]
    (tmp_path / "long").mkdir()
    soundfile.write(tmp_path / "long" / "all.wav", np.concatenate([*parts, parts[0][:4000]]), 16_000)
    store = str(tmp_path / "long.store")
    add_dataset(AddRequest(store, "tones", str(tmp_path / "long"), clip_seconds=1.0))
    run = opened(store, extract(store)["run"])
    clips = list(open_store(store).dataset("tones").clips())
    assert [(clip.start_seconds, clip.tail_seconds) for clip in clips] == [(0, 0.25), (1, 0.25), (2, 0.25)]
    values, ids = run.read_layer("resid.mean", 3)
    assert ids == [clip.clip_id for clip in clips]
    assert all(np.abs(values[i] - values[j]).max() > 1e-3 for i, j in ((0, 1), (1, 2)))
    assert os.path.commonpath([clip.uri for clip in clips]) == "all.wav"
